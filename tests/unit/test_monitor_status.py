"""The status bar tells the truth loudly: assumptions, fall-backs, silence and missing files stand out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest

from daemon.items import FinishReason, RunState, ThicknessSource
from daemon.messages import HeartbeatMessage, RunMessage
from daemon.monitor import status
from daemon.monitor.feed import Feed
from daemon.monitor.status import Tone
from daemon.monitor.units import duration

RUN = RunMessage(
    state=RunState.WORKING,
    slices_done=12,
    slices_expected=316,
    thickness_source=ThicknessSource.RULER,
    target_thickness_nm=10.0,
    device="CUDA",
    provider="CUDAExecutionProvider",
    provider_wanted="CUDAExecutionProvider",
    usual_interval_s=564.0,
)


def _changed(**changes: object) -> RunMessage:
    facts = {name: getattr(RUN, name) for name in RUN.__struct_fields__}
    return RunMessage(**(facts | changes))


Case = tuple[Callable[[RunMessage], status.Status], RunMessage, str, Tone]
CASES: dict[str, Case] = {
    "progress": (status.progress, RUN, "12 of 316", Tone.PLAIN),
    "progress without a known end": (status.progress, _changed(slices_expected=0), "12", Tone.PLAIN),
    "gaps": (status.progress, _changed(gaps=2), "12 of 316, 2 gaps", Tone.WARN),
    "on the GPU": (status.compute, RUN, "CUDA", Tone.PLAIN),
    "fell back to the CPU": (
        status.compute,
        _changed(device="CPU", provider="CPUExecutionProvider"),
        "CPU, no GPU",
        Tone.WARN,
    ),
    "another GPU provider than the first choice": (
        status.compute,
        _changed(provider_wanted="TensorrtExecutionProvider"),
        "CUDA",
        Tone.PLAIN,
    ),
    "processor as configured": (
        status.compute,
        _changed(device="CPU", provider=status.CPU_PROVIDER, provider_wanted=status.CPU_PROVIDER),
        "CPU",
        Tone.PLAIN,
    ),
    "project by its folder": (status.project, _changed(project="/data/2026/HNPG 3/"), "HNPG 3", Tone.PLAIN),
    "project on Windows": (status.project, _changed(project="D:\\ASV\\HNPG 3"), "HNPG 3", Tone.PLAIN),
    "measured": (status.thickness, RUN, "ruler", Tone.PLAIN),
    "assumed": (
        status.thickness,
        _changed(thickness_source=ThicknessSource.TARGET),
        "ASSUMED 10 nm",
        Tone.WARN,
    ),
    "nothing measured yet": (
        status.thickness,
        _changed(slices_done=0, thickness_source=ThicknessSource.TARGET),
        "–",
        Tone.PLAIN,
    ),
    "estimated": (
        status.thickness,
        _changed(thickness_source=ThicknessSource.ASV),
        "microscope's estimate",
        Tone.WARN,
    ),
    "armed": (status.abort, _changed(armed=True), "ARMED", Tone.GOOD),
    "not armed": (status.abort, RUN, "not armed", Tone.PLAIN),
    "files lost": (status.ledger, _changed(ledger_balanced=False), "NOT ACCOUNTED FOR", Tone.BAD),
}


@pytest.mark.parametrize(("shown", "run", "value", "tone"), CASES.values(), ids=CASES.keys())
def test_each_field_in_its_words(
    shown: Callable[[RunMessage], status.Status], run: RunMessage, value: str, tone: Tone
) -> None:
    """Field by field: what is said and how it stands out."""
    told = shown(run)
    assert (told.value, told.tone) == (value, tone)


def test_a_microscope_that_has_stalled_stands_out() -> None:
    """Three usual intervals without an image are bad while the run goes on, not after its end."""
    assert status.last_image(RUN, 1691.0).tone is Tone.PLAIN
    late = status.last_image(RUN, 1695.0)
    assert (late.value, late.tone) == ("28 min 15 s ago, usual 9 min 24 s", Tone.BAD)
    assert status.last_image(_changed(state=RunState.FINISHED), 1695.0).tone is Tone.PLAIN
    assert status.last_image(RUN, math.nan).value == "–"


def test_the_time_left_is_what_the_run_s_own_pace_says() -> None:
    """304 slices of 564 s less what has passed of the one in hand; nobody knows without an end or a pace."""
    assert status.time_left(RUN, 64.0).value == duration(304 * 564.0 - 64.0)
    assert status.time_left(_changed(slices_expected=0), 64.0).value == "–"
    assert status.time_left(_changed(usual_interval_s=math.nan), 64.0).value == "–"
    assert status.time_left(_changed(state=RunState.FINISHED), 64.0).value == "none"


class Clock:
    """Seconds that pass when told to."""

    now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock at 100 s."""
    return Clock()


@pytest.fixture
def feed(clock: Clock) -> Iterator[Feed]:
    """A feed of nobody."""
    feed = Feed("ipc:///nobody/events", "ipc:///nobody/control", clock=clock)
    yield feed
    feed.close()


def test_silence_of_three_heartbeats_is_said(feed: Feed, clock: Clock) -> None:
    """Up to three beats nothing is said; beyond, bar and notice say that the daemon is unreachable."""
    feed.view.run = RUN
    feed.view.heartbeat = HeartbeatMessage(state=RunState.WORKING, interval_s=2.0)
    clock.now += 5.9
    assert (status.state(feed).value, status.notice(feed)) == ("running", "")
    clock.now += 0.2
    assert (status.state(feed).value, status.state(feed).tone) == ("daemon gone", Tone.BAD)
    assert f"No word from the daemon since {feed.last_word}, for 6 s" in status.notice(feed)


def test_silence_after_the_end_is_as_it_should_be(feed: Feed, clock: Clock) -> None:
    """A finished run stays shown as finished, with its reason."""
    feed.view.run = _changed(state=RunState.FINISHED, finish_reason=FinishReason.DRIFT_ABORT)
    clock.now += 1e6
    assert (status.state(feed).value, status.notice(feed)) == ("aborted: drift", "")


def test_before_any_daemon_the_page_says_where_it_looks(feed: Feed, clock: Clock) -> None:
    """It waits, and after a while names the endpoint that does not answer; that is no alarm."""
    assert [field.value for field in status.statuses(feed)] == ["waiting for a daemon"]
    clock.now += 60.0
    assert "ipc:///nobody/control" in status.notice(feed)
    assert status.state(feed).tone is Tone.WARN


def test_every_state_and_reason_has_words() -> None:
    """No enumeration value reaches the page as a code."""
    assert set(status.ENDS) == set(FinishReason)
    assert set(status.STATES) == set(RunState) - {RunState.FINISHED}
