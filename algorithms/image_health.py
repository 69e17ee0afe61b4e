"""How good the picture of a face is, in four numbers that pixel noise does not touch.

Autocovariances at lags of a pixel and more hold no white noise. How fast they fall tells focus, how large
they are tells contrast; both with the grey values' unit divided out where it should not matter. Compare
Marturi, Dembélé & Piat, *IEEE CASE* (2013), on sharpness scores of scanning electron micrographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]

LARGEST_PX = 768
_LAGS = (1, 4)


@dataclass(frozen=True, slots=True)
class ImageHealth:
    """Numbers of one image; NaN where it is empty of structure.

    ``sharpness``: how much of the structure's covariance is lost between 1 and 4 px (0…1, blur lowers it).
    ``contrast``: standard deviation of the structure, grey values. ``brightness``: mean grey value.
    ``shine_through``: where the mean lies between the darkest and the brightest twentieth (0…1): it rises
    when pores fill with grey.
    """

    sharpness: float
    contrast: float
    brightness: float
    shine_through: float


def image_health(image: NDArray[Any]) -> ImageHealth:
    """The numbers of the middle of a face ``image`` (h, w), any numeric dtype."""
    values = _middle(image).astype(np.float32)
    near, far = (_covariance(values, lag) for lag in _LAGS)
    dark, bright = (float(level) for level in np.percentile(values, (5.0, 95.0)))
    mean, nan = float(values.mean()), float("nan")
    return ImageHealth(
        sharpness=(near - far) / near if near > 0.0 else nan,
        contrast=near**0.5 if near > 0.0 else nan,
        brightness=mean,
        shine_through=(mean - dark) / (bright - dark) if bright > dark else nan,
    )


def _middle(image: NDArray[Any]) -> NDArray[Any]:
    """At most ``LARGEST_PX`` a side: enough to be sure of the numbers, and quick."""
    first = [max((side - LARGEST_PX) // 2, 0) for side in image.shape]
    return image[first[0] : first[0] + LARGEST_PX, first[1] : first[1] + LARGEST_PX]


def _covariance(values: Floats, lag: int) -> float:
    """Autocovariance along x about each column's mean, so that curtains are no structure; NaN for images that
    are no wider than the lag."""
    if values.shape[1] <= lag:
        return float("nan")
    centred = values - values.mean(axis=0)
    return float(np.mean(centred[:, :-lag] * centred[:, lag:]))
