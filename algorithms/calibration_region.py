"""Where the sample begins: the region of interest below the protective layer and beside the fiducial's wall.

The layer and the wall are smooth, the sample is not: rows and columns are told apart by how much an image
without its noise varies along them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from algorithms.calibration_bars import Bar, labelled

Array: TypeAlias = NDArray[np.float64]

_NOISE_FREE_PX = 1.5
_ROUGH = 0.4  # of the way from the layer's roughness to the sample's
_COLUMNS_AVERAGED = 15
_SMALLEST_PX = 32
_SAME_GREY = 0.1  # of the sample's range of grey values


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of whole px: first column and row, width, height."""

    x: int
    y: int
    width: int
    height: int


def sample_region(image: NDArray[Any], bars: tuple[Bar, ...], margin_px: int) -> Region | None:
    """The rough region below ``bars`` in ``image`` (h, w), less a margin on every side.

    None when nothing below the bars is rougher than the layer around them.
    """
    smooth = np.empty(image.shape, np.float32)
    ndimage.gaussian_filter(np.asarray(image, dtype=np.float32), _NOISE_FREE_PX, output=smooth)
    top = _sample_top(smooth, bars)
    if top is None:
        return None
    columns = _sample_columns(smooth[top:], bars)
    if columns is None:
        return None
    left, right = columns
    x0, y0 = left + margin_px, top + margin_px
    x1, y1 = right - margin_px, image.shape[0] - margin_px
    return Region(x0, y0, x1 - x0, y1 - y0) if min(x1 - x0, y1 - y0) >= _SMALLEST_PX else None


def _sample_top(smooth: NDArray[np.float32], bars: tuple[Bar, ...]) -> int | None:
    """The first row below the bars that is as rough as what lies below."""
    first, last = round(bars[0].x_px), round(bars[-1].x_px) + 1
    bottom = round(bars[0].y1_px)
    roughness = smooth[:, first:last].std(axis=1)
    quiet = _between_bars(smooth, bars)
    rough = float(np.median(roughness[(bottom + smooth.shape[0]) // 2 :]))
    below = roughness[bottom + 4 :] > quiet + _ROUGH * (rough - quiet)
    if rough < 1.5 * quiet or not below.any():
        return None
    return bottom + 4 + int(np.argmax(below))


def _between_bars(smooth: NDArray[np.float32], bars: tuple[Bar, ...]) -> float:
    """Roughness of the layer, from the largest gap between two bars."""
    gaps = [b.x_px - a.x_px for a, b in pairwise(bars)]
    widest = int(np.argmax(gaps))
    left = bars[widest].x_px + bars[widest].width_px / 2 + 4
    right = bars[widest + 1].x_px - bars[widest + 1].width_px / 2 - 4
    rows = slice(round(bars[0].y0_px) + 4, round(bars[0].y1_px) - 4)
    return float(smooth[rows, round(left) : max(round(right), round(left) + 2)].std(axis=1).mean())


def _sample_columns(below: NDArray[np.float32], bars: tuple[Bar, ...]) -> tuple[int, int] | None:
    """First and last column of the sample under the bars: wall and pad have few changes along y.

    So have wide pores, but they are as dark as the pores elsewhere.
    """
    change = np.percentile(np.abs(np.diff(below, axis=0)), 80, axis=0)
    change = ndimage.uniform_filter1d(change, _COLUMNS_AVERAGED, mode="nearest")
    inside = change[round(bars[0].x_px) : round(bars[-1].x_px) + 1]
    quiet, typical = float(change.min()), float(np.median(inside))
    sample = (change > (quiet + typical) / 2) | _as_dark_as_pores(below, bars)
    gap = np.ones(_COLUMNS_AVERAGED, bool)
    labels = labelled(sample | np.asarray(ndimage.binary_closing(sample, gap), dtype=np.bool_))
    middle = labels[(round(bars[0].x_px) + round(bars[-1].x_px)) // 2]
    columns = np.flatnonzero(labels == middle)
    return (int(columns[0]), int(columns[-1]) + 1) if middle else None


def _as_dark_as_pores(below: NDArray[np.float32], bars: tuple[Bar, ...]) -> NDArray[np.bool_]:
    """Columns (w,) whose darker part is as dark as that of the columns under the bars."""
    dark = np.percentile(below, 20, axis=0)
    under = slice(round(bars[0].x_px), round(bars[-1].x_px) + 1)
    low, high = np.percentile(below[:, under], (5, 95))
    return np.asarray(np.abs(dark - np.median(dark[under])) < _SAME_GREY * (high - low), dtype=np.bool_)
