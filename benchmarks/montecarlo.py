"""The Monte Carlo microscope: coefficients, balances, noise, speed against the published tool; the fast image
beside it; how deep each voltage sees.

Published times: 512 slices of 512×512 px take about seven days, 1181 s a slice (Sardhara et al., "Generative
adversarial networks for creating realistic training data …", §1). Published coefficients: Monte Carlo and
measurements agree to about ±10 % (Joy, Scanning 17, 270 (1995)); Hunger & Küchler hold from 4 kV on.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from algorithms.backscatter_formula import VALID_KEV, hunger_kuechler
from algorithms.depth_response import weighted_sum
from algorithms.electron_transport import kernels
from algorithms.electron_transport.cells import pack_cells
from algorithms.electron_transport.exposure import (
    CPU,
    Beam,
    Fates,
    Raster,
    Sample,
    best_device,
    count_detected,
    load_sample,
    record_fates,
)
from algorithms.electron_transport.materials import CARBON, EPOXY, GOLD, Material
from algorithms.electrons import layer_depths_nm
from algorithms.imaging import backscatter_image
from algorithms.network_volumes import draw_level, level_thickness_nm
from daemon.synthesize.designs import Design, make_specimen
from daemon.synthesize.options import StructureKind
from daemon.synthesize.structure import lineal_path_by_size
from models.backscatter import network_response, shipped_network
from models.backscatter_runs import bulk_under_epoxy

PUBLISHED_S = 7 * 24 * 3600 / 512
SIDE_PX = 512
DOSE = 30
"""Electrons per pixel."""
VOXEL_NM = 2.5
DEPTH_NM = 500.0
VOLTAGES_KV = (1.0, 2.0, 4.0)
DEPTH_STEPS_NM = {1.0: 1.25, 2.0: 2.5, 4.0: 10.0}
TABULATED = {
    "gold": (GOLD, 79, {1: 0.44, 2: 0.47, 4: 0.48, 10: 0.48, 20: 0.483}),
    "carbon": (CARBON, 6, {1: 0.12, 2: 0.10, 4: 0.08, 10: 0.07, 20: 0.058}),
}
"""Bulk coefficients by kV (SCIENCE §7; at 20 kV the closed form), each ±10 %."""

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Effort:
    """Electrons per bulk coefficient; rows of a slice that are timed; side, px, and dose of the images that
    are compared; edge of the structures, voxels; electrons per depth."""

    bulk: int
    rows: int
    compared_px: int
    compared_dose: int
    edge: int
    per_depth: int


QUICK = Effort(bulk=6_000, rows=12, compared_px=48, compared_dose=60, edge=128, per_depth=3_000)
FULL = Effort(bulk=100_000, rows=SIDE_PX, compared_px=128, compared_dose=200, edge=256, per_depth=40_000)


def measure(quick: bool) -> tuple[Table, Figures]:
    """All figures; a GPU, if Warp finds one, is timed too."""
    effort = QUICK if quick else FULL
    table = Table("what", "measured", "reference", title="Monte Carlo backscattered electrons")
    figures: Figures = {}
    for part in (_coefficients, _balances, _convergence, _speed, _fast_image, _depths, _structures):
        figures |= part(effort, table)
        table.add_section()
    return table, figures


def _bulk(material: Material, kev: float, electrons: int) -> Fates:
    sample = load_sample(pack_cells(np.zeros((1, 1, 1), np.uint8)), 50.0, [material])
    return record_fates(sample, Beam(kev), electrons, (1, material.mass_fractions[0][0], round(kev * 1000)))


def _coefficients(effort: Effort, table: Table) -> Figures:
    figures: Figures = {}
    for name, (material, number, published) in TABULATED.items():
        for kev, reference in published.items():
            fates = _bulk(material, kev, max(2000, effort.bulk // max(1, kev // 4)))
            eta = float(fates.escaped.mean())
            sigma = np.sqrt(eta * (1 - eta) / len(fates.fate))
            closed = f", HK {hunger_kuechler(number, kev):.3f}" if kev >= VALID_KEV[0] else ""
            table.add_row(f"η {name} {kev} kV", f"{eta:.4f} ± {sigma:.4f}", f"{reference:g} ± 10 %{closed}")
            figures[f"eta_{name}_{kev}kv"] = eta
            figures[f"eta_{name}_{kev}kv_over_published"] = eta / reference
    return figures


def _balances(effort: Effort, table: Table) -> Figures:
    """On the mixed structure at 2 kV: energy that came back or stayed, over energy sent; and electrons."""
    fates = record_fates(_sample(), Beam(2.0), effort.bulk, (2,))
    energy = float(
        (fates.energy_kev.astype(np.float64) + fates.deposited_kev).sum() / (2.0 * effort.bulk) - 1
    )
    ended = np.isin(fates.fate, (kernels.ABSORBED, kernels.ESCAPED)).mean()
    table.add_row("energy back and deposited over sent, less 1", f"{energy:.1e}", "0")
    table.add_row("electrons absorbed or escaped, of those sent", f"{ended:.6f}", "1")
    return {"energy_balance_error": abs(energy), "flux_balance_error": float(1 - ended)}


def _convergence(effort: Effort, table: Table) -> Figures:
    """The slope of the scatter of a coefficient against the number of electrons, both logarithmic."""
    escaped = _bulk(GOLD, 1.0, 20 * effort.bulk).escaped.astype(np.float64)
    sizes = np.array([10, 30, 100, 300, 1000])
    scatter = [escaped[: len(escaped) // n * n].reshape(-1, n).mean(axis=1).std() for n in sizes]
    slope = float(np.polyfit(np.log(sizes), np.log(scatter), 1)[0])
    table.add_row("scatter ∝ electrons to the power", f"{slope:.3f}", "-0.5")
    return {"convergence_exponent": slope}


@lru_cache(maxsize=1)
def _phases() -> NDArray[np.uint8]:
    """Hierarchical nanoporous gold in epoxy, 15 and 110 nm, 512 × 512 px of 2.5 nm, 0.5 µm deep."""
    design = Design(
        StructureKind.HIERARCHICAL,
        (round(DEPTH_NM / VOXEL_NM), SIDE_PX, SIDE_PX),
        VOXEL_NM,
        0.125,
        (110.0, 15.0),
        1,
    )
    return make_specimen(design).phases


@lru_cache(maxsize=1)
def _sample() -> Sample:
    return load_sample(pack_cells(_phases()), VOXEL_NM, [EPOXY, GOLD])


def _timed(sample: Sample, kev: float, rows: int, threads: int) -> tuple[float, NDArray[np.int32]]:
    """Seconds for a whole slice, from as many rows as are timed, and their counts."""
    raster = Raster(rows, SIDE_PX, VOXEL_NM, VOXEL_NM, DOSE)
    count_detected(sample, Beam(kev), Raster(1, SIDE_PX, VOXEL_NM, VOXEL_NM, 1), (0,))
    started = time.perf_counter()
    counts = count_detected(sample, Beam(kev), raster, (3, round(kev * 1000)), threads=threads)
    return (time.perf_counter() - started) * SIDE_PX / rows, counts


def _speed(effort: Effort, table: Table) -> Figures:
    figures: Figures = {"dose_electrons_per_pixel": DOSE, "published_s_per_slice": PUBLISHED_S}
    seconds: list[float] = []
    for kev in VOLTAGES_KV:
        taken, counts = _timed(_sample(), kev, effort.rows, 2)
        noise = float(np.sqrt(np.mean(counts * (DOSE - counts)) / DOSE) / counts.mean())
        seconds.append(taken)
        figures[f"s_per_slice_{kev:g}kv"] = taken
        figures[f"relative_noise_{kev:g}kv"] = noise
        table.add_row(
            f"512×512 slice, {kev:g} kV, {DOSE} electrons per pixel, 2 threads",
            f"{taken:.1f} s, noise {100 * noise:.0f} % of the mean",
            f"{PUBLISHED_S:.0f} s published",
        )
    figures["speedup_vs_published"] = PUBLISHED_S / float(np.mean(seconds))
    figures["slowest_speedup_vs_published"] = PUBLISHED_S / max(seconds)
    table.add_row("faster, mean of the voltages", f"{figures['speedup_vs_published']:.0f} ×", "≥ 10 ×")
    for threads in (1, 2):
        taken, _ = _timed(_sample(), 2.0, max(effort.rows // 4, 8), threads)
        figures[f"electrons_per_s_{threads}_threads"] = SIDE_PX**2 * DOSE / taken
        table.add_row(f"electrons/s, 2 kV, {threads} thread(s)", f"{SIDE_PX**2 * DOSE / taken:.0f}", "")
    figures["cores"] = float(os.cpu_count() or 1)
    return figures | _gpu(table)


def _gpu(table: Table) -> Figures:
    """The whole series of 512 slices at three voltages on a GPU, from one slice; NaN where there is none."""
    if best_device() == CPU:
        table.add_row("512 slices at three voltages on a GPU", "not measured: no GPU", "minutes")
        return {"gpu_series_minutes": float("nan")}
    sample = load_sample(pack_cells(_phases()), VOXEL_NM, [EPOXY, GOLD], best_device())
    total = sum(_timed(sample, kev, SIDE_PX, 1)[0] for kev in VOLTAGES_KV)
    table.add_row("512 slices at three voltages on a GPU", f"{total * 512 / 60:.1f} min", "minutes")
    return {"gpu_series_minutes": total * 512 / 60}


def _fast_image(effort: Effort, table: Table) -> Figures:
    """Against Monte Carlo on the same face, less the part of the variance that is its noise."""
    side, figures = effort.compared_px, Figures()
    for kev in VOLTAGES_KV:
        raster = Raster(side, side, VOXEL_NM, VOXEL_NM, effort.compared_dose)
        truth = count_detected(_sample(), Beam(kev), raster, (5,), threads=2) / effort.compared_dose
        layers, depths_nm = _phases()[:160], np.arange(160, dtype=np.float64) * VOXEL_NM
        pixel_nm = (VOXEL_NM, VOXEL_NM)
        fast = backscatter_image(layers, depths_nm, kev, pixel_nm, network_response(kev))[:side, :side]
        formula = backscatter_image(layers, depths_nm, kev, pixel_nm)[:side, :side]
        published = weighted_sum(layers[::4][:15], _weights(kev))[:side, :side]
        name = f"{kev:g}kv"
        for label, image in (("fast", fast), ("formula", formula), ("weighted_sum", published)):
            figures[f"{label}_correlation_{name}"] = _correlation(image, truth, effort.compared_dose)
        noisy = np.random.default_rng(0).binomial(effort.compared_dose, np.clip(fast, 0, 1))
        distance = _histogram_distance(noisy / effort.compared_dose, truth)
        figures[f"fast_histogram_distance_{name}"] = distance
        table.add_row(
            f"fast image, {kev:g} kV: correlation, histogram distance",
            f"{figures[f'fast_correlation_{name}']:.3f}, {distance:.4f} (signal)",
            f"formula {figures[f'formula_correlation_{name}']:.3f}, "
            f"weighted sum {figures[f'weighted_sum_correlation_{name}']:.3f}",
        )
    return figures | _fast_speed(table)


def _weights(kev: float) -> NDArray[np.float64]:
    """The network's coefficients of gold 0–140 nm deep, less epoxy's."""
    rows = np.stack(np.broadcast_arrays(79.0, kev, np.arange(0.0, 150.0, 10.0)), axis=1)
    eta = shipped_network().eta(rows)
    return np.clip(eta - eta.min(), 0, None)


def _correlation(image: NDArray[np.float32], truth: NDArray[np.float64], dose: int) -> float:
    noise = float(np.mean(truth * (1 - truth)) / (dose - 1))
    covariance = float(np.mean((image - image.mean()) * (truth - truth.mean())))
    return covariance / float(image.std() * np.sqrt(truth.var() - noise))


def _histogram_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Earth mover's distance of two histograms of one number of values: mean difference of sorted values."""
    return float(np.abs(np.sort(a, axis=None) - np.sort(b, axis=None)).mean())


def _fast_speed(table: Table) -> Figures:
    """512 slices at three voltages, from one."""
    started = time.perf_counter()
    for kev in VOLTAGES_KV:
        # Layers of 2.5 nm at the face and ever thicker ones below, as the emulator takes them.
        planes = np.unique(np.rint(layer_depths_nm(kev) / VOXEL_NM).astype(np.int64))
        depths_nm = planes.astype(np.float64) * VOXEL_NM
        backscatter_image(_phases()[planes], depths_nm, kev, (VOXEL_NM, VOXEL_NM), network_response(kev))
    taken = (time.perf_counter() - started) * 512
    table.add_row(
        "fast image: 512 slices at three voltages, 1 thread", f"{taken:.0f} s", "seconds, with a GPU"
    )
    return {"fast_s_512_slices": taken / 3, "fast_s_512_slices_three_voltages": taken}


def depth_response(kev: float, depths_nm: NDArray[np.float64], electrons: int) -> NDArray[np.float64]:
    """Contrast of bulk gold under epoxy over that at the face: (n,), by Monte Carlo."""
    step_nm = float(depths_nm[1])
    eta = np.array([bulk_under_epoxy(GOLD, float(d), kev, electrons, 11, step_nm) for d in depths_nm])
    epoxy = bulk_under_epoxy(EPOXY, 0.0, kev, 2 * electrons, 11)
    return (eta - epoxy) / (eta[0] - epoxy)


def visible_depth_nm(depths_nm: NDArray[np.float64], response: NDArray[np.float64]) -> float:
    """Where the response first falls to 1/e, linear between depths."""
    after = int(np.argmax(response < np.exp(-1)))
    share = (response[after - 1] - np.exp(-1)) / (response[after - 1] - response[after])
    return float(depths_nm[after - 1] + share * (depths_nm[after] - depths_nm[after - 1]))


def _depths(effort: Effort, table: Table) -> Figures:
    figures: Figures = {}
    for kev in VOLTAGES_KV:
        depths_nm = np.arange(0.0, 20.1) * DEPTH_STEPS_NM[kev]
        simulated = visible_depth_nm(depths_nm, depth_response(kev, depths_nm, effort.per_depth))
        fine_nm = np.arange(0.0, 191.0)
        below = network_response(kev).below(fine_nm.astype(np.float32)).astype(np.float64)
        fast = visible_depth_nm(fine_nm, below)
        figures[f"visible_depth_{kev:g}kv_nm"] = simulated
        figures[f"fast_visible_depth_{kev:g}kv_nm"] = fast
        table.add_row(
            f"1/e depth under epoxy, {kev:g} kV", f"{simulated:.0f} nm", f"fast image {fast:.0f} nm"
        )
    return figures


def _structures(effort: Effort, table: Table) -> Figures:
    edge = effort.edge
    specimen = make_specimen(
        Design(StructureKind.HIERARCHICAL, (edge, edge, edge), VOXEL_NM, 0.125, (60.0, 12.0), 3)
    )
    error = float(100 * abs(specimen.phases.mean() / 0.125 - 1))
    table.add_row("solid fraction, error", f"{error:.4f} %", "≤ 0.2 %")
    figures = {"solid_fraction_error_percent": error}
    for share in (0.2, 0.354):
        levels = [draw_level(1100.0, 110.0, share, np.random.default_rng(i)) for i in range(3)]
        off = float(100 * (np.mean([level_thickness_nm(level) for level in levels]) / 110.0 - 1))
        figures[f"ligament_error_at_{round(100 * share)}_percent_solid"] = off
        table.add_row(f"ligaments, {share:g} solid, error, mean of 3", f"{off:+.1f} %", "≤ 5 %")
    for row in lineal_path_by_size(specimen.phases, VOXEL_NM):
        figures[f"e_lpf_{row['edge_nm']:.0f}nm"] = row["e_lpf"]
        table.add_row(f"e_LPF of cubes of {row['edge_nm']:.0f} nm", f"{row['e_lpf']:.4f}", "falls")
    return figures
