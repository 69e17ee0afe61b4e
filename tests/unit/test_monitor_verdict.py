"""GOOD, LOOK or ACT: the gravest truth is told, and nothing else turns a page yellow or red."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from daemon.items import FinishReason, RunState, Status, ThicknessSource
from daemon.messages import (
    AlarmMessage,
    ChannelPlacement,
    DriftMessage,
    HeartbeatMessage,
    Message,
    RunMessage,
    SliceMessage,
    ThicknessMessage,
)
from daemon.monitor.feed import Feed
from daemon.monitor.verdict import SHAPES, Verdict, judge
from daemon.wire import SCHEMA, Envelope, Event

RUN = {
    "state": RunState.WORKING,
    "slices_done": 12,
    "slices_expected": 316,
    "thickness_source": ThicknessSource.RULER,
    "usual_interval_s": 60.0,
}


def run(**changes: object) -> RunMessage:
    """A run that goes well, but for the changes."""
    return RunMessage(**(RUN | changes))  # type: ignore[arg-type]


def alarm(kind: str, by: str = "") -> AlarmMessage:
    """An alarm of that kind."""
    return AlarmMessage(id=kind, kind=kind, slice_index=3, message="look here", acknowledged_by=by)


def drift(value: float) -> DriftMessage:
    """A statistic against a threshold of 1."""
    return DriftMessage(index=12, statistics={"thicker": value}, threshold=1.0)


def beat(age_s: float) -> HeartbeatMessage:
    """A sign of life with the newest image so old."""
    return HeartbeatMessage(state=RunState.WORKING, interval_s=1e9, last_image_age_s=age_s)


def placed(source: str) -> SliceMessage:
    """A slice with one image, registered on that."""
    shift = ChannelPlacement(0.0, 0.0, 0.1, 0.9, source)
    return SliceMessage(index=12, status=Status.PROVISIONAL, channels={"1kV": shift})


MEASURED = ThicknessMessage(
    index=12, depth_nm=1.0, thickness_nm=10.2, thickness_sigma_nm=0.1, source=ThicknessSource.RULER
)
CASES: dict[str, tuple[list[Message], Verdict, str]] = {
    "all is well": ([run(), beat(10.0), MEASURED, drift(0.3)], Verdict.GOOD, "10.20 ± 0.10 nm"),
    "completed": ([run(state=RunState.FINISHED)], Verdict.GOOD, "Completed: 12 slices"),
    "nothing yet": ([run(slices_done=0)], Verdict.GOOD, "waiting for the first"),
    "drift is near": ([run(), drift(0.8)], Verdict.LOOK, "80%"),
    "registration lost": ([run(), placed("lost")], Verdict.LOOK, "could not be registered: 1kV"),
    "registered": ([run(), placed("fiducial")], Verdict.GOOD, ""),
    "a gap": ([run(), alarm("slice gap")], Verdict.LOOK, "slice gap: look here"),
    "a gap, acknowledged": ([run(), alarm("slice gap", "Ada")], Verdict.GOOD, ""),
    "drift": ([run(), alarm("slice gap"), alarm("drift: thicker")], Verdict.ACT, "drift: thicker"),
    "standstill": ([run(), beat(200.0)], Verdict.ACT, "No image for 3 min 20 s"),
    "no standstill after the end": ([run(state=RunState.FINISHED), beat(200.0)], Verdict.GOOD, ""),
    "disk full": ([run(state=RunState.PAUSED, detail="disk full")], Verdict.ACT, "Paused: disk full"),
    "assumed": ([run(thickness_source=ThicknessSource.TARGET)], Verdict.LOOK, "assumed"),
    "files lost": ([run(ledger_balanced=False)], Verdict.LOOK, "Not every file"),
    "aborted": (
        [run(state=RunState.FINISHED, finish_reason=FinishReason.DRIFT_ABORT)],
        Verdict.ACT,
        "told to stop",
    ),
    "error": (
        [run(state=RunState.FINISHED, finish_reason=FinishReason.ERRORED, detail="disk gone")],
        Verdict.ACT,
        "disk gone",
    ),
    "stopped": ([run(state=RunState.FINISHED, finish_reason=FinishReason.STOPPED)], Verdict.LOOK, "goes on"),
}


@pytest.fixture
def feed() -> Iterator[Feed]:
    """A feed of nobody, whose clock stands still."""
    feed = Feed("ipc:///nobody/events", "ipc:///nobody/control", clock=lambda: 0.0)
    yield feed
    feed.close()


@pytest.mark.parametrize(("told", "verdict", "reason"), CASES.values(), ids=CASES.keys())
def test_the_gravest_truth_is_told(feed: Feed, told: list[Message], verdict: Verdict, reason: str) -> None:
    """Case by case: the verdict, and the words that say why."""
    for seq, message in enumerate(told, 1):
        feed.view.apply(Event(Envelope(SCHEMA, "r", 1, seq, datetime(2026, 3, 1, tzinfo=UTC)), message))
    judgement = judge(feed)
    assert judgement.verdict is verdict
    assert reason in judgement.reason


def test_silence_is_graver_than_a_warning() -> None:
    """A daemon that is gone is told first, with the time of its last word."""
    clock = itertools.count(0.0, 100.0)
    feed = Feed("ipc:///nobody/events", "ipc:///nobody/control", clock=lambda: next(clock))
    feed.view.run = run(ledger_balanced=False)
    judgement = judge(feed)
    feed.close()
    assert judgement.verdict is Verdict.ACT
    assert "No word from the daemon since" in judgement.reason


def test_before_any_daemon_nobody_is_called(feed: Feed) -> None:
    """No daemon yet is worth a look, no more."""
    assert judge(feed).verdict is Verdict.LOOK


def test_every_verdict_has_a_shape_of_its_own() -> None:
    """Who cannot tell the colours apart tells the shapes."""
    assert set(SHAPES) == set(Verdict)
    assert len(set(SHAPES.values())) == len(Verdict)
