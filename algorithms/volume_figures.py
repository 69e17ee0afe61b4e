"""Figures of the grown volume from its counts: solid fraction, anisotropy, diameters, each with a standard
error.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.anisotropy import e_d, e_l2
from algorithms.block_errors import Shape, band_sigmas, is_seen_repeatedly, standard_error
from algorithms.blocks import BlockGrid, Counts, starts_per_block
from algorithms.correlation import probability
from algorithms.ligaments import (
    changes_per_px,
    cylinder_diameter_px,
    mean_diameters_px,
    surface_density_per_px,
)
from algorithms.lineal_path import chord_length_counts
from algorithms.neighbourhood import DIRECTIONS
from algorithms.volume_metrics import MetricsState, Survey

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its standard error; NaN where not (yet) defined."""

    value: float
    sigma: float


@dataclass(frozen=True, slots=True)
class MetricFigures:
    """Figures of ``planes`` measured planes; curves ``(3, lags + 1)`` along x, y, z, index = lag in voxels,
    with their standard errors. All 95 % bands are ``band_sigmas`` standard errors to either side; NaN where
    the region is too small for bands.

    ``chords[axis, n - 1]`` counts solid chords of n voxels, ``chord_…_nm`` are their mean lengths; a chord
    that the region cuts counts with what is inside. Euler number: per µm³, negative for a network.
    """

    planes: int
    voxel_nm: float
    band_sigmas: float
    solid_fraction: Estimate
    e_tpcf: Estimate
    e_lpf: Estimate
    e_d: Estimate
    d_xy_nm: Estimate
    d_xz_nm: Estimate
    d_yz_nm: Estimate
    ligament_nm: Estimate
    surface_per_um: Estimate
    euler_per_um3: Estimate
    chord_x_nm: Estimate
    chord_y_nm: Estimate
    chord_z_nm: Estimate
    tpcf: Floats
    tpcf_sigma: Floats
    lpf: Floats
    lpf_sigma: Floats
    chords: Counts


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Resampled probabilities; the first axis is the resample."""

    tpcf: Floats
    lpf: Floats
    change: Floats
    euler: Floats


def figures(state: MetricsState, voxel_nm: float) -> MetricFigures:
    """All figures of a state whose voxels are ``voxel_nm`` wide."""
    grid = state.region.grid
    shares, blocks = probabilities(state.region, leaving_one_out), grid.shape
    sides_px = (grid.height, grid.width)
    solid_fraction = shares.tpcf[:, 0, 0]
    per_px = changes_per_px(shares.change)
    diameters = mean_diameters_px(solid_fraction, per_px)
    surface = surface_density_per_px(per_px)
    ligament = cylinder_diameter_px(solid_fraction, surface)
    chord_x, chord_y, chord_z = (_estimate(axis * voxel_nm, blocks) for axis in _mean_chords_px(state.region))
    d_xy, d_xz, d_yz = (_estimate(diameters[:, plane] * voxel_nm, blocks) for plane in range(3))
    return MetricFigures(
        planes=int(state.region.counts.plane_pairs[0]),
        voxel_nm=voxel_nm,
        band_sigmas=band_sigmas(blocks) if is_seen_repeatedly(shares.tpcf[0], sides_px) else np.nan,
        solid_fraction=_estimate(solid_fraction, blocks),
        e_tpcf=_estimate(e_l2(shares.tpcf[..., 1:]), blocks),
        e_lpf=_estimate(e_l2(shares.lpf[..., 1:]), blocks),
        e_d=_estimate(e_d(diameters), blocks),
        d_xy_nm=d_xy,
        d_xz_nm=d_xz,
        d_yz_nm=d_yz,
        ligament_nm=_estimate(ligament * voxel_nm, blocks),
        surface_per_um=_estimate(surface * 1e3 / voxel_nm, blocks),
        euler_per_um3=_estimate(shares.euler * (1e3 / voxel_nm) ** 3, blocks),
        chord_x_nm=chord_x,
        chord_y_nm=chord_y,
        chord_z_nm=chord_z,
        tpcf=shares.tpcf[0],
        tpcf_sigma=standard_error(shares.tpcf[1:], blocks),
        lpf=shares.lpf[0],
        lpf_sigma=standard_error(shares.lpf[1:], blocks),
        chords=chord_length_counts(state.region.counts.paths.sum(axis=(-2, -1))),
    )


def _estimate(resamples: Floats, blocks: Shape) -> Estimate:
    return Estimate(float(resamples[0]), float(standard_error(resamples[1:], blocks)))


def _mean_chords_px(region: Survey) -> Floats:
    """Resampled mean chord lengths ``(3, 1 + blocks)`` along x, y, z: solid pixels over chords.

    Every chord has one segment of lag 0 more than of lag 1.
    """
    counted = leaving_one_out(region.counts.paths[:, :2])
    return probability(counted[..., 0], counted[..., 0] - counted[..., 1]).T


def leaving_one_out(counts: Counts) -> Counts:
    """Sums over blocks of counts ``(…, blocks_y, blocks_x)``: ``(1 + blocks, …)``, all blocks first, then all
    but one each."""
    blocks = one_by_one(counts)
    total = blocks.sum(axis=0, keepdims=True)
    return np.concatenate((total, total - blocks))


def one_by_one(counts: Counts) -> Counts:
    """Counts ``(…, blocks_y, blocks_x)`` of every block by itself: ``(blocks, …)``."""
    return np.moveaxis(counts.reshape(*counts.shape[:-2], -1), -1, 0)


def probabilities(survey: Survey, resampled: Callable[[Counts], Counts]) -> Probabilities:
    """What is counted over what is possible, for every resample of the blocks."""
    grid, counts = survey.grid, survey.counts

    def share(found: Counts, possible: Counts) -> Floats:
        return probability(resampled(found), resampled(possible))

    return Probabilities(
        tpcf=share(counts.pairs, _segments(grid, counts.plane_pairs)),
        lpf=share(counts.paths, _segments(grid, counts.plane_paths)),
        change=share(counts.changes, _placements(grid, counts.plane_pairs)),
        euler=share(counts.euler_eighths, 8 * starts_per_block(grid, 1, 1) * counts.plane_pairs[1]),
    )


def _segments(grid: BlockGrid, plane_segments: Counts) -> Counts:
    """Segments that fit along x, y, z per lag and block; ``plane_segments[r]`` is the number of usable
    plane pairs.
    """
    lags = range(plane_segments.size)
    along_x = np.stack([starts_per_block(grid, 0, lag) for lag in lags]) * plane_segments[0]
    along_y = np.stack([starts_per_block(grid, lag, 0) for lag in lags]) * plane_segments[0]
    along_z = starts_per_block(grid, 0, 0) * plane_segments[:, None, None]
    return np.stack((along_x, along_y, along_z))


def _placements(grid: BlockGrid, plane_pairs: Counts) -> Counts:
    """How many neighbours each of the 13 directions has, per block."""
    return np.stack([starts_per_block(grid, dy, dx) * plane_pairs[dz] for dz, dy, dx in DIRECTIONS])
