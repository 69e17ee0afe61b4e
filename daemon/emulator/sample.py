"""What stands before the beam: nanoporous gold in epoxy, or a battery electrode whose pores are empty."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from algorithms.acquisition import FaceGrid
from algorithms.electrode import ElectrodeStructure, electrode_at, electrode_structure
from algorithms.electrode_imaging import detector_signal
from algorithms.structures import HierarchicalStructure, hierarchical_structure, solid_at
from algorithms.topography import see_relief
from daemon.emulator.settings import SampleDesign
from daemon.sample_kind import SampleKind

Sample = HierarchicalStructure | ElectrodeStructure
_relief = lru_cache(maxsize=1)(see_relief)
"""Both detectors look at the same face at the same time."""


def draw_sample(design: SampleDesign, rng: np.random.Generator) -> Sample:
    """The structure of a design, a function of face coordinates."""
    if design.kind is SampleKind.ELECTRODE:
        return electrode_structure(rng)
    return hierarchical_structure(
        rng,
        coarse_ligament_nm=design.coarse_ligament_nm,
        fine_ligament_nm=design.fine_ligament_nm,
        solid_fraction=design.solid_fraction,
    )


def phases_at(
    sample: Sample, z_nm: NDArray[np.float64], y_nm: NDArray[np.float64], x_nm: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Phases on the tensor grid of any coordinates: (k,), (h,), (w,) in nm -> uint8 (k, h, w)."""
    if isinstance(sample, ElectrodeStructure):
        return electrode_at(sample, z_nm, y_nm, x_nm)
    return solid_at(sample, z_nm, y_nm, x_nm)


def phase_count(sample: Sample) -> int:
    """Phases of a sample, pores among them."""
    return 3 if isinstance(sample, ElectrodeStructure) else 2


def electrode_face(
    sample: ElectrodeStructure, depth_nm: float, grid: FaceGrid, detector: str
) -> NDArray[np.float32]:
    """The clean signal of a detector from the face at this depth: float32 (height, width)."""
    return detector_signal(_relief(sample, depth_nm, grid), detector, grid)
