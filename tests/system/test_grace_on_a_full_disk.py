"""A grace period goes on while the disk is full: it ends in the stop, or is called off, on time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from daemon.client import Client
from daemon.emulator import EmulatorSettings
from daemon.emulator.settings import MillingDesign
from daemon.journal_bodies import read_log, read_records
from daemon.messages import AlarmMessage, RunMessage
from daemon.service import run_daemon
from tests.system.test_abort_at_once import Operator, appears, fill, messages

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(600)]
GRACE_S = 45.0
"""Longer than a slow computer needs from the announcement to the pause."""
DRIFTING = EmulatorSettings(
    slices=16, height=256, width=320, seed=11,
    milling=MillingDesign(mean_nm=10.0, sigma_nm=1.0, drift_shift_sigma=10.0),
)  # fmt: skip


def drifting(acquire, output: Path, sentinel: Path, grace_s: float):
    """An acquisition whose slices thicken for good."""
    return acquire(
        DRIFTING,
        ("drift@8",),
        drift={"warmup_slices": 5, "false_alarm_slices": 200.0},
        run={"output": str(output), "expected_slices": 16},
        abort={"armed": True, "grace_s": grace_s, "actions": [{"kind": "file", "path": str(sentinel)}]},
    )


def until_grace_on_a_full_disk(client: Client, ballast: Path) -> str:
    """Fill the disk as soon as the grace period begins, listen until the run pauses; the announcement.

    A slice that is not on record is announced by the pause, after the alarm of the disk.
    """
    pending, paused = "", False
    for message in messages(client):
        if isinstance(message, AlarmMessage) and message.kind == "abort pending":
            pending = message.id
        if isinstance(message, RunMessage) and message.escalation.stage == "grace" and not ballast.exists():
            fill(ballast)
        paused = paused or (isinstance(message, AlarmMessage) and message.kind == "output disk full")
        if paused and pending:
            return pending
    raise AssertionError("the run ended")


def test_it_ends_in_the_stop(acquire, mount, tmp_path):
    """Nobody answers and nothing can be recorded: the microscope is stopped, and later it is on record."""
    disk, sentinel = mount(300), tmp_path / "STOP"
    acquisition = drifting(acquire, disk / "output", sentinel, grace_s=2.0)

    def operate(client: Client) -> None:
        until_grace_on_a_full_disk(client, disk / "ballast")
        assert appears(sentinel)
        os.unlink(disk / "ballast")

    operator = Operator(acquisition.config, operate)
    assert run_daemon(acquisition.config, follow=True) == 3
    operator.join()
    _, alarms = read_records(acquisition.outputs.journal, "alarm")
    (confirmed,) = [alarm for alarm in alarms if alarm["kind"] == "abort confirmed"]
    assert "because of 'drift thicker'" in confirmed["message"]


def test_it_is_called_off(acquire, mount, tmp_path):
    """Somebody acknowledges while nothing can be recorded: no stop, then or later, and his name is kept."""
    disk, sentinel = mount(300), tmp_path / "STOP"
    acquisition = drifting(acquire, disk / "output", sentinel, grace_s=GRACE_S)

    def operate(client: Client) -> None:
        pending = until_grace_on_a_full_disk(client, disk / "ballast")
        client.acknowledge(pending, "Ada")
        threading.Event().wait(GRACE_S + 3.0)
        assert not sentinel.exists()
        os.unlink(disk / "ballast")

    operator = Operator(acquisition.config, operate)
    assert run_daemon(acquisition.config, follow=True) == 0
    operator.join()
    assert not sentinel.exists()
    audit = [entry for _, entry in read_log(acquisition.outputs.journal, "audit")]
    assert ("call off", "Ada") in [(entry["command"], entry["by"]) for entry in audit]
