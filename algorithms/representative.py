"""Is the volume large enough to speak for the material? A plain answer from the confidence bands.

A volume is representative for a figure when its sampling error is within a chosen tolerance (Kanit et al.,
Int. J. Solids Struct. 40, 3647 (2003)). The error of a mean over a stack falls with the root of its height
once that exceeds the structure's correlation length, which gives the number of planes that are missing.
"""

from dataclasses import dataclass
from math import ceil, isfinite

from algorithms.volume_figures import Estimate, MetricFigures

RELATIVE_TOLERANCE = 0.10
"""Of solid fraction and ligament diameter: the published methods differ from the truth by about as much."""

ANISOTROPY_TOLERANCE = 0.05
"""Of e_TPCF and e_D, which tell methods apart by steps of about 0.05 (SCIENCE §4 and §5)."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """A figure, the half-width of its 95 % band, and how wide that may be; both in the figure's unit."""

    name: str
    half_width: float
    tolerance: float

    @property
    def excess(self) -> float:
        """Half-width over tolerance; at most 1 is enough, NaN is unknown."""
        return self.half_width / self.tolerance if self.tolerance > 0.0 else float("nan")


@dataclass(frozen=True, slots=True)
class Verdict:
    """``is_enough``; the criteria that are not met; how many more planes would meet them, NaN if unknown."""

    is_enough: bool
    unmet: tuple[Criterion, ...]
    planes_missing: float


def judge_volume(current: MetricFigures) -> Verdict:
    """Whether the measured planes are enough.

    Directions can be compared only when the stack is as high as the longest lag, so a lower one never is.
    """
    unmet = tuple(one for one in criteria(current) if not one.excess <= 1.0)
    too_low = max(0, current.tpcf.shape[1] - current.planes)
    if not unmet:
        return Verdict(too_low == 0, (), too_low)
    if not all(isfinite(one.excess) for one in unmet):
        return Verdict(False, unmet, float("nan"))
    wanted = current.planes * max(one.excess for one in unmet) ** 2
    return Verdict(False, unmet, max(too_low, ceil(wanted - current.planes)))


def criteria(current: MetricFigures) -> tuple[Criterion, ...]:
    """What must be known well enough."""
    band = current.band_sigmas
    return (
        _relative("solid fraction", current.solid_fraction, band),
        _relative("ligament diameter", current.ligament_nm, band),
        Criterion("e TPCF", band * current.e_tpcf.sigma, ANISOTROPY_TOLERANCE),
        Criterion("e D", band * current.e_d.sigma, ANISOTROPY_TOLERANCE),
    )


def in_words(verdict: Verdict) -> str:
    """``yes``, or what is missing."""
    if verdict.is_enough:
        return "yes"
    reasons = ", ".join(f"{one.name} {_times(one.excess)}" for one in verdict.unmet)
    reasons = reasons or "lower than the longest lag"
    missing = verdict.planes_missing
    return f"not yet: {reasons}" + (f"; about {missing:.0f} planes more" if isfinite(missing) else "")


def _times(excess: float) -> str:
    return f"{excess:.1f} times too uncertain" if isfinite(excess) else "not known"


def _relative(name: str, estimate: Estimate, band: float) -> Criterion:
    return Criterion(name, band * estimate.sigma, RELATIVE_TOLERANCE * abs(estimate.value))
