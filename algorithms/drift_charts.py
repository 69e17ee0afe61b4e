"""The evidence behind the drift test: three charts, fed slice by slice, with a given or a learned baseline.

Every slice becomes a *score* that is standard normal as long as nothing changes:

- with a given baseline, the normal quantile of its probability under the baseline's gamma distribution;
- with a learned one, from the slices before it: the cube root of a gamma variable is normal to within a few
  thousandths (Wilson & Hilferty, *PNAS* 17 (1931) 684), so the new cube root against the mean and the scatter
  of the earlier ones is Student's t, exactly and independently for every slice, however short the warm-up
  (Quesenberry, *J. Quality Technology* 23 (1991) 213).

A shift of the mean is a CUSUM (Page, *Biometrika* 41 (1954) 100) of the scores' gamma log-likelihood ratio
when the baseline is given. When it is learned, the Shiryaev–Roberts statistic of
:mod:`algorithms.change_point` takes its place: a CUSUM would teach the shifted slices to its own baseline
and often miss the change. Growth of the spread is a CUSUM of the differences within pairs of slices, which a
shift of the mean leaves as they are.

A learned baseline must not keep the slices that it was alarmed about, or healthy milling would look wrong
after them. So when an alarm rises, the slices since the likeliest moment of the change are taken out of it,
and it is *held*: nothing is learned, and CUSUMs judge against it as against a given one, until the evidence
has fallen to half its threshold or somebody has seen the alarm. Then learning goes on. Until the first alarm
none of this happens, so the promised run length is untouched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from algorithms.change_point import change_ratios
from algorithms.run_length import SCORE_LIMIT, gamma_score, shift_evidence, spread_evidence

Array: TypeAlias = NDArray[np.float64]

SPREAD_GROWTH = 1.5
WINDOW = 120
"""A change that began longer ago than this many slices is no longer looked for with a learned baseline."""
_RELEASE = 0.5  # an alarm ends when its evidence has fallen to this part of its threshold
_CEILING = 1.5  # evidence beyond this many thresholds is not kept, or an alarm would outlast its cause


@dataclass(frozen=True, slots=True)
class DriftRules:
    """What is promised and what is watched for. Thresholds are log-likelihood ratios, ``root_shifts`` the
    smallest change up and down in standard deviations of the cube roots."""

    warmup_slices: int
    shift_sigma: float
    false_alarm_slices: float
    limits_nm: tuple[float, float]
    unreadable_slices: int
    shape: float
    root_shifts: tuple[float, float]
    thicker_threshold: float
    thinner_threshold: float
    spread_threshold: float


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart: log-likelihood ratio, the slices it rests on, their mean thickness (nm; spread: mean squared
    score difference, halved) and whether its alarm is on."""

    evidence: float = 0.0
    slices: int = 0
    average: float = 0.0
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class DriftState:
    """Everything the test remembers.

    ``given_*`` (nm) are NaN when the baseline is learned. ``count``, ``mean``, ``squares`` are those of the
    cube roots of all slices learned, ``recent`` the newest of these roots that came after the warm-up and the
    last alarm; ``unpaired`` is the score that waits for its partner, NaN if none does.
    """

    rules: DriftRules
    given_mean_nm: float
    given_sigma_nm: float
    recent: Array
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    thicker: Chart = Chart()
    thinner: Chart = Chart()
    spread: Chart = Chart()
    unpaired: float = float("nan")
    unreadable: int = 0

    @property
    def warm(self) -> bool:
        """Whether there is a baseline to judge by."""
        learned = self.count >= self.rules.warmup_slices and self.squares > 0.0
        return learned or np.isfinite(self.given_mean_nm)

    @property
    def alarmed(self) -> bool:
        """Whether a sustained alarm is on; a learned baseline is then held."""
        return self.thicker.alarm or self.thinner.alarm or self.spread.alarm


def baseline_nm(state: DriftState) -> tuple[float, float]:
    """Mean and σ (nm) of the baseline; NaN before two slices are learned."""
    if np.isfinite(state.given_mean_nm):
        return state.given_mean_nm, state.given_sigma_nm
    if state.count < 2:
        return float("nan"), float("nan")
    variance = state.squares / (state.count - 1)
    return cube_moments(state.mean, variance)


def cube_moments(mean: float, variance: float) -> tuple[float, float]:
    """Mean and standard deviation of the cube of a normal variable."""
    m, v = mean, variance
    return m**3 + 3.0 * m * v, float(np.sqrt(9.0 * m**4 * v + 36.0 * m**2 * v**2 + 15.0 * v**3))


def judge_given(
    state: DriftState, thickness_nm: float, sigma_nm: float, mean_of_slices: int = 1
) -> DriftState:
    """Feed the charts with a slice, against a baseline that is known.

    An uncertain measurement speaks with a lower voice: its score shrinks by milling's share in its scatter.
    The mean of k slices scatters √k times less: scored so, it is one more standard normal score.
    """
    mean, sigma = state.given_mean_nm, state.given_sigma_nm / float(np.sqrt(mean_of_slices))
    score = gamma_score(thickness_nm, mean, sigma) * sigma / float(np.hypot(sigma, sigma_nm))
    rules, at = state.rules, np.array([score])
    up = float(shift_evidence(at, rules.shape, rules.shift_sigma)[0])
    down = float(shift_evidence(at, rules.shape, -rules.shift_sigma)[0])
    return replace(
        _pair(state, score),
        thicker=_add(state.thicker, up, rules.thicker_threshold, thickness_nm),
        thinner=_add(state.thinner, down, rules.thinner_threshold, thickness_nm),
    )


def judge_learned(
    state: DriftState, thickness_nm: float, sigma_nm: float, mean_of_slices: int = 1
) -> DriftState:
    """Feed the charts with a slice, against the slices before it, and learn it unless an alarm is on.

    A wild slice is learned as one at the score limit: otherwise it alone would be evidence of a change. The
    mean of k slices scatters √k times less; it is learned as the one slice that would be as unusual.
    """
    student = _student(state, thickness_nm, sigma_nm, mean_of_slices)
    score = float(np.clip(ndtri(stdtr(state.count - 1, student)), -SCORE_LIMIT, SCORE_LIMIT))
    paired = _pair(state, score)
    if state.alarmed:
        return released(_held(paired, score, thickness_nm))
    single = float(np.sqrt(state.squares / (state.count - 1) * (1.0 + 1.0 / state.count)))
    root = state.mean + float(np.clip(student, -SCORE_LIMIT, SCORE_LIMIT)) * single
    after = replace(learn(paired, root), recent=np.append(state.recent, root)[-WINDOW:])
    up, down = after.rules.root_shifts
    after = replace(
        after,
        thicker=_changed(after, up, after.rules.thicker_threshold),
        thinner=_changed(after, down, after.rules.thinner_threshold),
    )
    return _rolled_back(after) if after.alarmed else after


def _student(state: DriftState, thickness_nm: float, sigma_nm: float, slices: int) -> float:
    """A slice, or the mean of several, against the learned roots: Student's t with count - 1 degrees of
    freedom, smaller for an uncertain measurement."""
    variance = state.squares / (state.count - 1)
    mean, sigma = baseline_nm(state)
    deviation = float(np.sqrt(variance * (1.0 / slices + 1.0 / state.count)))
    voice = sigma / float(np.hypot(sigma, sigma_nm * np.sqrt(slices)))
    return (_root(thickness_nm, mean, sigma, slices) - state.mean) / deviation * voice


def _held(state: DriftState, score: float, thickness_nm: float) -> DriftState:
    """Feed CUSUMs of the score's normal log-likelihood ratio, which start from the evidence of the alarm."""
    rules = state.rules
    up, down = (shift * score - 0.5 * shift**2 for shift in rules.root_shifts)
    return replace(
        state,
        thicker=_add(state.thicker, up, rules.thicker_threshold, thickness_nm),
        thinner=_add(state.thinner, down, rules.thinner_threshold, thickness_nm),
    )


def released(state: DriftState) -> DriftState:
    """Once no alarm is on, a held baseline learns again; evidence of a shift comes from the slices after."""
    return state if state.alarmed else replace(state, thicker=Chart(), thinner=Chart())


def _rolled_back(state: DriftState) -> DriftState:
    """Take the slices on which an alarm rests out of the baseline: the moments of the others are exact."""
    slices = max(chart.slices for chart in (state.thicker, state.thinner, state.spread) if chart.alarm)
    out = state.recent[-slices:]
    count = state.count - out.size
    mean = (state.count * state.mean - float(out.sum())) / count
    between = (float(out.mean()) - mean) ** 2 * count * out.size / state.count
    squares = state.squares - float(np.sum((out - out.mean()) ** 2)) - between
    return replace(state, count=count, mean=mean, squares=squares, recent=np.empty(0))


def _root(thickness_nm: float, mean_nm: float, sigma_nm: float, slices: int) -> float:
    """Cube root of a thickness; of a mean, brought to the mean of the cube roots of single slices.

    The cube root of a gamma variable of shape a has the mean ``∛a·(1 - 1/9a)`` (Wilson & Hilferty).
    """
    inverse = (sigma_nm / mean_nm) ** 2 / 9.0
    return float(np.cbrt(thickness_nm)) * (1.0 - inverse) / (1.0 - inverse / slices)


def learn(state: DriftState, root: float) -> DriftState:
    """Welford's update of the mean and the squared deviations of the cube roots."""
    count = state.count + 1
    mean = state.mean + (root - state.mean) / count
    squares = state.squares + (root - state.mean) * (root - mean)
    return replace(state, count=count, mean=mean, squares=squares)


def _changed(state: DriftState, shift: float, threshold: float) -> Chart:
    """The Shiryaev–Roberts statistic, and the mean thickness since the likeliest moment of the change."""
    ratios = change_ratios(state.recent, state.count, np.array(state.mean), np.array(state.squares), shift)
    evidence = float(np.logaddexp.reduce(np.append(ratios, 0.0)))
    start = int(np.argmax(ratios))
    since = state.recent[start:]
    return _chart(Chart(), evidence, threshold, since.size, float(np.mean(since**3)))


def _pair(state: DriftState, score: float) -> DriftState:
    """Feed the spread's chart with every second slice's difference from the one before it."""
    if not np.isfinite(state.unpaired):
        return replace(state, unpaired=score)
    difference = (score - state.unpaired) / float(np.sqrt(2.0))
    increment = float(spread_evidence(np.array([difference]), SPREAD_GROWTH)[0])
    spread = _add(state.spread, increment, state.rules.spread_threshold, difference**2, slices=2)
    return replace(state, spread=spread, unpaired=float("nan"))


def _add(chart: Chart, increment: float, threshold: float, amount: float, slices: int = 1) -> Chart:
    """Page's CUSUM; at 0 the chart starts afresh. ``amount`` is averaged over the slices."""
    evidence = max(chart.evidence + increment, 0.0)
    if evidence == 0.0:
        return Chart()
    total = chart.slices + slices
    average = chart.average + (amount - chart.average) * slices / total
    return _chart(chart, evidence, threshold, total, average)


def _chart(before: Chart, evidence: float, threshold: float, slices: int, average: float) -> Chart:
    alarm = evidence > threshold or (before.alarm and evidence > _RELEASE * threshold)
    return Chart(min(evidence, _CEILING * threshold), slices, average, alarm)
