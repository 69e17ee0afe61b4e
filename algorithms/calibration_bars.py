"""Ruler marks in an image nobody has described yet: bars of one width on common rows.

A bar is a pair of vertical edges of opposite sign. Edges of ligaments are short and bent, edges of milled
marks are long and straight, so only edges that keep their column over many rows are considered; of all pairs
of them, the largest family of equal width, equal rows and equal contrast is the ruler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats: TypeAlias = NDArray[np.float32]

EDGE_SIGMA_PX = 1.5
_ROWS_AVERAGED = 7
_SMALLEST_STEP = 0.12  # of the image's range of grey values: fainter edges are curtains
_NOISE_FACTOR = 5.0  # an edge is so many standard deviations of the averaged noise high
_SMALLEST_HEIGHT = (14, 0.03)  # px, and as a share of the image
_WIDTHS = (5.0, 0.12)  # px, and as a share of the image's width
_WIDTH_AGREES = 0.12
_ROWS_AGREE = 0.7  # overlap over union
_CONTRAST_AGREES = 0.6


@dataclass(frozen=True, slots=True)
class VerticalEdge:
    """A straight upright edge: column, rows ``y0 … y1`` and step (grey values, right minus left)."""

    x_px: float
    y0_px: int
    y1_px: int
    step: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: centre x, rows ``y0 … y1``, width, all px; ``contrast`` against its surroundings, signed."""

    x_px: float
    y0_px: float
    y1_px: float
    width_px: float
    contrast: float


def find_bars(image: NDArray[Any]) -> tuple[Bar, ...]:
    """The family of at least two like bars in ``image`` (h, w), left to right; empty if there is none."""
    values = np.asarray(image, dtype=np.float32)
    pairs = bar_candidates(values)
    return _aligned(values, max((_family(seed, pairs) for seed in pairs), key=_weight, default=()))


def find_bars_like(image: NDArray[Any], known: Bar) -> tuple[Bar, ...]:
    """The bars in ``image`` (h, w) like one of another slice, left to right; empty if fewer than two."""
    values = np.asarray(image, dtype=np.float32)
    return _aligned(values, _family(known, bar_candidates(values)))


def _aligned(image: Floats, bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
    """The bars with their common upper and lower end; none if there are fewer than two."""
    if len(bars) < 2:
        return ()
    top, bottom = _common_rows(image, bars)
    return tuple(Bar(b.x_px, top, bottom, b.width_px, b.contrast) for b in bars)


def bar_candidates(image: Floats) -> tuple[Bar, ...]:
    """Every pair of neighbouring opposite edges on the same rows of ``image`` (h, w)."""
    edges = sorted(vertical_edges(image), key=lambda edge: edge.x_px)
    narrowest, widest = _WIDTHS[0], _WIDTHS[1] * image.shape[1]
    return tuple(
        bar
        for number, left in enumerate(edges)
        if (right := _partner(left, edges[number + 1 :])) is not None
        and narrowest <= (bar := _between(left, right)).width_px <= max(widest, 2 * narrowest)
    )


def vertical_edges(image: Floats) -> tuple[VerticalEdge, ...]:
    """Edges in ``image`` (h, w) that keep their column (±1 px) over enough rows."""
    slope = _slope(image)
    step = slope * np.float32(np.sqrt(2.0 * np.pi) * EDGE_SIGMA_PX)  # of an ideal edge
    low, high = np.percentile(image[::2, ::2], (1.0, 99.0))
    threshold = max(_SMALLEST_STEP * float(high - low), _NOISE_FACTOR * _step_noise(image))
    ridge = np.abs(step) >= np.maximum(threshold, 0.999 * ndimage.maximum_filter1d(np.abs(step), 5, axis=1))
    shortest = max(_SMALLEST_HEIGHT[0], round(_SMALLEST_HEIGHT[1] * image.shape[0]))
    return tuple(edge for sign in (1.0, -1.0) for edge in _runs(ridge & (sign * step > 0.0), step, shortest))


def _slope(image: Floats) -> Floats:
    """Derivative along x, averaged over a few rows."""
    averaged, slope = np.empty_like(image), np.empty_like(image)
    ndimage.uniform_filter1d(image, _ROWS_AVERAGED, axis=0, output=averaged)
    ndimage.gaussian_filter1d(averaged, EDGE_SIGMA_PX, axis=1, order=1, output=slope)
    return slope


def _step_noise(image: Floats) -> float:
    """Standard deviation that white noise gives the step of an edge; see Donoho & Johnstone's MAD."""
    second = image[:, :-2] - 2.0 * image[:, 1:-1] + image[:, 2:]
    sigma = float(np.median(np.abs(second[::3]))) / 0.6745 / np.sqrt(6.0)
    filtered = sigma / np.sqrt(_ROWS_AVERAGED) / np.sqrt(4.0 * np.sqrt(np.pi) * EDGE_SIGMA_PX**3)
    return float(filtered * np.sqrt(2.0 * np.pi) * EDGE_SIGMA_PX)


def _runs(ridge: NDArray[np.bool_], step: Floats, shortest: int) -> list[VerticalEdge]:
    """Straight runs of ridge pixels (a column and its neighbours) of at least ``shortest`` rows."""
    tolerant = ndimage.binary_dilation(ridge, np.ones((1, 3), bool))
    tolerant = ndimage.binary_closing(tolerant, np.ones((3, 1), bool))
    straight = np.asarray(ndimage.binary_opening(tolerant, np.ones((shortest, 1), bool)), dtype=np.bool_)
    labels = labelled(straight)
    found: list[VerticalEdge] = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        weights = np.abs(step[box]) * (ridge[box] & (labels[box] == label))
        if weights.sum() <= 0.0 or box[1].stop - box[1].start > 7:
            continue
        columns = np.arange(box[1].start, box[1].stop)
        x = float((weights.sum(axis=0) * columns).sum() / weights.sum())
        height = float((weights * step[box]).sum() / weights.sum())
        found.append(VerticalEdge(x, box[0].start, box[0].stop, height))
    return found


def labelled(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Connected regions (four neighbours) of ``mask``, numbered from 1; 0 elsewhere."""
    labels = np.empty(mask.shape, np.int32)
    ndimage.label(mask, output=labels)
    return labels


def _partner(left: VerticalEdge, others: list[VerticalEdge]) -> VerticalEdge | None:
    """The next edge to the right on the same rows, if it goes the other way."""
    following = next((edge for edge in others if _overlap(left, edge) >= _ROWS_AGREE), None)
    return following if following is not None and following.step * left.step < 0.0 else None


def _overlap(one: VerticalEdge | Bar, other: VerticalEdge | Bar) -> float:
    shared = min(one.y1_px, other.y1_px) - max(one.y0_px, other.y0_px)
    return shared / (max(one.y1_px, other.y1_px) - min(one.y0_px, other.y0_px))


def _between(left: VerticalEdge, right: VerticalEdge) -> Bar:
    return Bar(
        x_px=(left.x_px + right.x_px) / 2,
        y0_px=max(left.y0_px, right.y0_px),
        y1_px=min(left.y1_px, right.y1_px),
        width_px=right.x_px - left.x_px,
        contrast=(left.step - right.step) / 2,
    )


def _family(seed: Bar, bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
    """The bars that are like ``seed`` and do not share an edge with each other."""
    like = [bar for bar in bars if _alike(seed, bar)]
    return tuple(
        bar
        for before, bar in zip((None, *like), like, strict=False)
        if not before or bar.x_px - before.x_px > bar.width_px
    )


def _alike(one: Bar, other: Bar) -> bool:
    return (
        one.contrast * other.contrast > 0.0
        and abs(one.width_px - other.width_px) <= max(2.0, _WIDTH_AGREES * one.width_px)
        and _overlap(one, other) >= _ROWS_AGREE
        and min(one.contrast / other.contrast, other.contrast / one.contrast) >= _CONTRAST_AGREES
    )


def _weight(family: tuple[Bar, ...]) -> float:
    """The evidence for a family: tall straight edges are much rarer by chance than short ones."""
    several = len(family) > 1
    return several * sum(abs(bar.contrast) * (bar.y1_px - bar.y0_px) ** 2 for bar in family)


def _common_rows(image: Floats, bars: tuple[Bar, ...]) -> tuple[float, float]:
    """Upper and lower end of the bars: where their contrast against both sides falls to half."""
    contrast = np.mean([_contrast_rows(image, bar) for bar in bars], axis=0)
    first, last = round(np.median([b.y0_px for b in bars])), round(np.median([b.y1_px for b in bars]))
    smooth = ndimage.uniform_filter1d(contrast, 3)
    half = 0.5 * float(np.median(smooth[first:last]))
    inside = smooth / half >= 1.0
    middle = (first + last) // 2
    top = middle - int(np.argmin(inside[middle::-1])) + 1 if not inside[: middle + 1].all() else 0
    bottom = middle + int(np.argmin(inside[middle:])) if not inside[middle:].all() else len(inside)
    return float(top), float(bottom)


def _contrast_rows(image: Floats, bar: Bar) -> Floats:
    """Mean inside less mean beside the bar, for every row of the image: (h,)."""
    half, beside = bar.width_px / 2, max(bar.width_px / 2, 4.0)
    edges = np.round([bar.x_px - half - beside, bar.x_px - half, bar.x_px + half, bar.x_px + half + beside])
    starts, stops = edges[:-1].astype(int) + 2, edges[1:].astype(int) - 1
    left, inside, right = (
        image[:, max(start, 0) : max(stop, start + 1, 1)].mean(axis=1)
        for start, stop in zip(starts, stops, strict=True)
    )
    return np.asarray(inside - (left + right) / 2, dtype=np.float32)
