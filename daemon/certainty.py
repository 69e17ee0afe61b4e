"""How sure the network was of every face: the solid's probability, coarse enough to be kept of all of them.

A picture no longer than a screen in few steps. Most of a face is surely one phase or the other, so that it
compresses well and is kept without being asked for; ``volume.store_probabilities`` keeps every pixel's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from daemon.growing_array import open_growing_array
from daemon.preview import LONGEST_PX, block_mean

STEPS: Final = 14
"""Between surely pore and surely solid; they are kept as 1 … 15, and 0 is a face that was not kept."""

_GREY: Final = np.rint(np.arange(-1, STEPS + 1).clip(0) * (255.0 / STEPS)).astype(np.uint8)


def coarseness(shape: tuple[int, ...]) -> int:
    """Pixels of a face of ``shape`` (y, x) along a side of one that is kept."""
    return max(1, -(-max(shape) // LONGEST_PX))


def coarse_certainty(solid_probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    """What is kept of a face (y, x)."""
    mean = block_mean(solid_probability, coarseness(solid_probability.shape))
    return (1.0 + np.rint(mean * STEPS)).astype(np.uint8)


def read_certainty(path: Path, order: int, shape: tuple[int, int]) -> NDArray[np.uint8] | None:
    """Probability of the solid, 255 = 1, at every pixel of the ``order``-th face of ``shape`` (y, x).

    None if nothing was kept of this face: an older version began the run.
    """
    if not (path / "0" / "zarr.json").exists():
        return None
    step = coarseness(shape)
    array = open_growing_array(path / "0", (shape[0] // step, shape[1] // step))
    kept = array.read(order, order + 1) if order < array.length else np.zeros(1, np.uint8)
    if not kept.any():
        return None
    y, x = (np.minimum(np.arange(n) // step, n // step - 1) for n in shape)
    return _GREY[kept[0]][np.ix_(y, x)]
