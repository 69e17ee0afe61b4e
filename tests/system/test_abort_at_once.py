"""An operator's abort is carried out within seconds whatever the loop does, or refused with the reason.

A disk that is full before the loop has noticed, a slice that hangs, a daemon that is killed over it, a run
that is finishing, a run that is over.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.client import Client
from daemon.config import load
from daemon.errors import WireError
from daemon.items import RunState
from daemon.journal_bodies import read_records
from daemon.messages import AlarmMessage, HeartbeatMessage, Message, RunMessage
from daemon.outlet import Outlet
from daemon.runner import Runner
from daemon.service import run_daemon
from daemon.stages import segmenting
from tests.system.conftest import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WITHIN_S = 10.0
FEW = replace(SMALL, slices=3)
ENDS = ("abort confirmed", "abort NOT CONFIRMED")


class Operator:
    """Somebody at another computer; ``failed`` is what went wrong there."""

    def __init__(self, config: Path, act: Callable[[Client], None]) -> None:
        self._publish = load(config).publish
        self._act = act
        self.failed: BaseException | None = None
        self._thread = threading.Thread(target=self._operate, daemon=True)
        self._thread.start()

    def _operate(self) -> None:
        try:
            with Client(self._publish.events, self._publish.control, timeout_s=60.0) as client:
                self._act(client)
        except BaseException as error:
            self.failed = error

    def join(self) -> None:
        """Wait for the end, and raise what went wrong."""
        self._thread.join(60.0)
        if self.failed is not None:
            raise self.failed


def messages(client: Client) -> Iterator[Message]:
    """Every message that a client is told, snapshot included."""
    for update in client.follow():
        for event in getattr(update, "events", [update]):
            if hasattr(event, "message"):
                yield event.message


def until_state(client: Client, state: RunState) -> None:
    """Listen until the run is in a state."""
    next(m for m in messages(client) if isinstance(m, RunMessage) and m.state == state)


def until_idle(client: Client) -> None:
    """Listen until every slice is done and nothing is left to write."""
    told = messages(client)
    next(m for m in told if isinstance(m, RunMessage) and m.slices_done == FEW.slices)
    next(m for m in told if isinstance(m, HeartbeatMessage) and m.state == RunState.WAITING)
    next(m for m in told if isinstance(m, HeartbeatMessage))


def appears(path: Path) -> bool:
    """Whether a file is there within seconds."""
    until_s = time.monotonic() + WITHIN_S
    while not path.exists() and time.monotonic() < until_s:
        threading.Event().wait(0.02)
    return path.exists()


def audited(acquisition, command: str) -> list[dict[str, object]]:
    """The latest entry of the audit log, if it is of that command."""
    return [row for row in read_records(acquisition.outputs.journal, "audit")[1] if row["command"] == command]


def kinds(acquisition) -> list[str]:
    """The alarms of a run on record, in order."""
    return [alarm["kind"] for alarm in read_records(acquisition.outputs.journal, "alarm")[1]]


def fill(ballast: Path) -> None:
    """Write until nothing more fits."""
    descriptor = os.open(ballast, os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(descriptor, bytes(4096))
    except OSError:
        os.close(descriptor)


def stopping_at(sentinel: Path) -> dict[str, object]:
    """[abort] with one action."""
    return {"actions": [{"kind": "file", "path": str(sentinel)}]}


def test_a_disk_that_has_run_full_unnoticed_does_not_delay_it(acquire, mount, tmp_path):
    """The loop waits for images and has nothing to write; the abort acts, and goes on record later."""
    disk, sentinel = mount(60), tmp_path / "STOP"
    acquisition = acquire(
        FEW, run={"output": str(disk / "output"), "expected_slices": 20}, abort=stopping_at(sentinel)
    )
    told: list[str] = []

    def operate(client: Client) -> None:
        until_idle(client)
        fill(disk / "ballast")
        client.abort("Ada", "the sample has moved")
        assert appears(sentinel)
        told.append(next(m.kind for m in messages(client) if isinstance(m, AlarmMessage) and m.kind in ENDS))
        (disk / "ballast").unlink()

    operator = Operator(acquisition.config, operate)
    assert run_daemon(acquisition.config, follow=True) == 3
    operator.join()
    assert told == ["abort confirmed"]
    assert [kind for kind in kinds(acquisition) if kind in ENDS] == ["abort confirmed"]
    assert not (acquisition.outputs.folder / "abort-asked.json").exists()


@contextmanager
def held(monkeypatch, owner: object, name: str) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A function that hangs, as in a driver: whether it was called, and what lets it go."""
    called, let_go = threading.Event(), threading.Event()
    original = getattr(owner, name)

    def hang(*args: object, **given: object) -> object:
        called.set()
        let_go.wait(60.0)
        return original(*args, **given)

    monkeypatch.setattr(owner, name, hang)
    yield called, let_go
    let_go.set()


def test_a_slice_that_hangs_does_not_delay_it(acquire, monkeypatch, tmp_path):
    """The network does not come back; the stop, the heartbeat and the alarm do not wait for it."""
    sentinel = tmp_path / "STOP"
    acquisition = acquire(FEW, abort=stopping_at(sentinel))
    with held(monkeypatch, segmenting, "classify") as (hangs, let_go):

        def operate(client: Client) -> None:
            assert hangs.wait(60.0)
            client.abort("Ada", "now")
            assert appears(sentinel)
            seen: set[str] = set()
            for message in messages(client):
                if isinstance(message, HeartbeatMessage) and message.escalation.stage == "aborting":
                    seen.add("heartbeat")
                if isinstance(message, AlarmMessage) and message.kind == "abort confirmed":
                    seen.add("alarm")
                if len(seen) == 2:
                    break
            let_go.set()

        operator = Operator(acquisition.config, operate)
        assert run_daemon(acquisition.config, follow=True) == 3
        operator.join()
    assert [kind for kind in kinds(acquisition) if kind in ENDS] == ["abort confirmed"]


HANGING = """
import sys, threading
from pathlib import Path
from daemon.stages import segmenting
segmenting.classify = lambda *_: threading.Event().wait()
from daemon.service import run_daemon
run_daemon(Path(sys.argv[1]), follow=True)
"""


def test_a_daemon_killed_over_a_hung_slice_still_knows_of_it(acquire, tmp_path):
    """Abort, kill -9 (as by systemd's watchdog): the next start repeats the order, records it, exits 3."""
    sentinel = tmp_path / "STOP"
    acquisition = acquire(FEW, abort=stopping_at(sentinel))
    publish = load(acquisition.config).publish
    command = [sys.executable, "-c", HANGING, str(acquisition.config)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
        try:
            with Client(publish.events, publish.control, timeout_s=60.0) as client:
                until_state(client, RunState.WORKING)
                client.abort("Ada", "now")
            assert appears(sentinel)
            assert appears(acquisition.outputs.folder / "abort-asked.json")
        finally:
            daemon.kill()
    first = json.loads(sentinel.read_text())
    sentinel.unlink()
    assert run_daemon(acquisition.config, follow=True) == 3
    assert json.loads(sentinel.read_text())["order"] == first["order"]
    assert "abort confirmed" in kinds(acquisition)
    assert not (acquisition.outputs.folder / "abort-asked.json").exists()


@pytest.mark.long
def test_a_run_that_is_finishing_still_aborts(acquire, monkeypatch, tmp_path):
    """The last faces take minutes on a slow computer, and the microscope may mill on meanwhile."""
    sentinel = tmp_path / "STOP"
    acquisition = acquire(FEW, abort=stopping_at(sentinel))
    with held(monkeypatch, Runner, "_close") as (_, let_go):

        def operate(client: Client) -> None:
            until_state(client, RunState.FINISHING)
            client.abort("Ada", "now")
            assert appears(sentinel)
            let_go.set()

        operator = Operator(acquisition.config, operate)
        assert run_daemon(acquisition.config, follow=True) == 3
        operator.join()
    assert "abort confirmed" in kinds(acquisition)


def test_a_run_that_is_over_refuses_with_the_reason(acquire, monkeypatch, tmp_path):
    """Nobody would read the command any more: not ok, nothing done, and how to stop the microscope."""
    sentinel = tmp_path / "STOP"
    acquisition = acquire(FEW, abort=stopping_at(sentinel))
    refused: list[str] = []
    with held(monkeypatch, Outlet, "finish") as (called, let_go):

        def operate(client: Client) -> None:
            assert called.wait(60.0)
            with pytest.raises(WireError, match="the run is over") as caught:
                client.abort("Ada", "now")
            refused.append(caught.value.remedy)
            let_go.set()

        operator = Operator(acquisition.config, operate)
        assert run_daemon(acquisition.config, follow=True) == 0
        operator.join()
    assert "its own controls" in refused[0]
    assert not sentinel.exists()
