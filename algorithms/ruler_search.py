"""Find all marks of a ruler at once: one shift and one depth must explain every mark.

Each mark's surroundings are compared with the bar's shape (normalised cross-correlation); the shift error and
the depth that give the largest sum over the marks win. Looking for the marks together keeps a neighbour, a
curtain or a dirt speck from being taken for a mark, and makes a wide window harmless.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algorithms.bar_profile import Profile, bar_shape

Array: TypeAlias = NDArray[np.float64]


def match_score(profile: Profile, width_px: float, margin_px: float, polarity: int) -> tuple[Array, Array]:
    """Normalised cross-correlation (k,) of a profile with a bar, at the centre columns (k,).

    1 is a perfect bar of the wanted polarity, 0 none. Empty when the profile is shorter than the bar with its
    margins.
    """
    half = int(np.ceil(0.5 * width_px + margin_px))
    if profile.value.size < 2 * half + 1:
        return np.empty(0), np.empty(0)
    template = bar_shape(np.arange(-half, half + 1, dtype=np.float64), 0.0, width_px, 1.5)[0]
    template = polarity * (template - template.mean())
    windows = np.lib.stride_tricks.sliding_window_view(profile.value, 2 * half + 1)
    spread = windows.std(axis=1) * np.sqrt(2 * half + 1)
    norm = np.maximum(spread * np.linalg.norm(template), 1e-9)
    return profile.x_px[half : profile.x_px.size - half], windows @ template / norm


def search_marks(
    scores: list[tuple[Array, Array]],
    predicted_px: Array,
    slope: Array,
    offsets_px: Array,
    depth_changes_nm: Array,
) -> tuple[float, float, Array]:
    """Best common offset (px) and depth change (nm), and the scores (m,) of the marks there.

    ``scores`` holds columns and score of each mark, ``predicted_px`` (m,) its expected centre, ``slope``
    (m,) px per nm; all pairs of ``offsets_px`` (a,) and ``depth_changes_nm`` (b,) are tried. Between
    equals, the one nearest to the prediction wins.
    """
    found = np.zeros((len(scores), offsets_px.size, depth_changes_nm.size))
    for mark, (columns, score) in enumerate(scores):
        place = predicted_px[mark] + offsets_px[:, None] + slope[mark] * depth_changes_nm[None, :]
        if columns.size:
            found[mark] = np.interp(place, columns, score, left=0.0, right=0.0)
    total = np.maximum(found, 0.0).sum(axis=0)
    total -= 1e-3 * np.abs(offsets_px)[:, None] / max(float(np.abs(offsets_px).max()), 1.0)
    total -= 1e-3 * np.abs(depth_changes_nm)[None, :] / max(float(np.abs(depth_changes_nm).max()), 1.0)
    row, column = np.unravel_index(int(np.argmax(total)), total.shape)
    return float(offsets_px[row]), float(depth_changes_nm[column]), found[:, row, column]


def nearest_match(
    score: tuple[Array, Array], expected_px: float, reach_px: float, taken_px: Array, room_px: float
) -> tuple[float, float]:
    """Best place (px) of a single mark and its match, within ``reach_px`` of where it is expected.

    Nearer than ``room_px`` to one of the places ``taken_px`` (k,) stands another mark. With nothing left the
    expected place matches 0.
    """
    columns, value = score
    apart = np.abs(columns[:, None] - taken_px[None, :]).min(axis=1, initial=np.inf)
    free = (np.abs(columns - expected_px) <= reach_px) & (apart >= room_px)
    if not free.any():
        return expected_px, 0.0
    nearness = value[free] - 1e-3 * np.abs(columns[free] - expected_px) / reach_px
    best = int(np.argmax(nearness))
    return float(columns[free][best]), float(value[free][best])
