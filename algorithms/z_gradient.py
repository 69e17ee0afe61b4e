"""Pores by the gradient along z: what shines through changes gradually until the face cuts it.

After Salzer et al. [1]_, the ground of an empty pore comes nearer with every slice and its grey value drifts,
while solid material looks the same until its end, which is abrupt. So each pixel is followed along z both
ways until its grey value jumps, where another body begins: it is a pore where it drifts on the way, on both
sides, and where it is darker or brighter than any solid; what is left is told apart by a second signal. Every
slice needs its neighbours within :data:`REACH_SLICES` only.

.. [1] The approach that the multi-signal paper compares with (its §3.3 and reference 6, M. Salzer et al.);
   this is our own form of its idea.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from algorithms.filter_bank import smoothed

Floats = NDArray[np.floating]
Labels = NDArray[np.uint8]
PHASES = (0, 1, 2)
REACH_SLICES = 5
SMOOTHING_PX = 1.0
JUMP, STEEPEST = np.float32(0.05), np.float32(0.2)
"""Steps between slices, on the scale on which an image runs from 0 to 1: smaller ones than the first are no
jump, larger ones than the second always are. Of some tried, with the reach, those with which the rule fits
the annotated pixels of two electrodes of the ``forest`` benchmark best (2026-11-28)."""
CANDIDATES = 24
"""Values of a threshold that are tried at once."""
ROUNDS = 3
FIRST = (0.5, 0.75, 0.9, 0.97)
"""Quantiles of the solid's drift at which the search for thresholds begins."""


@dataclass(frozen=True, slots=True)
class GradientRule:
    """Pore: drift above ``drift``, or grey outside of ``darkest`` … ``brightest`` (first signal).

    Of the rest, binder where the second signal is below ``binder_below``.
    """

    drift: float
    darkest: float
    brightest: float
    binder_below: float


@dataclass(frozen=True, slots=True, eq=False)
class GradientEvidence:
    """Of each pixel: how far its grey value drifts until it jumps, on the steadier side of the slice, and
    grey of both signals; float32, one shape."""

    drift: Floats
    grey: Floats
    second: Floats


def gradient_evidence(window: Floats, second: Floats) -> GradientEvidence:
    """From the slices around one (2·REACH_SLICES + 1, y, x) and the second signal of its own (y, x)."""
    fine = np.stack([smoothed(plane, SMOOTHING_PX) for plane in window])
    before = _drifted(fine[REACH_SLICES::-1], fine[REACH_SLICES + 1])
    after = _drifted(fine[REACH_SLICES:], fine[REACH_SLICES - 1])
    drift = np.minimum(before, after)
    return GradientEvidence(drift, fine[REACH_SLICES], smoothed(second, SMOOTHING_PX))


def _drifted(way: Floats, behind: Floats) -> Floats:
    """How far grey values (n, y, x) get from the first until they jump; ``behind`` (y, x) lies on the other
    side of the first.

    A step is a jump if it is large and unlike the step before it: ground that comes up steeply takes many.
    """
    steps = np.diff(np.concatenate([behind[None], way]), axis=0)
    size, change = np.abs(steps[1:]), np.abs(np.diff(steps, axis=0))
    goes_on = (size < JUMP) | ((change < JUMP) & (size < STEEPEST))
    return (np.abs(way[1:] - way[0]) * np.logical_and.accumulate(goes_on, axis=0)).max(axis=0)


def straight_line(way: Floats) -> tuple[Floats, Floats]:
    """Slope of the straight line through values (n, …) one slice apart, and their rms distance from it."""
    z = np.arange(len(way), dtype=np.float32) - np.float32((len(way) - 1) / 2)
    slope = np.tensordot(z / (z @ z), way, axes=1)
    misfit = way - way.mean(axis=0) - z.reshape(-1, *([1] * (way.ndim - 1))) * slope
    return slope, np.sqrt(np.mean(misfit * misfit, axis=0))


def classify_by_gradient(evidence: GradientEvidence, rule: GradientRule) -> Labels:
    """0 pore, 1 active material, 2 binder: uint8 like the evidence."""
    grey = evidence.grey
    is_pore = (evidence.drift > rule.drift) | (grey < rule.darkest) | (grey > rule.brightest)
    solid = np.where(evidence.second < rule.binder_below, np.uint8(2), np.uint8(1))
    return np.where(is_pore, np.uint8(0), solid)


def fit_rule(evidence: GradientEvidence, labels: Labels) -> GradientRule:
    """The thresholds that misplace the fewest annotated pixels (n,), each phase counting alike.

    One threshold after the other, for each of several drifts to begin with. Raises ValueError unless each of
    the three phases has a pixel, and no other has.
    """
    if (said := np.unique(labels).tolist()) != list(PHASES):
        raise ValueError(
            f"z-gradient: labels of the phases {said}; label some pixels of each of 0 (pore), 1 (active "
            "material) and 2 (binder)"
        )
    grey, second = evidence.grey, evidence.second
    solid = labels != 0
    means = [float(second[labels == phase].mean()) for phase in (1, 2)]
    limits = (float(np.quantile(grey[solid], 0.05)), float(np.quantile(grey[solid], 0.95)))
    starts = [
        GradientRule(float(d), *limits, sum(means) / 2) for d in np.quantile(evidence.drift[solid], FIRST)
    ]
    fitted = [_descended(evidence, labels, start) for start in starts]
    return min(fitted, key=lambda one: _misplaced(classify_by_gradient(evidence, one), labels))


def _descended(evidence: GradientEvidence, labels: Labels, rule: GradientRule) -> GradientRule:
    sources = {
        "drift": evidence.drift,
        "darkest": evidence.grey,
        "brightest": evidence.grey,
        "binder_below": evidence.second,
    }
    for name, values in [*sources.items()] * ROUNDS:
        tries = np.quantile(values, np.linspace(0.01, 0.99, CANDIDATES))
        rules = [rule, *(replace(rule, **{name: float(value)}) for value in tries)]
        rule = min(rules, key=lambda one: _misplaced(classify_by_gradient(evidence, one), labels))
    return rule


def _misplaced(found: Labels, labels: Labels) -> float:
    """Mean over the phases of the share of their pixels that were given another."""
    return float(np.mean([np.mean(found[labels == phase] != phase) for phase in np.unique(labels)]))
