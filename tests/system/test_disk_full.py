"""A real disk that runs full, on a small file system of its own: the run waits for room and loses nothing."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.client import Client
from daemon.config import load
from daemon.errors import SlicewatchError
from daemon.journal_bodies import read_records
from daemon.messages import AlarmMessage
from daemon.service import run_daemon
from tests.system.test_restart import digest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MIB = 2**20


def test_a_full_disk_pauses_the_run_and_nothing_is_lost(acquire, mount, tmp_path):
    """It alarms, waits until somebody makes room, goes on, and ends in the bytes of an undisturbed run."""
    disk = mount(40)
    acquisition = acquire(run={"output": str(disk / "output")})
    other = tmp_path / "undisturbed.toml"
    other.write_text(acquisition.config.read_text().replace(str(disk / "output"), str(tmp_path / "output")))
    assert run_daemon(other, follow=True) == 0

    ballast = disk / "ballast"
    ballast.write_bytes(bytes(40 * MIB - 700 * 1024))
    publish = load(acquisition.config).publish
    told: list[AlarmMessage] = []
    saviour = threading.Thread(target=make_room, args=(publish.events, publish.control, ballast, told))
    saviour.start()
    assert run_daemon(acquisition.config, follow=True) == 0
    saviour.join()
    assert [alarm.kind for alarm in told] == ["output disk full"]
    assert digest(disk / "output") == digest(tmp_path / "output")
    _, alarms = read_records(acquisition.outputs.journal, "alarm")
    assert [alarm["kind"] for alarm in alarms].count("output disk full") == 1


def test_a_paused_run_obeys(acquire, mount, tmp_path):
    """While nothing can be written an abort acts at once, and what else was asked for is kept."""
    disk, sentinel = mount(40), tmp_path / "STOP"
    action = {"kind": "file", "path": str(sentinel)}
    acquisition = acquire(run={"output": str(disk / "output")}, abort={"actions": [action]})
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(40 * MIB - 700 * 1024))
    publish = load(acquisition.config).publish
    stopped_while_full: list[bool] = []

    def operate() -> None:
        with Client(publish.events, publish.control) as client:
            full = next(alarm for alarm in alarms_told(client) if alarm.kind == "output disk full")
            client.acknowledge(full.id, "Ada")
            client.abort("Ada", "no room")
            ends = ("abort confirmed", "abort NOT CONFIRMED")
            next(alarm for alarm in alarms_told(client) if alarm.kind in ends)
            stopped_while_full.append(sentinel.exists())
            ballast.unlink()

    operator = threading.Thread(target=operate)
    operator.start()
    assert run_daemon(acquisition.config, follow=True) == 3
    operator.join()
    assert stopped_while_full == [True]
    _, alarms = read_records(acquisition.outputs.journal, "alarm")
    assert [a["acknowledged_by"] for a in alarms if a["kind"] == "output disk full"][-1] == "Ada"


def alarms_told(client: Client) -> Iterator[AlarmMessage]:
    """Alarms as they are told, those of before among them."""
    for update in client.follow():
        for event in getattr(update, "events", [update]):
            if isinstance(getattr(event, "message", None), AlarmMessage):
                yield event.message


def make_room(events: str, control: str, ballast: Path, told: list[AlarmMessage]) -> None:
    """An operator who sees the alarm and deletes something."""
    with Client(events, control) as client:
        for update in client.follow():
            message = getattr(update, "message", None)
            if isinstance(message, AlarmMessage) and message.kind == "output disk full":
                told.append(message)
                ballast.unlink()
                return


def test_a_read_only_output_is_one_clear_error(acquire, mount):
    """Nothing is written, and the error names the folder and the remedy."""
    disk = mount(8)
    acquisition = acquire(run={"output": str(disk)})
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(SlicewatchError, match="rights") as caught:
        run_daemon(acquisition.config, follow=True)
    assert str(disk) in caught.value.where
    assert list(disk.iterdir()) == []
