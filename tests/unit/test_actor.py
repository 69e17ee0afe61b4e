"""Orders beside the loop: a stop is carried out once, and told if nobody hears of it."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime

import pytest

from daemon.abort.act import Means
from daemon.abort.actor import Actor, Done
from daemon.abort.emergency import Emergency
from daemon.abort.note import Note
from daemon.abort.orders import Order, Request
from daemon.config import FileAction
from daemon.errors import WireError
from daemon.inbox import INBOX_COMMANDS, Inbox
from daemon.items import Alarm
from daemon.requests import Abort, AnyCommand, Arm
from daemon.vitals import Vitals

CAUSE = Alarm("abort requested", 0, "Ada asked")
WAIT_S = 30.0


def stop(alarm: str = "") -> Order:
    return Order(Request.STOP, "run-1", alarm, CAUSE)


def reported(actor: Actor) -> list[object]:
    """All reports of a stop, once it is done."""
    for _ in range(int(WAIT_S / 0.05)):
        if any(isinstance(report, Done) for report in actor.reports()):
            break
        threading.Event().wait(0.05)
    return list(actor.reports())


def test_a_second_order_for_the_stop_joins_the_first(tmp_path):
    """However many ask: one file, written once, one report that it is done."""
    told: list[Order] = []
    means = Means([FileAction(kind="file", path=tmp_path / "STOP")])
    with closing(Actor(lambda order: told.append(order) or means, lambda *_: None, 0.0)) as actor:
        assert actor.begin(stop())
        assert not actor.begin(stop("7"))
        assert len(reported(actor)) == 2
        assert not actor.begin(stop())
    assert told == [stop()]


@pytest.mark.parametrize("is_heard", [True, False])
def test_a_stop_that_nobody_puts_on_record_is_told(tmp_path, is_heard):
    """The loop hangs: what came of the stop is told without it; else it tells it itself."""
    unheard: list[str] = []
    means = Means([FileAction(kind="file", path=tmp_path / "STOP")])
    actor = Actor(lambda _: means, lambda _, results: unheard.append(str(results[0].outcome)), 5.0 * is_heard)
    with closing(actor):
        actor.begin(stop())
        count = len(reported(actor))
        if is_heard:
            actor.recorded(count)
    assert unheard == ([] if is_heard else ["confirmed"])


@pytest.mark.skipif(os.name != "posix", reason="elsewhere descriptors are not limited")
def test_a_process_without_descriptors_still_stops_the_microscope(tmp_path):
    """Some are kept for it: every other is used up, and the file is written all the same."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    means = Means([FileAction(kind="file", path=tmp_path / "STOP")])
    with closing(Actor(lambda _: means, lambda *_: None, 0.0)) as actor, ExitStack() as taken:
        taken.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        with suppress(OSError):
            while True:
                taken.enter_context((tmp_path / "file").open("w"))
        with pytest.raises(OSError, match="Too many open files"):
            (tmp_path / "another").open("w")
        assert actor.begin(stop())
        assert len(reported(actor)) == 2
    assert "STOP" in (tmp_path / "STOP").read_text()


def test_an_abort_after_the_abort_is_refused_with_the_reason(tmp_path):
    """Every action has been tried: not ok, and where to look."""
    with closing(Actor(lambda _: Means([]), lambda *_: None, 0.0)) as actor:
        inbox = Inbox(Emergency("run-1", actor, Note(tmp_path / "note"), Vitals(datetime.now(UTC))).take)
        inbox.put(Abort(by="Ada"))
        reported(actor)
        while not actor.stop_is_done:
            threading.Event().wait(0.01)
        with pytest.raises(WireError, match="tried already") as caught:
            inbox.put(Abort(by="Bob"))
    assert "NOT CONFIRMED" in caught.value.remedy
    assert [command.by for command in inbox.drain()] == ["Ada"]


def test_a_full_inbox_takes_one_abort_and_a_closed_one_nothing():
    """A hundred other commands must not keep the microscope milling; a run that is over obeys nobody."""
    asked: list[AnyCommand] = []
    inbox = Inbox(asked.append)
    for _ in range(INBOX_COMMANDS):
        inbox.put(Arm(by="Ada"))
    inbox.put(Abort(by="Ada"))
    with pytest.raises(WireError, match="too many"):
        inbox.put(Abort(by="Ada"))
    inbox.drain()
    inbox.close()
    with pytest.raises(WireError, match="the run is over"):
        inbox.put(Abort(by="Ada"))
    assert [type(command) for command in asked].count(Abort) == 1


def test_commands_that_could_not_be_obeyed_wait_before_all_others():
    """In their order."""
    inbox = Inbox()
    for by in ("Ada", "Bob", "Cy"):
        inbox.put(Arm(by=by))
    taken = inbox.drain()
    inbox.put(Arm(by="Di"))
    inbox.put_back(taken[1:])
    assert [command.by for command in inbox.drain()] == ["Bob", "Cy", "Di"]
