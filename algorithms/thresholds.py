"""Segmentation by grey values alone: bands between two thresholds, or three with the brightest band a pore.

Where pores are empty a bright ground shines out of them, brighter than any phase of the face: two thresholds
take it for material, a third gives it back. Thresholds t₁ < t₂ < … make bands; a grey value g lies in band
number #{i : g ≥ tᵢ}.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]
Grey = NDArray[np.uint8]
GREYS = 256
PEAK_SMOOTHING = 2.0
"""Rms width, in grey values, of the smoothing before a peak's half height is read."""


@dataclass(frozen=True, slots=True)
class GreyBands:
    """Ascending grey values at which bands begin, and the phase of every band (one more than those)."""

    thresholds: tuple[int, ...]
    phases: tuple[int, ...]


def class_histograms(image: Grey, labels: Labels, phases: int) -> NDArray[np.int64]:
    """Pixels of every phase by grey value: int64 (phases, 256); labels that are no phase count nowhere.

    Histograms of slices add up, so thresholds of a stack need one pass over it.
    """
    known = labels < phases
    pairs = labels[known].astype(np.intp) * GREYS + image[known]
    return np.bincount(pairs, minlength=phases * GREYS).reshape(phases, GREYS).astype(np.int64)


def classify_greys(image: Grey, bands: GreyBands) -> Labels:
    """The phase of every pixel's band: uint8 like the image."""
    band = np.searchsorted(bands.thresholds, np.arange(GREYS), side="right")
    return np.array(bands.phases, dtype=np.uint8)[band][image]


def double_threshold(histograms: NDArray[np.int64], middle: int = 2) -> GreyBands:
    """Two thresholds at the half heights of the middle phase's peak: pore, the middle phase, the other one.

    The most straightforward approach of the multi-signal paper (§3.1), whose thresholds are "based on the
    carbon peak". ``histograms`` are those of three phases (3, 256).
    """
    counts = _smoothed(histograms[middle].astype(np.float64))
    peak = int(np.argmax(counts))
    below = np.flatnonzero(counts[:peak] < counts[peak] / 2)
    above = np.flatnonzero(counts[peak:] < counts[peak] / 2)
    low = int(below[-1]) + 1 if below.size else 0
    high = peak + int(above[0]) if above.size else GREYS
    return GreyBands((low, high), (0, middle, 3 - middle))


def entropy_thresholds(histograms: NDArray[np.int64]) -> GreyBands:
    """Three thresholds with the least entropy of the phases within their four bands: a decision tree of depth
    two on grey values (§3.2 of the paper), found by looking at all of them.

    Every band has the phase that most of its pixels have.
    """
    sums = np.zeros((len(histograms), GREYS + 1))
    sums[:, 1:] = np.cumsum(histograms, axis=1)
    head, head_split = _best_splits(sums, 0, np.arange(GREYS + 1))
    tail, tail_split = _best_splits(sums[:, ::-1] * -1, 0, np.arange(GREYS + 1))
    tail, tail_split = tail[::-1], GREYS - tail_split[::-1]
    root = int(np.argmin(head + tail))
    thresholds = (int(head_split[root]), root, int(tail_split[root]))
    return GreyBands(thresholds, tuple(_majority(sums, thresholds)))


def _best_splits(
    sums: NDArray[np.float64], start: int, ends: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """For every end: the least entropy of [start, end) cut in two, and where to cut it.

    Entropies are in nats times pixels; ``sums`` (phases, 257) are cumulative counts.
    """
    cuts = np.arange(GREYS + 1)
    left = _entropy(sums - sums[:, start : start + 1])
    right = _entropy(sums[:, None, ends] - sums[:, cuts, None])
    total = np.where(cuts[:, None] <= ends[None], left[:, None] + right, np.inf)
    best = np.argmin(total, axis=0)
    return total[best, np.arange(len(ends))], best


def _entropy(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """−Σ n log(n/N) over the first axis; 0 where nothing is."""
    counts = np.abs(counts)
    whole = counts.sum(axis=0)
    terms = counts * np.log(np.maximum(counts, 1) / np.maximum(whole, 1))
    return -terms.sum(axis=0)


def _majority(sums: NDArray[np.float64], thresholds: tuple[int, ...]) -> list[int]:
    edges = [0, *thresholds, GREYS]
    bands = sums[:, edges[1:]] - sums[:, edges[:-1]]
    return [int(phase) for phase in np.argmax(bands, axis=0)]


def _smoothed(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    reach = np.arange(-3 * int(PEAK_SMOOTHING), 3 * int(PEAK_SMOOTHING) + 1)
    kernel = np.exp(-((reach / PEAK_SMOOTHING) ** 2) / 2)
    return np.asarray(np.convolve(counts, kernel / kernel.sum(), mode="same"), dtype=np.float64)
