"""Growth of the isotropic volume: a final face in, final planes and their figures out.

A face's probabilities go onto the isotropic in-plane grid and become labels there, so a boundary is placed
between pixels and not on them. Planes leave in order and never change again; they are computed when they are
taken, a few at a time, for an interval in which many slices are lost does not fit into memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from algorithms.interpolation import InterpolationState, add_slice, finish, start_interpolation
from algorithms.interpolation import Planes as InterpolatedPlanes
from algorithms.reposition import RepositionState, place, start_reposition
from algorithms.resampling import (
    InPlaneGrid,
    NativePixels,
    covering_grid,
    most_probable,
    resample_probabilities,
)
from algorithms.slice_filling import Interpolation
from daemon import alarms
from daemon.config import VolumeSection
from daemon.items import Alarm, Metrics, PlacedSlice, PlaneKind, Planes
from daemon.stages.quantifying import (
    MaterialState,
    add_to_material,
    material_curves,
    material_row,
    start_material,
    with_kept,
    without_kept,
)

_BRIDGE_IN_TARGETS = 3.0
"""Slices further apart than this many target thicknesses are bridged: shown, but not counted as measured.

10 ± 3.12 nm milling crosses 30 nm in one of 10⁴ slices; beyond it ligaments of 15 nm are guessed, not seen.
"""
_DISPLACED_IN_TARGETS = 0.5
"""A slice further than this many target thicknesses from its depth stands where its neighbour belongs."""


@dataclass(frozen=True, slots=True)
class GrowthState:
    """The volume so far, without its voxels: those are in the store.

    ``displaced`` counts the slices further than ``longest_displacement_nm`` from their depth.
    """

    grid: InPlaneGrid
    pixels: NativePixels
    reposition: RepositionState
    interpolation: InterpolationState
    material: MaterialState
    longest_displacement_nm: float = float("inf")
    displaced: int = 0


def start_growth(
    shape_px: tuple[int, int], pixels: NativePixels, section: VolumeSection, target_nm: float
) -> GrowthState:
    """An empty volume for faces of ``shape_px`` (height, width) native pixels."""
    grid = covering_grid(*shape_px, pixels, section.grid_nm)
    longest = max(1, round(_BRIDGE_IN_TARGETS * target_nm / section.grid_nm))
    return GrowthState(
        grid,
        pixels,
        start_reposition(section.grid_nm),
        start_interpolation(longest),
        start_material(grid.height, grid.width, section.metric_lags, section.metric_patch_px),
        longest_displacement(target_nm),
    )


def longest_displacement(target_nm: float) -> float:
    """How far from its depth a slice may lie before a person is told, nm."""
    return _DISPLACED_IN_TARGETS * target_nm


def grow(
    state: GrowthState,
    filling: Interpolation,
    index: int,
    depth_nm: float,
    probabilities: NDArray[np.float32],
) -> tuple[GrowthState, PlacedSlice, Iterator[Planes]]:
    """Place a final face at its depth; the planes that became final by it, in groups."""
    labels = most_probable(resample_probabilities(probabilities, state.pixels, state.grid))
    reposition, z_plane = place(state.reposition, depth_nm)
    interpolation, planes = add_slice(filling, state.interpolation, z_plane, labels)
    displacement_nm = z_plane * state.grid.grid_nm - depth_nm
    is_displaced = abs(displacement_nm) > state.longest_displacement_nm
    displaced = state.displaced + is_displaced
    state = replace(state, reposition=reposition, interpolation=interpolation, displaced=displaced)
    return state, PlacedSlice(index, z_plane, displacement_nm, labels), map(_item, planes)


def judge_place(state: GrowthState, placed: PlacedSlice) -> tuple[Alarm, ...]:
    """An alarm when the slice just placed is the 1st, 2nd, 4th, 8th … that is too far from its depth."""
    count, limit_nm = state.displaced, state.longest_displacement_nm
    if abs(placed.displacement_nm) <= limit_nm or count & (count - 1):
        return ()
    return (alarms.displaced(placed, count, limit_nm, state.grid.grid_nm),)


def close_growth(state: GrowthState, filling: Interpolation) -> tuple[GrowthState, Iterator[Planes]]:
    """The planes that were waiting for slices that will not come; closed again, there are none left.

    A daemon that is killed after its last planes are committed and before its run is over closes twice.
    """
    closed, planes = finish(filling, state.interpolation)
    return replace(state, interpolation=closed), map(_item, planes)


def measure_planes(state: GrowthState, planes: Planes) -> tuple[GrowthState, tuple[Metrics, ...]]:
    """Count new planes into the metrics; one record per plane."""
    measured: list[Metrics] = []
    material = state.material
    for offset, (labels, kind) in enumerate(zip(planes.labels, planes.kinds, strict=True)):
        material = add_to_material(material, labels, kind)
        measured.append(material_row(material, planes.first + offset, kind, state.grid.grid_nm))
    return replace(state, material=material), tuple(measured)


def curves(state: GrowthState) -> dict[str, NDArray[np.float64]]:
    """What the metrics message draws (see ``daemon.stages.quantifying``)."""
    return material_curves(state.material, state.grid.grid_nm)


def stored(state: GrowthState) -> GrowthState:
    """The state as the journal keeps it: the planes it looks back at are in the volume already."""
    return replace(state, material=without_kept(state.material))


def restored(
    state: GrowthState, first: Sequence[NDArray[np.uint8]], last: Sequence[NDArray[np.uint8]]
) -> GrowthState:
    """The stored state with the volume's first and last planes put back."""
    return replace(state, material=with_kept(state.material, first, last))


def _item(planes: InterpolatedPlanes) -> Planes:
    kinds = (
        PlaneKind.MEASURED if measured else PlaneKind.BRIDGED if bridged else PlaneKind.INTERPOLATED
        for measured, bridged in zip(planes.measured, planes.bridged, strict=True)
    )
    return Planes(planes.first, planes.labels, tuple(kinds))
