"""How isotropic an isotropic structure looks when it was segmented and rebuilt from a held-out run.

The errors of Sardhara et al. (2023, equations 5 to 7; 2024, Table 4) there on a real sample, here on rendered
runs, whose truth is known: the structure's own error, which is not 0 in a finite sample, stands beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from algorithms.reposition import place_all
from algorithms.slice_filling import INTERPOLATIONS
from algorithms.structures import solid_at
from algorithms.volume_figures import figures
from algorithms.volume_metrics import add_plane, start_metrics
from daemon.tabulate.reconstruction import equidistant, shipped_filling
from models.evaluation import HeldOut, Sample, cluster_run, draw_sample, render_run, segment_run
from models.mimicking_sets import Labels, filled
from models.scenes import HELD_OUT_SEEDS
from models.session import Segmenter

SEEDS: Final = HELD_OUT_SEEDS[700:]
"""Beyond those of all other held-out runs."""
QUICK: Final = HeldOut(runs=1, height=64, width=96, slices=12)
FULL: Final = HeldOut(runs=2, height=224, width=224, slices=56)
MOST_LAGS: Final = 100
STRUCTURE: Final = "the structure itself"
TRUE_LABELS: Final = "true labels"

Errors = NDArray[np.float64]
"""e_TPCF, e_LPF, e_D."""


def anisotropy(segmenters: Mapping[str, Segmenter], effort: HeldOut) -> dict[str, Errors]:
    """Mean errors over the runs, by what was done.

    These are the structure itself; each network, k-means at each voltage and the true labels, all placed by
    their true depths and filled by the shipped network; and the late fusion's labels filled otherwise.
    """
    found = [_of_run(segmenters, seed, effort) for seed in SEEDS[: effort.runs]]
    return {name: np.mean([errors[name] for errors in found], axis=0) for name in found[0]}


def _of_run(segmenters: Mapping[str, Segmenter], seed: int, effort: HeldOut) -> dict[str, Errors]:
    sample, run = draw_sample(seed, effort), render_run(seed, effort)
    faces = {name: segment_run(segmenter, run) for name, segmenter in segmenters.items()}
    faces |= {f"kmeans_{voltage:g}kv": cluster_run(voltage, run) for voltage in run.voltages_kv}
    faces[TRUE_LABELS] = run.labels
    grid_nm = effort.pixel_nm
    planes = place_all((sample.depths_nm - sample.depths_nm[0]).tolist(), grid_nm)
    inpainted = shipped_filling()
    errors = {STRUCTURE: volume_errors(true_volume(sample, planes[-1] + 1), grid_nm)}
    errors |= {
        name: volume_errors(filled(labels, inpainted, planes), grid_nm) for name, labels in faces.items()
    }
    late, unplaced = faces["late_fusion"], equidistant(len(run.labels), grid_nm)
    for name, filling, at in (("cubic", "cubic", planes), ("not placed, nearest", "nearest", unplaced)):
        volume = filled(late, INTERPOLATIONS[filling], at)
        errors[f"late_fusion, {name}"] = volume_errors(volume, grid_nm)
    return errors


def true_volume(sample: Sample, planes: int) -> Labels:
    """The true volume on the grid of the pixels, from the first slice on."""
    depths_nm = sample.depths_nm[0] + np.arange(planes) * sample.grid.pixel_x_nm
    return solid_at(sample.structure, depths_nm, sample.grid.y_nm, sample.grid.x_nm)


def volume_errors(volume: Labels, voxel_nm: float) -> Errors:
    """As far as the volume has lags along its shortest side, at most MOST_LAGS of them."""
    state = start_metrics(*volume.shape[1:], lags=min(MOST_LAGS, min(volume.shape) // 2))
    for plane in volume:
        state = add_plane(state, plane)
    found = figures(state, voxel_nm)
    return np.array([found.e_tpcf.value, found.e_lpf.value, found.e_d.value])
