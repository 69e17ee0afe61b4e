"""How far probabilities can be trusted: what was claimed beside what came true.

The expected calibration error is the mean distance of claim and frequency over bins of equal width, weighted
by their counts (C. Guo et al., "On calibration of modern neural networks", ICML 2017, eq. 3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 20


@dataclass(frozen=True, slots=True)
class Reliability:
    """Sums over bins of claimed probability, each (BINS,): pixels, claims, and pixels of the phase.

    Those of two sets of pixels add up to those of both.
    """

    pixels: NDArray[np.int64]
    claimed: NDArray[np.float64]
    true: NDArray[np.int64]

    def __add__(self, other: "Reliability") -> "Reliability":
        return Reliability(self.pixels + other.pixels, self.claimed + other.claimed, self.true + other.true)

    @property
    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean claim and frequency of the bins that are not empty."""
        filled = self.pixels > 0
        return self.claimed[filled] / self.pixels[filled], self.true[filled] / self.pixels[filled]


def reliability(probabilities: NDArray[np.float32], truth: NDArray[np.bool_]) -> Reliability:
    """Of claims that a pixel is of a phase, any shape, and whether it is."""
    claims = probabilities.ravel().astype(np.float64)
    bins = np.minimum((claims * BINS).astype(np.int64), BINS - 1)
    return Reliability(
        np.bincount(bins, minlength=BINS),
        np.bincount(bins, claims, minlength=BINS).astype(np.float64),
        np.bincount(bins[truth.ravel()], minlength=BINS),
    )


def calibration_error(found: Reliability) -> float:
    """The expected calibration error, 0 to 1."""
    return float(np.abs(found.claimed - found.true).sum() / found.pixels.sum())
