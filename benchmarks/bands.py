"""How often the 95 % bands of the volume's figures hold the material's own value.

Many independent samples of materials whose solid fraction is known; the ligament diameter of a material is
that of all its samples together. Each sample is measured as the daemon measures it. Beside the band stands
what the plain one would do: blocks taken for independent and their spread for known, ± 1.96 standard errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy import stats

from algorithms.block_errors import band_sigmas, standard_error
from algorithms.ligaments import changes_per_px, cylinder_diameter_px, surface_density_per_px
from algorithms.structures import (
    INCOMMENSURATE,
    SAMPLES_PER_WAVELENGTH,
    HierarchicalStructure,
    WaveField,
    levelled_wave_field,
    solid_at,
    wavelength_nm,
)
from algorithms.volume_figures import Probabilities, leaving_one_out, probabilities
from algorithms.volume_metrics import Survey, add_plane, start_metrics

Numbers = NDArray[np.float64]

VOXEL_NM = 2.5
SEED = 95
SAMPLES = {True: 6, False: 200}
NORMAL = 1.96
FIGURES = ("solid_fraction", "ligament")


@dataclass(frozen=True, slots=True)
class Case:
    """A material and how much of it is seen; ``fine_nm`` 0: ligaments without a structure of their own."""

    name: str
    coarse_nm: float
    fine_nm: float
    solid_fraction: float
    shape: tuple[int, int, int]


CASES = (
    Case("hierarchical gold, 16 planes", 110.0, 15.0, 0.125, (16, 256, 256)),
    Case("hierarchical gold, wide", 110.0, 15.0, 0.125, (16, 192, 640)),
    Case("ligaments of 30 nm", 30.0, 0.0, 0.3, (16, 256, 256)),
    Case("ligaments of 70 nm", 70.0, 0.0, 0.3, (16, 256, 256)),
    Case("ligaments of 220 nm, 1.6 waves a side", 220.0, 30.0, 0.125, (16, 256, 256)),
)


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Coverage by case and figure, and the lowest and highest of them."""
    samples = SAMPLES[quick]
    table = Table("material", "figure", "95 % band holds", "± 1.96 holds", title=f"{samples} samples each")
    found: dict[str, list[float]] = {"coverage": [], "plain": []}
    for number, case in enumerate(CASES):
        banded, plain = coverage(case, samples, number)
        for figure, ours, theirs in zip(FIGURES, banded, plain, strict=True):
            table.add_row(case.name, figure, f"{ours:.3f}", f"{theirs:.3f}")
        found["coverage"] += banded
        found["plain"] += plain
    figures = {f"lowest_{name}": min(values) for name, values in found.items()}
    figures |= {f"mean_{name}": float(np.mean(values)) for name, values in found.items()}
    return table, figures | {"samples": float(samples)}


def coverage(case: Case, samples: int, number: int) -> tuple[list[float], list[float]]:
    """Shares of the samples whose band holds the truth, by figure: ours, and the plain one."""
    rng = np.random.default_rng([SEED, number])
    surveys = [sample(case, rng) for _ in range(samples)]
    blocks = surveys[0].grid.shape
    resampled = [_resampled(probabilities(survey, leaving_one_out)) for survey in surveys]
    values = np.array([figures[0] for figures in resampled])
    truth = np.array([case.solid_fraction, values[:, 1].mean()])
    ours = band_sigmas(blocks) * np.array([standard_error(one[1:], blocks) for one in resampled])
    plain = NORMAL * np.array([_of_independent_blocks(one[1:]) for one in resampled])
    held = [np.mean(np.abs(values - truth) <= half, axis=0).tolist() for half in (ours, plain)]
    return held[0], held[1]


def sample(case: Case, rng: np.random.Generator) -> Survey:
    """Counts of one sample of the material."""
    structure = material(case, rng)
    z_nm, y_nm, x_nm = (np.arange(side, dtype=np.float64) * VOXEL_NM for side in case.shape)
    state = start_metrics(*case.shape[1:], lags=1)
    for plane in solid_at(structure, z_nm, y_nm, x_nm):
        state = add_plane(state, plane)
    return state.region


def material(case: Case, rng: np.random.Generator) -> HierarchicalStructure:
    """Levelled waves whose boxes are wider than what is seen of them, so that nothing is seen twice.

    Thresholds are those of the normal distribution: the solid fraction is right on average over materials,
    not in every box.
    """
    level = case.solid_fraction**0.5 if case.fine_nm else case.solid_fraction
    cut = float(stats.norm.isf(level))
    field = partial(_field, case, level=level, rng=rng)
    coarse = field(ligament_nm=case.coarse_nm, rate=SAMPLES_PER_WAVELENGTH)
    if not case.fine_nm:
        return HierarchicalStructure(coarse, coarse, cut, cut)
    fine = field(ligament_nm=case.fine_nm, rate=SAMPLES_PER_WAVELENGTH * INCOMMENSURATE)
    return HierarchicalStructure(coarse, fine, cut, cut)


def _field(
    case: Case, *, ligament_nm: float, rate: float, level: float, rng: np.random.Generator
) -> WaveField:
    wave_nm = wavelength_nm(ligament_nm, level)
    widest_nm = max(case.shape) * VOXEL_NM
    size = max(24, 2 * ceil(0.55 * rate * widest_nm / wave_nm))
    return levelled_wave_field(size, wave_nm / rate, wave_nm, rng)


def _resampled(shares: Probabilities) -> Numbers:
    """Solid fraction and ligament diameter (px) of every resample, ``(1 + blocks, 2)``."""
    solid_fraction = shares.tpcf[:, 0, 0]
    surface = surface_density_per_px(changes_per_px(shares.change))
    return np.stack((solid_fraction, cylinder_diameter_px(solid_fraction, surface)), axis=-1)


def _of_independent_blocks(leave_one_out: Numbers) -> Numbers:
    """The plain jackknife (Miller, Biometrika 61 (1974), equation 1.3)."""
    blocks = len(leave_one_out)
    return np.sqrt((blocks - 1) * np.mean((leave_one_out - leave_one_out.mean(axis=0)) ** 2, axis=0))
