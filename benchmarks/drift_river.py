"""river's drift detectors on the same series as ours, each with its own defaults: none promises a run length.

Page–Hinkley's threshold can be chosen for one, so it is also run with that threshold, found by simulation,
and with half the shift as its allowance: what somebody who knows the milling would set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import drift

Array = NDArray[np.float64]
Make = Callable[[], Any]
"""Makes a fresh detector: river's learn in place."""

DETECTORS: dict[str, Make] = {"PageHinkley": drift.PageHinkley, "ADWIN": drift.ADWIN, "KSWIN": drift.KSWIN}
_FINER = 1.15
"""Steps in which the threshold is raised until the run length is kept."""


def compared(
    calm: Array, changed: Array, before: int, promise: float, allowance: float
) -> Iterator[tuple[str, float, float]]:
    """Name, mean run length on ``calm`` (runs, n), and mean delay on ``changed``, for every detector.

    In ``changed`` (runs, m) the mean shifts after ``before`` slices; a detector that has alarmed already is
    not asked again. Run length: slices followed per false alarm, infinite if there was none.
    """
    for name, make in DETECTORS.items():
        yield name, run_length(make, calm), mean_delay(make, changed, before)
    tuned = tuned_page_hinkley(calm, promise, allowance)
    yield "PageHinkley_tuned", run_length(tuned, calm), mean_delay(tuned, changed, before)


def run_length(make: Make, calm: Array) -> float:
    """Slices followed per false alarm; a run ends with its first."""
    found = np.array([_first_alarm(make(), row) for row in calm])
    alarms = int((found <= calm.shape[1]).sum())
    return float(np.minimum(found, calm.shape[1]).sum() / alarms) if alarms else float("inf")


def mean_delay(make: Make, changed: Array, before: int) -> float:
    """Mean slices from the change to the alarm, over the runs without an alarm before it; NaN if none."""
    found = np.array([_first_alarm(make(), row) for row in changed])
    later = found[found > before] - before
    return float(np.minimum(later, changed.shape[1] - before).mean()) if later.size else float("nan")


def tuned_page_hinkley(calm: Array, promise: float, allowance: float) -> Make:
    """Page–Hinkley with the smallest threshold of a fine series that keeps the promised run length."""
    threshold = 4.0 * allowance

    def make() -> Any:
        return drift.PageHinkley(min_instances=30, delta=allowance, threshold=threshold, alpha=1.0)

    while run_length(make, calm) < promise:
        threshold *= _FINER
    return make


def _first_alarm(detector: Any, series: Array) -> int:
    """Slice, from 1, of the first alarm; one beyond the end: none."""
    for number, value in enumerate(series.tolist(), start=1):
        detector.update(value)
        if detector.drift_detected:
            return number
    return series.size + 1
