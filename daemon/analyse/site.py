"""Where the steps of an analysis work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from algorithms.rolling_ball import Effort
from algorithms.slabs import Volume
from daemon.analyse.progress import Steps
from daemon.analyse.scratch import Scratch

VOID: Final = 0
"""The phase through which the rolling ball comes, and whose inner part are the pores of the particle."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where scratch is made, how much is held at once, and who is told how far it is."""

    scratch: Scratch
    effort: Effort
    steps: Steps

    @property
    def voxels(self) -> float:
        """Of the volume."""
        return float(np.prod(self.scratch.shape))


@dataclass(frozen=True, slots=True)
class Ground:
    """The volume that is analysed: its labels, ``outside`` of the particle not 0, squared ``depths`` below
    the particle's boundary in voxels (None where nothing is outside), and the voxels of each phase."""

    labels: Volume
    voxel_nm: float
    outside: Volume
    depths: Volume | None
    phase_voxels: NDArray[np.int64]
