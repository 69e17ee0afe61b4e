"""Curves that settle keep the height of their axis, whatever their bands and their first planes say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from daemon.settling_axis import end_of_axis, told_beyond

SETTLED = [0.4, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]
NARROW, WIDE = [0.45, *7 * [0.26]], [4.0, *7 * [4.0]]
UNKNOWN = 8 * [math.nan]


@pytest.mark.parametrize(
    ("values", "highs", "end", "words"),
    [
        pytest.param(SETTLED, UNKNOWN, 0.24, "▲ cut off, reaches 0.4", id="curves alone"),
        pytest.param(SETTLED, NARROW, 0.273, "▲ cut off, reaches 0.45", id="a narrow band is held whole"),
        pytest.param(SETTLED, WIDE, 0.3, "▲ cut off, reaches 4", id="a wide band is cut off"),
        pytest.param([0.2] * 8, [0.24] * 8, 0.252, "", id="nothing is cut off"),
        pytest.param([0.1], [0.11], 0.12, "", id="a single plane"),
        pytest.param(UNKNOWN, UNKNOWN, None, "", id="nothing is known"),
        pytest.param([0.0] * 8, WIDE, None, "", id="perfectly isotropic"),
        pytest.param([], [], None, "", id="no plane yet"),
    ],
)
def test_the_curves_decide(values: list[float], highs: list[float], end: float | None, words: str) -> None:
    """From the first quarter on; what lies above the end is told with how far it reaches."""
    shown, bands = np.array([values], float), np.array([highs], float)
    found = end_of_axis(shown, bands)
    assert found == (None if end is None else pytest.approx(end))
    assert told_beyond(found, shown, bands) == words


def test_the_highest_of_several_curves_counts() -> None:
    """No curve is cut off for another's sake."""
    values = np.array([[0.1] * 8, [0.3] * 8])
    assert end_of_axis(values, np.full_like(values, math.nan)) == pytest.approx(0.36)
