"""From drift to a microscope that stands still, in whole runs: grace, acknowledgement, hanging peer, kill."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from daemon.client import Client
from daemon.config import load
from daemon.emulator import EmulatorSettings
from daemon.emulator.settings import MillingDesign
from daemon.errors import WireError
from daemon.journal_bodies import read_records
from daemon.messages import AlarmMessage, HeartbeatMessage, Message, RunMessage
from daemon.service import run_daemon

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WAIT_S = 120.0


@pytest.fixture
def drifting(acquire):
    """An acquisition whose slices thicken for good; ``abort`` is the table of that name."""
    settings = EmulatorSettings(
        slices=16,
        height=256,
        width=320,
        seed=11,
        milling=MillingDesign(mean_nm=10.0, sigma_nm=1.0, drift_shift_sigma=10.0),
    )

    def make(slices: int = 16, **abort):
        return acquire(
            settings,
            ("drift@8",),
            drift={"warmup_slices": 5, "false_alarm_slices": 200.0},
            run={"expected_slices": slices},
            abort={"armed": True, "retry_wait_s": 0.0, "attempts": 1, **abort},
        )

    return make


def messages(client: Client) -> Iterator[Message]:
    """Every message that a client is told, snapshot included."""
    for update in client.follow():
        for event in getattr(update, "events", [update]):
            if hasattr(event, "message"):
                yield event.message


def alongside(config, act: Callable[[Client], None], *, follow: bool = True) -> int:
    """Run the daemon with an operator beside it; its exit code. ``follow`` false: it reprocesses."""
    publish = load(config).publish

    def operate() -> None:
        with Client(publish.events, publish.control) as client:
            act(client)

    operator = threading.Thread(target=operate, daemon=True)
    operator.start()
    code = run_daemon(config, follow=follow)
    operator.join(WAIT_S)
    return code


def until_over(client: Client) -> None:
    """Listen to the end of the run."""
    for message in messages(client):
        if isinstance(message, RunMessage) and message.finish_reason is not None:
            return


def kinds(acquisition) -> list[str]:
    """The alarms of a run, in order."""
    return [alarm["kind"] for alarm in read_records(acquisition.outputs.journal, "alarm")[1]]


@contextmanager
def mute_peer() -> Iterator[tuple[int, threading.Event, threading.Event]]:
    """A program beside the microscope that listens and does not answer; hangs up when it is let go."""
    spoken_to, done = threading.Event(), threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def run() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(100)
                spoken_to.set()
                done.wait(WAIT_S)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1], spoken_to, done
        done.set()
    thread.join(WAIT_S)


def test_an_acknowledgement_within_the_grace_period_calls_the_abort_off(drifting):
    """Pause is asked for, the abort announced with its time, called off by name; the run completes. Since
    the drift goes on, it may be told again before the end."""
    acquisition = drifting(
        grace_s=600.0,
        pause_actions=[{"kind": "file", "path": "PAUSE"}],
        actions=[{"kind": "file", "path": "STOP"}],
    )
    seen: dict[str, object] = {}

    def operate(client: Client) -> None:
        for message in messages(client):
            if isinstance(message, RunMessage) and message.escalation.stage == "grace":
                seen["run"] = message
            if isinstance(message, HeartbeatMessage) and message.escalation.stage == "grace":
                seen["left"] = message.escalation.grace_left_s
            if isinstance(message, AlarmMessage) and message.kind == "abort pending" and "asked" not in seen:
                seen["asked"] = message
                client.acknowledge(message.id, "Ada")
            if isinstance(message, RunMessage) and message.escalation.stage == "quiet" and "asked" in seen:
                seen["quiet"] = message
            if isinstance(message, RunMessage) and message.finish_reason is not None:
                return

    assert alongside(acquisition.config, operate) == 0
    assert json.loads((acquisition.config.parent / "PAUSE").read_text())["request"] == "PAUSE"
    assert not (acquisition.config.parent / "STOP").exists()
    run = seen["run"]
    assert isinstance(run, RunMessage)
    assert 0.0 < run.escalation.grace_left_s <= 600.0
    assert run.armed_by == "configuration"
    assert "quiet" in seen
    assert "abort pending" in kinds(acquisition)


@pytest.mark.long
def test_a_peer_that_hangs_does_not_stall_the_pipeline(drifting):
    """While the stop waits for an answer, slices go on being processed; then the abort is NOT CONFIRMED."""
    with mute_peer() as (port, spoken_to, let_go):
        acquisition = drifting(
            actions=[{"kind": "tcp", "host": "127.0.0.1", "port": port, "timeout_s": 600.0}],
        )
        after_the_order: list[int] = []

        def operate(client: Client) -> None:
            for message in messages(client):
                if isinstance(message, RunMessage):
                    if spoken_to.is_set() and message.escalation.stage == "aborting":
                        after_the_order.append(message.slices_done)
                        if message.slices_done == 16:
                            let_go.set()
                    if message.finish_reason is not None:
                        return

        assert alongside(acquisition.config, operate) == 3
    assert max(after_the_order) == 16
    assert min(after_the_order) < 16
    assert "abort NOT CONFIRMED" in kinds(acquisition)


@pytest.mark.long
def test_the_grace_period_runs_out(drifting):
    """Nobody answers: pause, then stop, exit 3, every step with its outcome in the audit log."""
    acquisition = drifting(
        slices=40,
        grace_s=0.5,
        pause_actions=[{"kind": "file", "path": "PAUSE"}],
        actions=[{"kind": "command", "argv": [sys.executable, "-c", ""]}, {"kind": "file", "path": "STOP"}],
    )
    assert alongside(acquisition.config, until_over) == 3
    told = kinds(acquisition)
    assert told.index("abort pending") < told.index("abort confirmed")
    stop = json.loads((acquisition.config.parent / "STOP").read_text())
    assert stop["request"] == "STOP"
    assert stop["order"].startswith(read_run(acquisition))
    assert [step["outcome"] for step in read_records(acquisition.outputs.journal, "abort step")[1]] == [
        "confirmed",
        "confirmed",
    ]


def test_reprocessing_reaches_no_microscope_however_it_is_armed(drifting):
    """Drift of long ago is told and recorded: no pause, no stop, exit 0. An operator is refused who acts."""
    acquisition = drifting(
        grace_s=0.1,
        pause_actions=[{"kind": "file", "path": "PAUSE"}],
        actions=[{"kind": "file", "path": "STOP"}],
    )
    refusals: list[str] = []

    def operate(client: Client) -> None:
        for message in messages(client):
            if isinstance(message, RunMessage) and message.slices_done and not refusals:
                for act in (client.abort, client.arm, client.disarm):
                    with pytest.raises(WireError, match="no way to the microscope") as refused:
                        act("Ada")
                    refusals.append(refused.value.remedy)
                client.acknowledge("1", "Ada")
            if isinstance(message, RunMessage):
                assert (message.armed, message.armed_by) == (False, "reprocess")
            if isinstance(message, RunMessage) and message.finish_reason is not None:
                return

    assert alongside(acquisition.config, operate, follow=False) == 0
    told = kinds(acquisition)
    assert "drift thicker" in told
    assert not {"abort pending", "abort confirmed", "abort NOT CONFIRMED"} & set(told)
    assert ["own controls" in remedy for remedy in refusals] == [True, False, False]
    audited = read_records(acquisition.outputs.journal, "audit")[1]
    assert [entry["command"] for entry in audited] == ["Acknowledge"]
    assert read_records(acquisition.outputs.journal, "arming")[1] == []
    assert not (acquisition.config.parent / "PAUSE").exists()
    assert not (acquisition.config.parent / "STOP").exists()
    assert read_records(acquisition.outputs.journal, "abort step")[1] == []


def read_run(acquisition) -> str:
    """The identity of the run."""
    return json.loads(acquisition.outputs.summary.read_text())["run"]


def test_a_daemon_killed_in_the_middle_of_an_abort_finishes_it(drifting):
    """The first action is done, the second hangs, kill -9: the next start does only what is left, exit 3."""
    with mute_peer() as (port, spoken_to, _):
        acquisition = drifting(
            actions=[
                {"kind": "file", "path": "FIRST"},
                {"kind": "tcp", "host": "127.0.0.1", "port": port, "timeout_s": 600.0},
                {"kind": "file", "path": "LAST"},
            ],
        )
        command = [sys.executable, "-m", "daemon", "run", str(acquisition.config)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
            assert spoken_to.wait(WAIT_S)
            publish = load(acquisition.config).publish
            with Client(publish.events, publish.control) as client:
                for message in messages(client):
                    if isinstance(message, RunMessage) and message.escalation.stage == "aborting":
                        break
            journal = acquisition.outputs.journal
            while not read_records(journal, "abort step")[1]:
                threading.Event().wait(0.05)
            daemon.kill()
    first = acquisition.config.parent / "FIRST"
    before = first.stat().st_mtime_ns
    config = acquisition.config.read_text().replace("timeout_s = 600.0", "timeout_s = 0.5")
    acquisition.config.write_text(config)
    assert alongside(acquisition.config, until_over) == 3
    assert first.stat().st_mtime_ns == before
    assert (acquisition.config.parent / "LAST").exists()
    assert "abort confirmed" in kinds(acquisition)
