"""``slicewatch metrics``: the figures of a stored volume, counted anew, on the whole region or in patches.

The live figures come from the same accumulators, so this is also the check that a run's table is right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from algorithms.patches import (
    add_plane_to_patches,
    add_unmeasured_plane_to_patches,
    patch_figures,
    start_patches,
)
from daemon.errors import ConfigurationError, FolderError
from daemon.items import PlaneKind
from daemon.journal import read_records
from daemon.outputs import Outputs
from daemon.stages.quantifying import add_to_material, material_row, start_material
from daemon.tables import known, read_table

PATCH_FIGURES = ("solid_fraction", "e_tpcf", "e_lpf", "e_d")
Plane = tuple[NDArray[np.uint8], PlaneKind]


def print_metrics(output: Path, patch_px: int, *, as_json: bool) -> None:
    """Show the figures of a stored volume; ``patch_px`` 0: of the whole region."""
    found = measure_patches(output, patch_px) if patch_px else measure_region(output)
    console = Console(highlight=False)
    if as_json:
        console.print(json.dumps(known(found)), soft_wrap=True)
    else:
        console.print(figures_table(found))


def measure_region(output: Path) -> dict[str, Any]:
    """The row of ``metrics.csv`` after the last plane, from the voxels on disk.

    Raises
    ------
    FolderError
        The folder holds no volume.
    """
    shape, grid_nm, lags = _settings(output)
    state, last = start_material(shape[1], shape[2], lags), PlaneKind.MEASURED
    for labels, last in _planes(output):
        state = add_to_material(state, labels, last)
    return asdict(material_row(state, shape[0] - 1, last, grid_nm))


def measure_patches(output: Path, patch_px: int) -> dict[str, Any]:
    """Means over lateral patches, each measured by itself, with their standard errors (``…_sigma``).

    Raises
    ------
    FolderError
        The folder holds no volume.
    ConfigurationError
        No patch of this size fits.
    """
    shape, grid_nm, lags = _settings(output)
    try:
        patches = start_patches(shape[1], shape[2], patch_px=patch_px, lags=lags)
    except ValueError as error:
        raise ConfigurationError(
            str(error), where=f"--patch {patch_px}", remedy="Choose a smaller patch."
        ) from error
    for labels, kind in _planes(output):
        is_bridged = kind is PlaneKind.BRIDGED
        patches = (
            add_unmeasured_plane_to_patches(patches) if is_bridged else add_plane_to_patches(patches, labels)
        )
    found = patch_figures(patches, grid_nm)
    estimates = {name: getattr(found, name) for name in PATCH_FIGURES}
    values = {name: estimate.value for name, estimate in estimates.items()}
    sigmas = {f"{name}_sigma": estimate.sigma for name, estimate in estimates.items()}
    return {"patch_px": patch_px, "patches": found.patches, "planes": shape[0], **values, **sigmas}


def figures_table(figures: dict[str, Any]) -> Table:
    """A line per figure, with its standard error beside it."""
    table = Table("figure", "value", "± σ")
    for name, value in figures.items():
        if not name.endswith("_sigma") and name != "ligament_sigma_nm":
            sigma = figures.get(f"{name}_sigma", figures.get(name.replace("_nm", "_sigma_nm")))
            shown = "" if sigma is None or sigma is value else f"{sigma:.4g}"
            table.add_row(name, f"{value:.5g}" if isinstance(value, float) else str(value), shown)
    return table


def _settings(output: Path) -> tuple[tuple[int, int, int], float, int]:
    """Shape of the volume, voxel and lags of its run."""
    outputs = Outputs(output)
    if not (outputs.volume / "0" / "zarr.json").exists() or not outputs.journal.exists():
        raise FolderError(
            "this is not the output folder of a run with a volume",
            where=str(output),
            remedy="Give the folder that run.output names, once planes are final.",
        )
    configuration, _ = read_records(outputs.journal, "metrics")
    section = configuration["volume"]
    array: Any = zarr.open_array(str(outputs.volume / "0"), mode="r")
    z, y, x = array.shape
    return (z, y, x), float(section["grid_nm"]), int(section["metric_lags"])


def _planes(output: Path) -> Iterator[Plane]:
    """Every plane of the table, with what it is."""
    outputs = Outputs(output)
    array: Any = zarr.open_array(str(outputs.volume / "0"), mode="r")
    for row in read_table(outputs.metrics):
        yield np.asarray(array[int(row["plane"])]), PlaneKind(row["kind"])
