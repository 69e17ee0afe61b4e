"""Growth of the isotropic volume: a final face in, final planes and their figures out.

A face's probabilities go onto the isotropic in-plane grid and become labels there, so a boundary is placed
between pixels and not on them. Planes leave in order and never change again.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from algorithms.slice_filling import INTERPOLATIONS
from algorithms.volume_figures import MetricFigures, figures
from algorithms.volume_metrics import MetricsState, add_plane, start_metrics, with_planes, without_planes
from daemon.config import VolumeSection
from daemon.items import Metrics, PlacedSlice, Planes

# Slices further apart than this many grid planes of the target thickness are bridged, not interpolated.
_BRIDGE_IN_TARGETS = 3.0


@dataclass(frozen=True, slots=True)
class GrowthState:
    """The volume so far, without its voxels: those are in the store."""

    grid: InPlaneGrid
    pixels: NativePixels
    reposition: RepositionState
    interpolation: InterpolationState
    metrics: MetricsState


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
        start_metrics(grid.height, grid.width, lags=section.metric_lags),
    )


def grow(
    state: GrowthState,
    section: VolumeSection,
    index: int,
    depth_nm: float,
    probabilities: NDArray[np.float32],
) -> tuple[GrowthState, PlacedSlice, Planes]:
    """Place a final face at its depth; the planes that became final by it."""
    labels = most_probable(resample_probabilities(probabilities, state.pixels, state.grid))
    reposition, z_plane = place(state.reposition, depth_nm)
    interpolation, planes = add_slice(
        INTERPOLATIONS[section.interpolation], state.interpolation, z_plane, labels
    )
    state = replace(state, reposition=reposition, interpolation=interpolation)
    return state, PlacedSlice(index, z_plane, labels), _item(planes)


def close_growth(state: GrowthState, section: VolumeSection) -> Planes:
    """The planes that were waiting for slices that will not come."""
    return _item(finish(INTERPOLATIONS[section.interpolation], state.interpolation))


def measure_planes(state: GrowthState, planes: Planes) -> tuple[GrowthState, tuple[Metrics, ...]]:
    """Count new planes into the metrics; one record per plane."""
    measured: list[Metrics] = []
    metrics = state.metrics
    for offset, labels in enumerate(planes.labels):
        metrics = add_plane(metrics, labels)
        measured.append(_metrics(planes.first + offset, figures(metrics, state.grid.grid_nm)))
    return replace(state, metrics=metrics), tuple(measured)


def curves(state: GrowthState) -> dict[str, NDArray[np.float64]]:
    """Two-point correlation and lineal path functions along x, y, z against the lag in nm."""
    current = figures(state.metrics, state.grid.grid_nm)
    lag_nm = np.arange(current.tpcf.shape[1]) * state.grid.grid_nm
    named = {"lag_nm": lag_nm}
    for axis, name in enumerate("xyz"):
        named |= {f"tpcf_{name}": current.tpcf[axis], f"lpf_{name}": current.lpf[axis]}
    return named


def stored(state: GrowthState) -> GrowthState:
    """The state as the journal keeps it: the planes it looks back at are in the volume already."""
    return replace(state, metrics=without_planes(state.metrics))


def restored(
    state: GrowthState, first: Sequence[NDArray[np.uint8]], last: Sequence[NDArray[np.uint8]]
) -> GrowthState:
    """The stored state with the volume's first and last planes put back."""
    return replace(state, metrics=with_planes(state.metrics, first, last))


def _item(planes: InterpolatedPlanes) -> Planes:
    return Planes(planes.first, planes.labels)


def _metrics(plane: int, current: MetricFigures) -> Metrics:
    return Metrics(
        plane=plane,
        solid_fraction=current.solid_fraction.value,
        e_tpcf=current.e_tpcf.value,
        e_lpf=current.e_lpf.value,
        e_d=current.e_d.value,
        d_xy_nm=current.d_xy_nm.value,
        d_xz_nm=current.d_xz_nm.value,
        d_yz_nm=current.d_yz_nm.value,
    )
