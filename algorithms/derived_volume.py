"""A volume made from others as it is read, region by region: nothing of it is ever stored."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.slabs import Region, Volume, read

Voxels = NDArray[Any]


@dataclass(frozen=True, slots=True)
class DerivedVolume:
    """``make`` of the same region of every one of ``sources``, which have one shape."""

    make: Callable[..., Voxels]
    sources: tuple[Volume, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """(z, y, x)."""
        return self.sources[0].shape

    def __getitem__(self, region: Region, /) -> Voxels:
        """The voxels of a region."""
        return self.make(*(read(source, region) for source in self.sources))


def phase_of(labels: Volume, phase: int) -> DerivedVolume:
    """Where a label is."""

    def make(values: Voxels) -> Voxels:
        return np.asarray(values == phase)

    return DerivedVolume(make, (labels,))


def without(one: Volume, other: Volume) -> DerivedVolume:
    """Where the first is not 0 and the second is."""

    def make(a: Voxels, b: Voxels) -> Voxels:
        return np.asarray((a != 0) & (b == 0))

    return DerivedVolume(make, (one, other))
