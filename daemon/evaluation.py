"""How close a run came to the truth of the emulated microscope that it watched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from algorithms.scores import (
    Confusion,
    confusion,
    intersection_over_union,
    mean_dice,
    misplaced_percent,
    missed_percent,
    weighted_error_percent,
)
from algorithms.volume_figures import figures
from algorithms.volume_metrics import add_plane, start_metrics
from daemon.config import Configuration
from daemon.emulator import Truth, load_truth
from daemon.items import Status
from daemon.outputs import Outputs
from daemon.tables import known, read_table, write_summary

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """A run's slices beside the truth's rows for them."""

    rows: list[dict[str, str]]
    truth: Truth
    configuration: Configuration

    def measured(self, column: str) -> Numbers:
        """A column of the table, NaN where it is empty."""
        return np.array([float(row[column]) if row[column] else np.nan for row in self.rows])

    @property
    def truth_index(self) -> NDArray[np.int64]:
        """Row of the truth for each row of the table; slices count from 1."""
        return np.array([int(row["slice"]) - 1 for row in self.rows], dtype=np.int64)


def evaluate(outputs: Outputs, truth_file: Path, configuration: Configuration) -> dict[str, Any]:
    """The summary of a finished run with every key that needs a truth filled in; also written back.

    Raises
    ------
    ConfigurationError
        The truth cannot be read.
    """
    compared = _Compared(read_table(outputs.slices), load_truth(truth_file), configuration)
    summary: dict[str, Any] = json.loads(outputs.summary.read_text(encoding="utf-8"))
    summary |= {
        "thickness_rmse_nm": thickness_rmse_nm(compared),
        "registration_rmse_px": registration_rmse_px(compared),
        **_segmentation(compared, outputs),
        **_volume(compared, outputs),
    }
    write_summary(outputs.summary, summary)
    return known(summary)


def thickness_rmse_nm(compared: _Compared) -> float:
    """A mean of slices against the true mean; what was assumed counts like what was measured."""
    index, thickness = compared.truth_index, compared.measured("thickness_nm")
    slices = np.nan_to_num(compared.measured("mean_of_slices"), nan=1.0).astype(np.intp)
    depths = compared.truth.depths_nm
    true = (depths[index] - depths[np.maximum(index - slices, 0)]) / slices
    return _rms((thickness - true)[np.isfinite(thickness) & (index >= slices)])


def registration_rmse_px(compared: _Compared) -> float:
    """Per component, over all slices and channels."""
    errors: list[Numbers] = []
    for name in compared.configuration.channel_names:
        channel = compared.truth.channel_names.index(name)
        for component, axis in enumerate("yx"):
            true = compared.truth.shifts_px[compared.truth_index, channel, component]
            errors.append(compared.measured(f"shift_{axis}_px_{name}") - true)
    every = np.concatenate(errors)
    return _rms(every[np.isfinite(every)])


def _segmentation(compared: _Compared, outputs: Outputs) -> dict[str, float]:
    """Scores of the final faces in native pixels, as published tables score slices."""
    labels: Any = zarr.open_array(str(outputs.faces), mode="r")
    final = [row for row in compared.rows if row["status"] == Status.FINAL]
    phases = compared.truth.phases
    matrix = np.zeros((phases, phases), np.int64)
    for order, row in enumerate(final):
        true = compared.truth.face_labels(int(row["slice"]) - 1)
        matrix += confusion(true, np.asarray(labels[order]), phases)
    return {
        "mp_percent": misplaced_percent(matrix),
        "mgp_percent": missed_percent(matrix),
        "mean_dice": mean_dice(matrix),
        **_by_phase(matrix),
    }


def _by_phase(matrix: Confusion, prefix: str = "") -> dict[str, float]:
    """Overlap and true and found share of every phase, and the weighted error; nothing of two phases, whose
    scores say it all."""
    if len(matrix) == 2:
        return {}
    scores = {f"{prefix}awe_percent": weighted_error_percent(matrix)}
    for phase in range(len(matrix)):
        scores |= {
            f"{prefix}iou_phase_{phase}": intersection_over_union(matrix, phase),
            f"{prefix}fraction_phase_{phase}": float(matrix[:, phase].sum() / matrix.sum()),
            f"{prefix}true_fraction_phase_{phase}": float(matrix[phase].sum() / matrix.sum()),
        }
    return scores


def _volume(compared: _Compared, outputs: Outputs) -> dict[str, float]:
    """The isotropic volume, interpolated planes included, against the true structure on the same grid."""
    volume: Any = zarr.open_array(str(outputs.volume / "0"), mode="r")
    grid_nm = compared.configuration.volume.grid_nm
    state = start_metrics(*volume.shape[1:], lags=compared.configuration.volume.metric_lags)
    phases = compared.truth.phases
    matrix = np.zeros((phases, phases), np.int64)
    for plane, true in _true_planes(compared, volume.shape, grid_nm):
        matrix += confusion(true, np.asarray(volume[plane]), phases)
        state = add_plane(state, true)
    ideal = figures(state, grid_nm)
    return {
        "volume_mean_dice": mean_dice(matrix),
        "volume_mp_percent": misplaced_percent(matrix),
        **_by_phase(matrix, "volume_"),
        "true_solid_fraction": ideal.solid_fraction.value,
        "true_e_tpcf": ideal.e_tpcf.value,
        "true_e_lpf": ideal.e_lpf.value,
        "true_e_d": ideal.e_d.value,
    }


def _true_planes(
    compared: _Compared, shape: tuple[int, int, int], grid_nm: float
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    truth = compared.truth
    x, y, _, _ = truth.roi
    y_nm = y * truth.pixel_y_nm + np.arange(shape[1], dtype=np.float64) * grid_nm
    x_nm = x * truth.pixel_size_nm + np.arange(shape[2], dtype=np.float64) * grid_nm
    for plane in range(shape[0]):
        yield plane, truth.volume_labels(np.array([plane * grid_nm]), y_nm, x_nm)[0]


def _rms(errors: Numbers) -> float:
    return float(np.sqrt(np.mean(errors**2))) if errors.size else float("nan")
