"""Arrays in a file that is whole or not there."""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike


def keep_arrays(path: Path, **arrays: ArrayLike) -> None:
    """Write named arrays to an ``.npz`` file; killed in the middle, it leaves what was there."""
    unfinished = path.with_suffix(".part.npz")
    np.savez_compressed(unfinished, allow_pickle=False, **{name: np.asarray(a) for name, a in arrays.items()})
    unfinished.replace(path)
