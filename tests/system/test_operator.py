"""What an operator asks for over the wire happens, is told to everybody, and is kept with a name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from daemon.client import Client
from daemon.config import load
from daemon.journal_bodies import read_records
from daemon.messages import Message
from daemon.service import run_daemon

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def messages(client: Client) -> Iterator[Message]:
    """Every message that a client is told, snapshot included."""
    for update in client.follow():
        for event in getattr(update, "events", [update]):
            if hasattr(event, "message"):
                yield event.message


def alongside(config, act: Callable[[Client], None]) -> int:
    """Run the daemon with an operator beside it; its exit code."""
    publish = load(config).publish

    def operate() -> None:
        with Client(publish.events, publish.control) as client:
            act(client)

    operator = threading.Thread(target=operate)
    operator.start()
    code = run_daemon(config, follow=True)
    operator.join()
    return code


def test_acknowledging_arming_and_aborting(acquire):
    """An alarm is acknowledged by name, arming shows, an abort without actions is loudly not confirmed."""
    acquisition = acquire(faults=("corrupt@2",), run={"missing_after_s": 0.5})
    armed: list[bool] = []

    def operate(client: Client) -> None:
        for message in messages(client):
            if message.topic == "alarm" and not message.acknowledged_by and not armed:
                client.acknowledge(message.id, "Ada")
                client.arm("Ada")
            if message.topic == "run" and message.armed and not armed:
                armed.append(True)
                client.abort("Ada", "the sample has moved")
            if message.topic == "run" and message.finish_reason is not None:
                return

    assert alongside(acquisition.config, operate) == 3
    assert armed == [True]
    _, alarms = read_records(acquisition.outputs.journal, "alarm")
    assert any(alarm["acknowledged_by"] == "Ada" for alarm in alarms)
    (last,) = [alarm for alarm in alarms if alarm["kind"].startswith("abort")]
    assert last["kind"] == "abort NOT CONFIRMED"
    assert "by hand" in last["remedy"]


@pytest.mark.long
def test_a_late_client_is_told_everything(acquire):
    """Whoever connects at the end still gets every slice, thickness and plane of the run."""
    acquisition = acquire()
    seen: dict[str, set[int]] = {"slice": set(), "thickness": set(), "metrics": set()}

    def operate(client: Client) -> None:
        for message in messages(client):
            if message.topic == "slice" and message.index == 6:
                break
        publish = load(acquisition.config).publish
        with Client(publish.events, publish.control) as late:
            for message in messages(late):
                if message.topic in seen:
                    seen[message.topic].add(message.key)
                if message.topic == "run" and message.finish_reason is not None:
                    return

    assert alongside(acquisition.config, operate) == 0
    assert seen["slice"] == seen["thickness"] == set(range(1, 8))
    assert seen["metrics"] == set(range(max(seen["metrics"]) + 1))
