"""``slicewatch metrics``: the figures of a stored volume, counted anew, on the whole region or in patches.

The live figures come from the same accumulators, so this is also the check that a run's table is right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from math import isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from algorithms.patches import PatchMean, patch_figures
from algorithms.volume_metrics import Survey, add_plane, add_unmeasured_plane, start_patch_metrics
from daemon.config import VolumeSection
from daemon.errors import ConfigurationError, FolderError
from daemon.items import PlaneKind
from daemon.journal_bodies import read_records
from daemon.outputs import Outputs
from daemon.stages.quantifying import PATCH_FIGURES, add_to_material, material_row, start_material
from daemon.tables import known, read_table

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
    shape, section = _settings(output)
    state = start_material(shape[1], shape[2], section.metric_lags, section.metric_patch_px)
    last = PlaneKind.MEASURED
    for labels, last in _planes(output):
        state = add_to_material(state, labels, last)
    return asdict(material_row(state, shape[0] - 1, last, section.grid_nm))


def measure_patches(output: Path, patch_px: int) -> dict[str, Any]:
    """Means over lateral patches, each measured by itself, with their standard errors (``…_sigma``) and the
    ends of their 95 % bands (``…_low``, ``…_high``).

    Raises
    ------
    FolderError
        The folder holds no volume.
    ConfigurationError
        No patch of this size fits, or its side is not a multiple of 64 px.
    """
    shape, section = _settings(output)
    try:
        state = start_patch_metrics(shape[1], shape[2], patch_px=patch_px, lags=section.metric_lags)
    except ValueError as error:
        raise ConfigurationError(
            str(error), where=f"--patch {patch_px}", remedy="Give a multiple of 64 that fits into the region."
        ) from error
    for labels, kind in _planes(output):
        is_bridged = kind is PlaneKind.BRIDGED
        state = add_unmeasured_plane(state) if is_bridged else add_plane(state, labels)
    return {
        "patch_px": patch_px,
        "planes": shape[0],
        **(_patch_means(state.patches) if state.patches else {}),
    }


def _patch_means(patches: Survey) -> dict[str, Any]:
    found = patch_figures(patches)
    means: dict[str, PatchMean] = {name: getattr(found, name) for name in PATCH_FIGURES}
    values = {name: mean.value for name, mean in means.items()}
    ends = ("sigma", "low", "high")
    bands = {f"{name}_{end}": getattr(mean, end) for name, mean in means.items() for end in ends}
    return {"patches": found.patches, **values, **bands}


def figures_table(figures: dict[str, Any]) -> Table:
    """A line per figure, with its standard error and its 95 % band beside it."""
    table = Table("figure", "value", "± σ", "95 % band")
    for name, value in figures.items():
        if not name.endswith(("_sigma", "_low", "_high")) and name != "ligament_sigma_nm":
            sigma = figures.get(f"{name}_sigma", figures.get(name.replace("_nm", "_sigma_nm")))
            shown = "" if sigma is None or sigma is value else f"{sigma:.4g}"
            band = "" if sigma is value else _band(figures, name, sigma)
            table.add_row(name, f"{value:.5g}" if isinstance(value, float) else str(value), shown, band)
    return table


def _band(figures: dict[str, Any], name: str, sigma: float | None) -> str:
    """The ends that were measured, else so many standard errors to either side; nothing where unknown."""
    half = (sigma or nan) * figures.get("band_sigmas", nan)
    low, high = figures.get(f"{name}_low"), figures.get(f"{name}_high")
    if low is None and isfinite(half):
        low, high = figures[name] - half, figures[name] + half
    return "" if low is None or high is None else f"{low:.4g} … {high:.4g}"


def _settings(output: Path) -> tuple[tuple[int, int, int], VolumeSection]:
    """Shape of the volume, and what its run was told about it."""
    outputs = Outputs(output)
    if not (outputs.volume / "0" / "zarr.json").exists() or not outputs.journal.exists():
        raise FolderError(
            "this is not the output folder of a run with a volume",
            where=str(output),
            remedy="Give the folder that run.output names, once planes are final.",
        )
    configuration, _ = read_records(outputs.journal, "metrics")
    section = VolumeSection.model_validate(configuration["volume"])
    array: Any = zarr.open_array(str(outputs.volume / "0"), mode="r")
    z, y, x = array.shape
    return (z, y, x), section


def _planes(output: Path) -> Iterator[Plane]:
    """Every plane of the table, with what it is."""
    outputs = Outputs(output)
    array: Any = zarr.open_array(str(outputs.volume / "0"), mode="r")
    for row in read_table(outputs.metrics):
        yield np.asarray(array[int(row["plane"])]), PlaneKind(row["kind"])
