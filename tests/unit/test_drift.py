"""The drift test: what alarms, what does not, and what it says about it."""

from dataclasses import replace

import numpy as np
import pytest

from algorithms.drift import DriftState, DriftVerdict, acknowledge, baseline_nm, start_drift, step
from daemon.config.processing import DriftSection
from daemon.stages.judging import begin_judging

MEAN, SIGMA = 10.16, 3.12
SHAPE = (MEAN / SIGMA) ** 2


def milling(rng: np.random.Generator, count: int, mean: float = MEAN, sigma: float = SIGMA) -> list[float]:
    shape = (mean / sigma) ** 2
    return list(rng.gamma(shape, mean / shape, count))


def run(
    state: DriftState, series: list[float], sigma_nm: float = 0.2
) -> tuple[DriftState, list[DriftVerdict]]:
    """The leading verdict on every slice."""
    verdicts = []
    for value in series:
        state, (verdict, *_) = step(state, value, sigma_nm)
        verdicts.append(verdict)
    return state, verdicts


def alarms(state: DriftState, series: list[float]) -> tuple[DriftState, list[set[str]]]:
    """The alarms that are on after every slice."""
    on = []
    for value in series:
        state, verdicts = step(state, value, 0.2)
        on.append({verdict.kind for verdict in verdicts if verdict.alarm})
    return state, on


@pytest.mark.parametrize(("factor", "kind"), [(1.6, "thicker"), (0.5, "thinner")])
def test_a_sustained_shift_alarms_with_its_direction(factor: float, kind: str) -> None:
    """A mean shift of about 2 σ is named with its direction within 15 slices of a short warm-up's end."""
    rng = np.random.default_rng(3)
    state, quiet = run(start_drift(warmup_slices=20, limits_nm=(0.0, 60.0)), milling(rng, 30))
    assert not any(verdict.alarm for verdict in quiet)
    _, loud = run(state, milling(rng, 15, MEAN * factor))
    first = next(verdict for verdict in loud if verdict.alarm)
    assert first.kind == kind
    assert first.evidence >= 1.0
    assert (first.measurement > first.limit) == (kind == "thicker")


def test_a_grown_spread_is_told_from_a_shift() -> None:
    """Twice the spread at the same mean raises the spread's alarm."""
    rng = np.random.default_rng(4)
    state, _ = run(start_drift(baseline_nm=(MEAN, 1.0), limits_nm=(0.0, 60.0)), milling(rng, 50, sigma=1.0))
    series = [MEAN + (2.2 if i % 2 else -2.2) for i in range(12)]  # alternating: no run to either side
    _, verdicts = run(state, series)
    first = next(verdict for verdict in verdicts if verdict.alarm)
    assert first.kind == "spread"
    assert first.measurement > first.limit


def test_one_slice_beyond_a_limit_alarms_at_once_even_in_the_warm_up() -> None:
    """A single slice outside the limits is a verdict of its own, with the limit it broke."""
    _, verdicts = run(start_drift(limits_nm=(2.0, 25.0)), [10.0, 9.0, 27.5, 1.0])
    assert [verdict.kind for verdict in verdicts[:2]] == ["warming up", "warming up"]
    assert [(v.kind, v.limit, v.alarm) for v in verdicts[2:]] == [("limit", 25.0, True), ("limit", 2.0, True)]


def test_a_wild_slice_is_not_evidence_of_something_sustained() -> None:
    """One slice of 60 nm breaks a limit but leaves the sustained charts below their thresholds."""
    rng = np.random.default_rng(5)
    state, _ = run(start_drift(baseline_nm=(MEAN, SIGMA)), milling(rng, 20))
    state, _ = step(state, 60.0, 0.2)
    assert [state.thicker.alarm, state.thinner.alarm, state.spread.alarm] == [False, False, False]


def test_an_unreadable_ruler_is_not_drift() -> None:
    """Missing thickness raises its own alarm after the allowed number and leaves the evidence alone."""
    rng = np.random.default_rng(6)
    state, _ = run(start_drift(unreadable_slices=3), milling(rng, 40))
    after, verdicts = run(state, [float("nan")] * 3)
    assert [(v.kind, v.alarm) for v in verdicts] == [
        ("unreadable", False),
        ("unreadable", False),
        ("unreadable", True),
    ]
    assert (after.thicker, after.thinner, after.spread) == (state.thicker, state.thinner, state.spread)
    assert step(after, MEAN, 0.2)[0].unreadable == 0


def test_an_alarm_ends_below_half_its_threshold_and_not_before() -> None:
    """Hysteresis: with good slices after a shift the alarm stays on until the evidence has halved."""
    state, _ = run(start_drift(baseline_nm=(MEAN, SIGMA)), [17.0] * 12)
    threshold = state.rules.thicker_threshold
    assert state.thicker.alarm
    while state.thicker.alarm:
        previous = state.thicker.evidence
        state, _ = step(state, MEAN - 1.0, 0.2)
    assert previous > 0.5 * threshold >= state.thicker.evidence


def test_the_baseline_is_the_mean_and_the_spread_of_the_slices() -> None:
    """The learned baseline (kept as cube roots) gives back mean and σ of gamma thickness within 3 %."""
    state, _ = run(start_drift(false_alarm_slices=1e7), milling(np.random.default_rng(7), 4000))
    mean, sigma = baseline_nm(state)
    assert mean == pytest.approx(MEAN, rel=0.03)
    assert sigma == pytest.approx(SIGMA, rel=0.05)


def test_a_slice_below_zero_is_very_thin_not_an_error() -> None:
    """Measurement noise can make a thickness negative; it counts as evidence for thinner."""
    for baseline in (None, (MEAN, SIGMA)):
        state = start_drift(baseline_nm=baseline, limits_nm=(-5.0, 25.0), warmup_slices=5)
        state, _ = run(state, [9.0, 10.0, 11.0, 12.0, 8.0, 10.0])
        assert step(state, -0.3, 0.2)[0].thinner.evidence > state.thinner.evidence


def test_an_uncertain_slice_has_a_lower_voice() -> None:
    """The same thick slice adds less evidence when its error is as large as the spread of the milling."""
    state = start_drift(baseline_nm=(MEAN, SIGMA))
    sure, unsure = step(state, 18.0, 0.1)[0], step(state, 18.0, SIGMA)[0]
    assert sure.thicker.evidence > unsure.thicker.evidence > 0.0


@pytest.mark.parametrize("baseline", [(MEAN, SIGMA), None], ids=["given", "learned"])
@pytest.mark.parametrize("slices", [1, 2, 6])
def test_a_mean_across_lost_slices_is_scored_as_what_it_is(
    slices: int, baseline: tuple[float, float] | None
) -> None:
    """Without a change its score is standard normal, as a single slice's is: the promise holds with gaps."""
    rng = np.random.default_rng(9)
    scores = []
    for _ in range(30):
        state, _ = run(start_drift(baseline_nm=baseline, false_alarm_slices=1e7), milling(rng, 40))
        for value in rng.gamma(SHAPE * slices, MEAN / SHAPE, 20) / slices:
            after, _ = step(replace(state, unpaired=float("nan")), float(value), 0.0, slices)
            scores.append(after.unpaired)
    spread = (
        0.12 if baseline else 0.25
    )  # a baseline of 40 slices is off by a sixth of σ: its 20 scores share it
    assert np.std(scores) == pytest.approx(1.0, abs=spread)
    assert np.mean(scores) == pytest.approx(0.0, abs=spread)


def test_a_mean_across_lost_slices_teaches_no_warm_up() -> None:
    """The baseline's spread is that of slices; a mean of four would make it too narrow."""
    state, _ = run(start_drift(), milling(np.random.default_rng(1), 10))
    after, (verdict, *_) = step(state, MEAN, 0.1, 4)
    assert (after.count, after.squares) == (state.count, state.squares)
    assert verdict.kind == "warming up"


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"warmup_slices": 2}, "warmup_slices"),
        ({"shift_sigma": 0.0}, "shift_sigma"),
        ({"false_alarm_slices": 1.0}, "false_alarm_slices"),
        ({"limits_nm": (5.0, 2.0)}, "limits_nm"),
        ({"baseline_nm": (10.0, 0.0)}, "baseline"),
        ({"baseline_nm": (float("inf"), 1.0)}, "baseline"),
        ({"baseline_nm": (10.0, float("nan"))}, "baseline"),
    ],
)
def test_a_promise_that_cannot_be_kept_is_refused(wrong: dict[str, object], name: str) -> None:
    """The error names the key."""
    with pytest.raises(ValueError, match=name):
        start_drift(**wrong)  # type: ignore[arg-type]


def test_a_shift_right_after_a_short_warm_up_is_not_learned_as_normal() -> None:
    """The shifted slices do not spoil the baseline: 1.5 σ thicker from the 21st slice on is still found."""
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        series = [*milling(rng, 20), *milling(rng, 60, MEAN + 1.5 * SIGMA)]
        _, on = alarms(start_drift(warmup_slices=20, limits_nm=(0.0, 60.0)), series)
        found += any("thicker" in kinds for kinds in on)
    assert found >= 9


SHIFTS = {"much thinner": (5.0, "thinner"), "much thicker": (16.0, "thicker")}
"""Mean thickness (nm) during the shift, and what it is told as."""


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("slices", [15, 30])
def test_a_learned_baseline_does_not_keep_the_drift_that_it_was_alarmed_about(
    shift: str, slices: int
) -> None:
    """After the shift healthy milling ends its alarm and raises no other one: the shifted slices, 20 slices
    into a run, are no part of the baseline. One false alarm in 25 runs of 200 slices is the promise."""
    mean, told = SHIFTS[shift]
    found, false, still_on = 0, 0, []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        start = start_drift(warmup_slices=20, limits_nm=(0.0, 60.0))
        state, before = alarms(start, [*milling(rng, 20), *(milling(rng, slices, mean))])
        if told not in before[-1]:
            continue
        found += 1
        state, after = alarms(state, milling(rng, 200))
        still_on.append(sum(told in kinds for kinds in after))
        false += any(kinds - {told} for kinds in after)
        assert baseline_nm(state)[0] == pytest.approx(MEAN, rel=0.2)
    assert found >= 6
    assert false <= 1
    assert np.median(still_on) <= 40


def test_the_slices_of_an_alarm_are_taken_out_of_the_baseline_exactly() -> None:
    """When the alarm rises, mean and σ are those of the slices before the change that it names, to rounding;
    while it is on nothing is learned, and when it ends learning goes on."""
    rng = np.random.default_rng(2)
    normal, shifted = milling(rng, 40), milling(rng, 40, 20.0)
    state, quiet = alarms(start_drift(limits_nm=(0.0, 60.0)), normal)
    assert not any(quiet)
    seen = list(normal)
    while not state.alarmed:
        seen.append(shifted[len(seen) - len(normal)])
        state, (verdict, *_) = step(state, seen[-1], 0.0)
    roots = np.cbrt(seen[: -verdict.slices])
    assert (state.count, state.recent.size) == (len(roots), 0)
    assert state.mean == pytest.approx(roots.mean(), rel=1e-3)  # the first shifted ones: at the score limit
    assert state.squares == pytest.approx(roots.var() * len(roots), rel=0.02)
    held, _ = alarms(state, shifted)
    assert (held.count, held.mean, held.squares) == (state.count, state.mean, state.squares)
    after, on = alarms(held, milling(rng, 60))
    assert "thicker" in on[0]
    assert not on[-1]
    assert held.count < after.count < held.count + 60


@pytest.mark.parametrize("baseline", [(MEAN, SIGMA), None], ids=["given", "learned"])
def test_an_alarm_does_not_outlast_its_cause(baseline: tuple[float, float] | None) -> None:
    """However strong and long the drift was, its evidence is kept only to one and a half thresholds."""
    rng = np.random.default_rng(1)
    start = start_drift(baseline_nm=baseline, limits_nm=(0.0, 60.0))
    state, _ = run(start, [*milling(rng, 40), *milling(rng, 200, 25.0)])
    assert state.thicker.evidence == pytest.approx(1.5 * state.rules.thicker_threshold)
    _, on = alarms(state, milling(rng, 60))
    assert on[0] == {"thicker"}
    assert not on[-1]


@pytest.mark.parametrize("baseline", [(MEAN, SIGMA), None], ids=["given", "learned"])
def test_an_alarm_that_was_seen_rises_again_if_its_cause_goes_on(
    baseline: tuple[float, float] | None,
) -> None:
    """Acknowledging forgets the evidence and keeps the baseline: usual slices then raise no alarm, drift that
    goes on raises another one, and an alarm that is not on has nothing to be forgotten."""
    rng = np.random.default_rng(8)
    start = start_drift(baseline_nm=baseline, limits_nm=(0.0, 60.0))
    state, _ = run(start, [*milling(rng, 60), *milling(rng, 15, 20.0)])
    assert state.thicker.alarm
    assert acknowledge(state, "thinner") == state
    carried_on = acknowledge(state, "thicker")
    assert baseline_nm(carried_on) == baseline_nm(state)
    assert not any(alarms(carried_on, milling(rng, 20))[1])
    again = alarms(carried_on, milling(rng, 15, 20.0))[1]
    assert not again[0]
    assert again[-1] == {"thicker"}


def test_every_alarm_that_is_on_has_its_own_verdict() -> None:
    """Slices of 30 nm break a limit and drift; alternating with 8 nm they scatter too: each alarm stands
    beside the others with a measurement, a limit and evidence of its own."""
    start = start_drift(baseline_nm=(MEAN, SIGMA), limits_nm=(2.0, 25.0))
    state, _ = run(start, [28.0] * 6)
    for value in (8.0, 30.0) * 8:
        state, verdicts = step(state, value, 0.2)
    kinds = [verdict.kind for verdict in verdicts]
    assert kinds[0] == "limit"
    assert sorted(kinds[1:]) == ["spread", "thicker"]
    assert all(
        np.isfinite([verdict.measurement, verdict.limit, verdict.evidence]).all() for verdict in verdicts
    )
    evidence = {verdict.kind: verdict.evidence for verdict in verdicts}
    assert evidence.pop("limit") == 1.0 + (30.0 - 25.0) / 0.2
    assert all(1.0 < own <= 1.5 for own in evidence.values())
    measured = {verdict.kind: (verdict.measurement, verdict.limit) for verdict in verdicts}
    assert measured["limit"] == (30.0, 25.0)
    assert MEAN < measured["thicker"][1] < measured["thicker"][0] < 30.0
    assert measured["spread"][0] > measured["spread"][1] > SIGMA


def test_a_thickness_of_unknown_error_is_unreadable() -> None:
    """It cannot be weighed: it neither stops the evidence for ever nor passes as steady."""
    for start in (start_drift(), start_drift(baseline_nm=(MEAN, SIGMA))):
        state, (verdict, *_) = step(start, 10.0, float("nan"))
        assert verdict.kind == "unreadable"
        assert (state.thicker, state.count) == (start.thicker, start.count)


@pytest.mark.parametrize("given", [(10.0, 0.1), (10.0, 0.01)])
def test_a_very_steady_baseline_has_thresholds_too(given: tuple[float, float]) -> None:
    """Where every threshold exceeds the promised run length, the lowest is taken, not an error raised."""
    state = start_drift(baseline_nm=given, shift_sigma=5.0, false_alarm_slices=50.0)
    _, verdicts = run(state, [10.0] * 20, 0.0)
    assert not any(verdict.alarm for verdict in verdicts)
    _, verdicts = run(state, [10.0 + 5.0 * given[1]] * 5, 0.0)
    assert verdicts[-1].kind == "thicker"


def test_the_baseline_of_an_earlier_run_replaces_the_warm_up() -> None:
    """``drift.baseline_nm`` judges from the first thickness on: a shift inside the warm-up is found, a run
    like the earlier one is not alarmed about, and without the key nothing is judged so early."""
    rng = np.random.default_rng(5)
    series = milling(rng, 15, MEAN + 2.0 * SIGMA)
    learned = begin_judging(DriftSection(limits_nm=(0.0, 60.0))).drift
    given = begin_judging(DriftSection(limits_nm=(0.0, 60.0), baseline_nm=(MEAN, SIGMA))).drift
    assert not any(alarms(learned, series)[1])
    assert "thicker" in alarms(given, series)[1][-1]
    assert not any(alarms(given, milling(rng, 100))[1])
