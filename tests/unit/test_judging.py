"""From verdicts to alarms: each with its own numbers, told once, and again when it was seen and goes on."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from daemon.codec import pack, unpack
from daemon.config.processing import DriftSection
from daemon.items import Alarm, ChannelShift, FoundFiducial, RegisteredSlice, Thickness, ThicknessSource
from daemon.journal import Journal, open_journal
from daemon.messages import alarm_message
from daemon.records import as_record
from daemon.stages.judging import JudgingState, begin_judging, is_sustained, judge, judge_registration

MEAN_NM, SIGMA_NM = 10.16, 3.12
SHAPE = (MEAN_NM / SIGMA_NM) ** 2
BASELINES = {"given": (MEAN_NM, SIGMA_NM), "learned": (0.0, 0.0)}


def slice_of(index: int, thickness_nm: float) -> Thickness:
    return Thickness(index, 0.0, 0.0, thickness_nm, 0.07, ThicknessSource.RULER, ("2kV",))


def milled(seed: int, count: int) -> list[float]:
    """Thickness (nm) of healthy slices."""
    return np.random.default_rng(seed).gamma(SHAPE, MEAN_NM / SHAPE, count).tolist()


def judged(state: JudgingState, series: list[float]) -> tuple[JudgingState, list[Alarm]]:
    """All alarms of a series that nobody looks at."""
    raised: list[Alarm] = []
    for index, thickness_nm in enumerate(series, start=1):
        state, _, alarms = judge(state, slice_of(index, thickness_nm), {})
        raised += alarms
    return state, raised


class Desk:
    """The journal of a run, as the loop uses it: alarms are numbered, and told again when they are seen."""

    def __init__(self, path) -> None:
        self._path, self._count = path, 0
        self.journal = self._opened()

    def _opened(self) -> Journal:
        return open_journal(self._path, {}, lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def reopen(self) -> None:
        self.journal.close()
        self.journal = self._opened()

    def tell(self, alarm: Alarm, by: str = "", number: int = 0) -> int:
        self._count += not number
        with self.journal.transaction():
            self.journal.append(as_record(alarm_message(str(number or self._count), alarm, by)))
        return number or self._count

    def judge(self, state: JudgingState, series: list[float]) -> tuple[JudgingState, list[tuple[int, Alarm]]]:
        """The sustained alarms of a series with their numbers."""
        raised: list[tuple[int, Alarm]] = []
        for index, thickness_nm in enumerate(series, start=1):
            state, _, alarms = judge(state, slice_of(index, thickness_nm), self.journal.latest("alarm"))
            raised += [(self.tell(alarm), alarm) for alarm in alarms if is_sustained(alarm)]
        return state, raised


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "journal.sqlite")
    yield desk
    desk.journal.close()


def test_two_alarms_that_rise_on_one_slice_have_their_own_numbers() -> None:
    """A drift alarm that rises on a slice beyond the limit may stop the microscope: it carries the mean, the
    limit and the evidence of the drift, not those of the slice."""
    _, raised = judged(begin_judging(DriftSection()), [*milled(0, 40), *[28.0] * 6])
    (drift,) = [alarm for alarm in raised if is_sustained(alarm)]
    (beside,) = [a for a in raised if a.slice_index == drift.slice_index and a is not drift]
    assert (drift.kind, beside.kind) == ("drift thicker", "thickness limit")
    assert (beside.measurement, beside.limit) == (28.0, 25.0)
    assert MEAN_NM < drift.limit < drift.measurement < 29.0
    assert 1.0 < drift.evidence["evidence"] <= 1.5 < beside.evidence["evidence"]
    assert f"{drift.measurement:.2f} nm on average" in drift.message


def test_every_alarm_of_a_wild_run_carries_measurement_limit_and_evidence() -> None:
    """Drift, growth of the spread and single slices together: none of them is told with NaN."""
    section = DriftSection(baseline_nm=BASELINES["given"])
    _, raised = judged(begin_judging(section), [*milled(1, 40), *[28.0] * 6, *(8.0, 30.0) * 10])
    assert {alarm.kind for alarm in raised} == {"drift thicker", "drift spread", "thickness limit"}
    assert all(np.isfinite([a.measurement, a.limit, a.evidence["evidence"]]).all() for a in raised)


def test_registration_lost_tells_how_badly() -> None:
    """Its measurement is how well the face was recognised, its limit the quality that was needed."""
    lost = ChannelShift(0.0, 0.0, 32.0, 0.07, "lost")
    registered = RegisteredSlice(7, {}, {"1kV": replace(lost, source="face", quality=0.6), "2kV": lost})
    state, (alarm,) = judge_registration(begin_judging(DriftSection()), registered)
    assert (alarm.kind, alarm.measurement, alarm.limit) == ("registration lost", 0.07, 0.15)
    assert dict(alarm.evidence) == {"2kV": 0.07}
    assert judge_registration(state, registered)[1] == ()


def test_fiducials_lost_is_told_once_with_its_numbers_and_again_after_their_return() -> None:
    """The face stands in, so nothing else is alarmed; the evidence is the best mark's quality by channel."""
    marks = tuple(FoundFiducial(0.0, 0.0, 60.0, 60.0, quality, used=False) for quality in (0.05, 0.12))
    face = ChannelShift(0.0, 0.0, 0.3, 0.7, "face", fiducials=marks)
    good = ChannelShift(0.0, 0.0, 0.02, 0.9, "fiducial")
    state, told = begin_judging(DriftSection()), list[Alarm]()
    for index, shift in enumerate([good, face, face, good, face], start=1):
        registered = RegisteredSlice(index, {}, {"1kV": shift, "2kV": good})
        state, alarms = judge_registration(state, registered)
        told += alarms
    assert [(alarm.kind, alarm.slice_index) for alarm in told] == [
        ("fiducials lost", 2),
        ("fiducials lost", 5),
    ]
    assert (told[0].measurement, told[0].limit, dict(told[0].evidence)) == (0.0, 1.0, {"1kV": 0.12})
    assert not is_sustained(told[0])


def test_a_run_without_fiducials_has_none_to_lose() -> None:
    """The face is what it registers on."""
    face = RegisteredSlice(1, {}, {"1kV": ChannelShift(0.0, 0.0, 0.3, 0.7, "face")})
    assert judge_registration(begin_judging(DriftSection()), face)[1] == ()


@pytest.mark.parametrize("baseline", BASELINES)
def test_healthy_milling_after_a_drift_is_not_told_as_the_opposite(baseline: str) -> None:
    """Thirty slices of half the thickness, found and mended: the run goes on without a second alarm, which an
    armed daemon would stop it for."""
    series = [*milled(5, 20), *(0.5 * nm for nm in milled(6, 30)), *milled(7, 150)]
    _, raised = judged(begin_judging(DriftSection(baseline_nm=BASELINES[baseline])), series)
    assert [alarm.kind for alarm in raised if is_sustained(alarm)] == ["drift thinner"]


@pytest.mark.parametrize("baseline", BASELINES)
def test_an_alarm_that_was_seen_is_told_again_if_the_drift_goes_on(desk, baseline: str) -> None:
    """Told once while nobody looks; seen, with the drift going on, told under a new number; seen with the
    drift mended, not told again. Acknowledging the same alarm twice changes nothing."""
    start = begin_judging(DriftSection(baseline_nm=BASELINES[baseline], limits_nm=(0.0, 60.0)))
    state, ((number, alarm),) = desk.judge(start, [*milled(3, 60), *[20.0] * 20])
    assert alarm.kind == "drift thicker"
    desk.tell(alarm, "Ada", number)
    state, ((second, again),) = desk.judge(state, [20.0] * 20)
    assert (again.kind, second > number) == ("drift thicker", True)
    desk.tell(alarm, "Ada", number)
    assert desk.judge(state, [20.0])[0].active == ("thicker",)
    desk.tell(again, "Ada", second)
    state, raised = desk.judge(state, milled(4, 100))
    assert (raised, state.active) == ([], ())


def test_acknowledging_the_announced_abort_is_seeing_its_drift(desk) -> None:
    """An abort that was announced before the drift rose speaks of another one."""
    pending = Alarm("abort pending", 1, "the microscope is stopped in 60 s")
    start = begin_judging(DriftSection(baseline_nm=BASELINES["given"], limits_nm=(0.0, 60.0)))
    desk.tell(pending, "Ada")
    state, raised = desk.judge(start, [20.0] * 20)
    assert len(raised) == 1
    assert desk.judge(state, [20.0])[0].active == ("thicker",)
    desk.tell(pending, "Ada")
    assert desk.judge(state, [20.0])[0].active == ()


@pytest.mark.parametrize("baseline", BASELINES)
def test_a_restart_judges_like_the_daemon_that_went_on(desk, baseline: str) -> None:
    """The state after an alarm, stored and read back, and the acknowledgement in the journal lead to the very
    same state and alarms, whether or not the daemon was killed in between."""
    start = begin_judging(DriftSection(baseline_nm=BASELINES[baseline], limits_nm=(0.0, 60.0)))
    state, ((number, alarm),) = desk.judge(start, [*milled(3, 60), *[20.0] * 20])
    desk.tell(alarm, "Ada", number)
    stored = pack(state)
    rest = [*[20.0] * 5, *milled(4, 30)]
    going_on, told = judged_with(desk, state, rest)
    desk.reopen()
    restarted, told_again = judged_with(desk, unpack(JudgingState, stored), rest)
    assert pack(restarted) == pack(going_on)
    assert told_again == told
    assert not math.isnan(going_on.drift.thicker.evidence)


def judged_with(desk, state: JudgingState, series: list[float]) -> tuple[JudgingState, list[Alarm]]:
    """Alarms of a series with the journal as it is."""
    raised: list[Alarm] = []
    for index, thickness_nm in enumerate(series, start=1):
        state, _, alarms = judge(state, slice_of(index, thickness_nm), desk.journal.latest("alarm"))
        raised += alarms
    return state, raised
