"""``slicewatch synthesize structure``: voxels as OME-Zarr, and what came out beside what was asked for."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from algorithms.anisotropy import e_l2
from algorithms.volume_figures import MetricFigures, figures
from algorithms.volume_metrics import add_plane, start_metrics
from daemon import __version__
from daemon.errors import FolderError
from daemon.synthesize.designs import Design, Specimen, level_figures, make_specimen
from daemon.synthesize.drawing import draw_structure
from daemon.synthesize.options import StructureKind
from daemon.volume_store import open_volume, write_atomically

VOLUME: Final = "structure.ome.zarr"
REPORT: Final = "structure.json"
PICTURE: Final = "structure.png"
LAGS: Final = 100
_BATCH: Final = 64
SPHERE_TO_CYLINDER: Final = 2 / 3
"""4 V/S of a sphere over its diameter."""


def synthesize_structure(design: Design, out: Path) -> dict[str, Any]:
    """Make a structure in the new folder ``out``: the volume, a report and its picture; returns the report.

    Raises
    ------
    ConfigurationError
        The design cannot be made.
    FolderError
        The folder is in use.
    StoreError
        The folder cannot be written.
    """
    require_new(out)
    specimen = make_specimen(design)
    report, measured = structure_report(specimen)
    provenance = {"synthesized": asdict(design), "version": __version__}
    store_phases(out / VOLUME, specimen.phases, design.voxel_nm, len(specimen.fractions), provenance)
    write_atomically(out / REPORT, json.dumps(report, indent=2) + "\n")
    draw_structure(specimen, report, measured, out / PICTURE)
    return report


def require_new(out: Path) -> None:
    """Make sure that a folder is new or empty.

    Raises
    ------
    FolderError
        It is not.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FolderError(
            "the folder is in use", where=str(out), remedy="Give a new folder; nothing is overwritten."
        )


def store_phases(
    path: Path, phases: NDArray[np.uint8], voxel_nm: float, count: int, provenance: dict[str, Any]
) -> None:
    """Write labels (z, y, x) as an OME-Zarr image with its pyramid."""
    height, width = phases.shape[1:]
    volume = open_volume(path, (height, width), voxel_nm, count, provenance)
    for first in range(0, len(phases), _BATCH):
        volume.append(first, phases[first : first + _BATCH])
    volume.close()


def structure_report(specimen: Specimen) -> tuple[dict[str, Any], MetricFigures]:
    """Asked for and obtained: phase fractions, sizes, correlation functions, anisotropy by sample size."""
    measured = phase_figures(specimen.phases, specimen.design.voxel_nm)
    counts = np.bincount(specimen.phases.ravel(), minlength=len(specimen.fractions))
    report: dict[str, Any] = {
        "design": asdict(specimen.design),
        "phase_fractions": {
            "asked": list(specimen.fractions),
            "obtained": (counts / specimen.phases.size).tolist(),
        },
        "networks": level_figures(specimen),
        "four_v_over_s_nm": measured.ligament_nm.value,
        "diameters_xy_xz_yz_nm": [d.value for d in (measured.d_xy_nm, measured.d_xz_nm, measured.d_yz_nm)],
        "surface_per_um": measured.surface_per_um.value,
        "euler_per_um3": measured.euler_per_um3.value,
        "e_tpcf": measured.e_tpcf.value,
        "e_lpf": measured.e_lpf.value,
        "e_d": measured.e_d.value,
        "e_lpf_by_size": lineal_path_by_size(specimen.phases, specimen.design.voxel_nm),
        "correlation": {
            "lag_nm": (np.arange(measured.tpcf.shape[1]) * specimen.design.voxel_nm).tolist(),
            "tpcf_xyz": measured.tpcf.tolist(),
            "lpf_xyz": measured.lpf.tolist(),
        },
    }
    if specimen.design.kind is StructureKind.SPHERES:
        obtained = measured.ligament_nm.value / SPHERE_TO_CYLINDER
        report["sphere_diameter"] = {"asked_nm": specimen.design.sizes_nm[0], "obtained_nm": obtained}
    return report, measured


def phase_figures(phases: NDArray[np.uint8], voxel_nm: float, lags: int = LAGS) -> MetricFigures:
    """Figures of phase 1 of a volume (z, y, x), as a run's volume has them."""
    state = start_metrics(*phases.shape[1:], lags=min(lags, min(phases.shape) - 1))
    for plane in phases:
        state = add_plane(state, plane)
    return figures(state, voxel_nm)


def lineal_path_by_size(phases: NDArray[np.uint8], voxel_nm: float) -> list[dict[str, float]]:
    """Mean e_LPF of the cubes that a volume is cut into, by their edge: it falls as the sample grows."""
    shortest = min(phases.shape)
    rows: list[dict[str, float]] = []
    for edge in (shortest // 4, shortest // 2, shortest):
        cubes = [
            phases[z : z + edge, y : y + edge, x : x + edge]
            for z in range(0, shortest - edge + 1, edge)
            for y in range(0, shortest - edge + 1, edge)
            for x in range(0, shortest - edge + 1, edge)
        ]
        lags = max(2, shortest // 8)
        each = [e_l2(phase_figures(cube, voxel_nm, lags).lpf[:, 1:]) for cube in cubes if (cube == 1).any()]
        rows.append({"edge_nm": edge * voxel_nm, "e_lpf": float(np.mean(each)), "cubes": float(len(cubes))})
    return rows
