"""The material in numbers, plane by plane: correlation, anisotropy, ligament sizes, connectivity, a verdict.

Bridged planes keep their place along z and count nowhere: no segment ends on them, no path and no
connection leads through them (so ``largest_share`` is a lower bound). Ligament sizes come from measured
faces alone, because what an interpolation makes of a ligament is no measurement of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from algorithms.connectivity import (
    ConnectivityState,
    connectivity_of,
    join,
    largest_share,
    with_faces,
    without_faces,
)
from algorithms.local_thickness import mean_thickness_px, thickness_counts
from algorithms.patches import PatchMean, patch_figures
from algorithms.representative import in_words, judge_volume
from algorithms.volume_figures import MetricFigures, figures
from algorithms.volume_metrics import (
    SOLID,
    MetricsState,
    Survey,
    add_plane,
    add_unmeasured_plane,
    start_metrics,
    start_patch_metrics,
    with_planes,
    without_planes,
)
from daemon.items import Metrics, PlaneKind
from models.spec import MOST_CLASSES

Labels = NDArray[np.uint8]
Numbers = NDArray[np.float64]

PATCH_FIGURES: Final = ("solid_fraction", "e_tpcf", "e_lpf", "e_d")
DIAMETERS_PX: Final = (
    *(2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 27, 33, 40, 48, 58, 70),
    *(84, 101, 121, 145, 174, 209),
)
"""Steps of about a fifth, 5 to 523 nm on the 2.5 nm grid: both ligament sizes of hierarchical gold, and
coarser ones. Once no disc fits, larger ones are not tried; what is thicker than the last counts as that."""


@dataclass(frozen=True, slots=True)
class MaterialState:
    """All counts of the planes so far.

    ``ligaments`` counts solid pixels of measured faces by local thickness; ``phases`` voxels by phase, of all
    planes that count; ``bridges`` are the (first, end) of runs of planes that were not counted.
    """

    metrics: MetricsState
    connectivity: ConnectivityState
    ligaments: NDArray[np.int64]
    phases: NDArray[np.int64]
    bridges: tuple[tuple[int, int], ...] = ()

    @property
    def planes(self) -> int:
        """Planes so far, bridged ones too."""
        return self.metrics.planes

    @property
    def lags(self) -> int:
        """How many planes the next one is compared with."""
        return self.metrics.lags


def start_material(height: int, width: int, lags: int, patch_px: int = 0) -> MaterialState:
    """The state of an empty stack of ``height`` × ``width`` planes.

    Patches of ``patch_px`` (a multiple of 64) are counted beside the region where at least one fits.
    """
    ligaments = np.zeros(len(DIAMETERS_PX) + 1, dtype=np.int64)
    if 0 < patch_px <= min(height, width):
        metrics = start_patch_metrics(height, width, lags=lags, patch_px=patch_px)
    else:
        metrics = start_metrics(height, width, lags=lags)
    return MaterialState(metrics, ConnectivityState(), ligaments, np.zeros(MOST_CLASSES, dtype=np.int64))


def add_to_material(state: MaterialState, labels: Labels, kind: PlaneKind) -> MaterialState:
    """The state with one more plane ``(y, x)`` behind the last."""
    if kind is PlaneKind.BRIDGED:
        return _with_bridged(state, labels)
    ligaments = state.ligaments
    if kind is PlaneKind.MEASURED:
        ligaments = ligaments + thickness_counts(labels == SOLID, DIAMETERS_PX)
    return replace(
        state,
        metrics=add_plane(state.metrics, labels),
        connectivity=join(state.connectivity, connectivity_of(labels)),
        ligaments=ligaments,
        phases=state.phases + np.bincount(labels.ravel(), minlength=MOST_CLASSES),
    )


def _with_bridged(state: MaterialState, labels: Labels) -> MaterialState:
    plane, bridges = state.planes, state.bridges
    first = plane
    if bridges and bridges[-1][1] == plane:
        first, bridges = bridges[-1][0], bridges[:-1]
    return replace(
        state,
        metrics=add_unmeasured_plane(state.metrics),
        connectivity=join(state.connectivity, connectivity_of(np.zeros_like(labels))),
        bridges=(*bridges, (first, plane + 1)),
    )


def material_row(state: MaterialState, plane: int, kind: PlaneKind, grid_nm: float) -> Metrics:
    """The row of ``metrics.csv`` after a plane."""
    now = figures(state.metrics, grid_nm)
    return Metrics(
        plane=plane,
        solid_fraction=now.solid_fraction.value,
        e_tpcf=now.e_tpcf.value,
        e_lpf=now.e_lpf.value,
        e_d=now.e_d.value,
        d_xy_nm=now.d_xy_nm.value,
        d_xz_nm=now.d_xz_nm.value,
        d_yz_nm=now.d_yz_nm.value,
        kind=kind,
        solid_fraction_sigma=now.solid_fraction.sigma,
        e_tpcf_sigma=now.e_tpcf.sigma,
        e_lpf_sigma=now.e_lpf.sigma,
        e_d_sigma=now.e_d.sigma,
        ligament_nm=now.ligament_nm.value,
        ligament_sigma_nm=now.ligament_nm.sigma,
        local_thickness_nm=mean_thickness_px(state.ligaments, DIAMETERS_PX) * grid_nm,
        surface_per_um=now.surface_per_um.value,
        euler_per_um3=now.euler_per_um3.value,
        largest_share=largest_share(state.connectivity),
        chord_x_nm=now.chord_x_nm.value,
        chord_y_nm=now.chord_y_nm.value,
        chord_z_nm=now.chord_z_nm.value,
        representative=in_words(judge_volume(now)),
        band_sigmas=now.band_sigmas,
        phase_fractions=phase_fractions(state.phases),
        **_patch_columns(state.metrics.patches),
    )


def phase_fractions(counts: NDArray[np.int64]) -> str:
    """Shares of the volume by phase, pore first; nothing of two phases, whose solid fraction says it."""
    if not counts[2:].any():
        return ""
    seen = counts[: int(np.flatnonzero(counts)[-1]) + 1]
    return " ".join(f"{share:.6f}" for share in seen / seen.sum())


def _patch_columns(patches: Survey | None) -> dict[str, Any]:
    """What a row says of patches; nothing where there are none."""
    if patches is None:
        return {}
    mean = patch_figures(patches)
    columns: dict[str, Any] = {"patches": mean.patches}
    for name in PATCH_FIGURES:
        one: PatchMean = getattr(mean, name)
        columns |= {f"patch_{name}": one.value, f"patch_{name}_low": one.low, f"patch_{name}_high": one.high}
    return columns


def material_curves(state: MaterialState, grid_nm: float) -> dict[str, Numbers]:
    """Two-point correlation and lineal path functions along x, y, z and their standard errors against
    ``lag_nm``, the share of chords by length against ``chord_nm`` (longer ones than the last lag are left
    out), and the share of the solid by local thickness against ``ligament_nm`` (0: thinner than the first
    diameter)."""
    now = figures(state.metrics, grid_nm)
    return (
        _correlations(now)
        | _chords(now)
        | {
            "ligament_nm": np.asarray((0, *DIAMETERS_PX)) * grid_nm,
            "ligament_share": state.ligaments / max(1, int(state.ligaments.sum())),
        }
    )


def _correlations(now: MetricFigures) -> dict[str, Numbers]:
    named = {"lag_nm": np.arange(now.tpcf.shape[1]) * now.voxel_nm}
    for axis, name in enumerate("xyz"):
        named |= {f"tpcf_{name}": now.tpcf[axis], f"lpf_{name}": now.lpf[axis]}
        named |= {f"tpcf_{name}_sigma": now.tpcf_sigma[axis], f"lpf_{name}_sigma": now.lpf_sigma[axis]}
    return named


def _chords(now: MetricFigures) -> dict[str, Numbers]:
    lengths = np.arange(1, now.chords.shape[1] + 1) * now.voxel_nm
    shares = now.chords / np.maximum(now.chords.sum(axis=1, keepdims=True), 1)
    return {"chord_nm": lengths} | {f"chords_{name}": shares[axis] for axis, name in enumerate("xyz")}


def without_kept(state: MaterialState) -> MaterialState:
    """The state less the planes that lie in the volume: small enough for a journal."""
    return replace(
        state,
        metrics=without_planes(state.metrics),
        connectivity=without_faces(state.connectivity),
    )


def with_kept(state: MaterialState, first: Sequence[Labels], last: Sequence[Labels]) -> MaterialState:
    """The state with its planes put back from the volume's first and last ``lags`` planes.

    Raises ValueError if those are not the planes it was made of.
    """
    if not state.planes:
        return state
    head = [_counted(state, plane, labels) for plane, labels in enumerate(first)]
    tail = [_counted(state, plane, labels) for plane, labels in enumerate(last, state.planes - len(last))]
    faces = [labels if labels.size else np.zeros_like(first[0]) for labels in (head[0], tail[-1])]
    return replace(
        state,
        metrics=with_planes(state.metrics, head, tail),
        connectivity=with_faces(state.connectivity, faces[0], faces[1]),
    )


def _counted(state: MaterialState, plane: int, labels: Labels) -> Labels:
    """A plane as it was counted: nothing where it was bridged."""
    is_bridged = any(begin <= plane < end for begin, end in state.bridges)
    return np.empty((0, 0), dtype=np.uint8) if is_bridged else labels
