"""Where the axis of figures that settle ends: one rule for the dashboard and for the report.

What the first planes of a volume say swings wildly, and the 95 % band of few patches can be many times as
wide as the figure is large. An axis that held all of it would press the curves flat, and the curves are what
is read. So they decide, from the first quarter on; a band is held as far as half the curve's height above it,
and what lies beyond is cut off and told in words.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
_UNSETTLED: Final = 4  # the first one in so many of the figures
_ROOM: Final = 1.2  # axis over the highest value, so that a curve does not lie on the frame
_ROOM_OF_BAND: Final = 1.05
_MOST_OF_BAND: Final = 1.5  # the same with a wide band: the curves keep two thirds of the height


def end_of_axis(values: Numbers, highs: Numbers) -> float | None:
    """The end of an axis from 0 for ``values`` (series, n) with bands up to ``highs``; None: not known.

    Both may be NaN where nothing is known.
    """
    settled = values.shape[1] // _UNSETTLED
    value, high = _highest(values[:, settled:]), _highest(highs[:, settled:])
    if value is None or value <= 0.0:
        return None
    band = min(_ROOM_OF_BAND * high, _MOST_OF_BAND * value) if high is not None else 0.0
    return max(_ROOM * value, band)


def told_beyond(end: float | None, values: Numbers, highs: Numbers) -> str:
    """How far what is cut off at the ``end`` reaches, in words; empty where nothing is."""
    highest = _highest(np.concatenate([values, highs]))
    if end is None or highest is None or highest <= end:
        return ""
    return f"▲ cut off, reaches {highest:.2g}"


def _highest(values: Numbers) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else None
