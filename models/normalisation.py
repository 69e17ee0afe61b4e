"""Brightness and contrast, taken out of an image before a network sees it.

Each face image is scaled on its own by two percentiles of the *whole* image: drift of the detector's
brightness and contrast from slice to slice disappears, and training and inference share these lines.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

FaceImage = NDArray[np.uint8 | np.uint16]
Limits = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Which grey values become 0 and 1, and where the rest is cut.

    Attributes:
        low_percent, high_percent: percentiles of the whole image that become 0 and 1.
        floor, ceiling: values outside are set to these; a hot pixel must not drown its neighbours.
    """

    low_percent: Annotated[float, Ge(0), Le(100)] = 1.0
    high_percent: Annotated[float, Ge(0), Le(100)] = 99.0
    floor: float = -0.5
    ceiling: float = 1.5

    def __post_init__(self) -> None:
        if self.low_percent >= self.high_percent:
            raise ValueError("low_percent is below high_percent")
        if self.floor >= self.ceiling:
            raise ValueError("floor is below ceiling")


def face_limits(image: FaceImage, normalisation: Normalisation) -> Limits:
    """Grey values of a (y, x) image that become 0 and 1.

    They come from the histogram, which is exact and, for 8 and 16 bits, far faster than sorting.
    """
    counts = np.cumsum(np.bincount(image.ravel()))
    wanted = np.array([normalisation.low_percent, normalisation.high_percent]) / 100 * counts[-1]
    low, high = np.searchsorted(counts, wanted)
    return float(low), float(high)


def normalise(image: FaceImage, limits: Limits, normalisation: Normalisation) -> NDArray[np.float32]:
    """The image, or any crop of it, on the network's scale: float32 of the same shape.

    An image of one grey value carries nothing: it becomes 0.
    """
    low, high = limits
    scale = np.float32(1 / (high - low)) if high > low else np.float32(0)
    scaled = (image.astype(np.float32) - np.float32(low)) * scale
    return np.clip(scaled, normalisation.floor, normalisation.ceiling, out=scaled)
