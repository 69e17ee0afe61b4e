"""Scores of networks on held-out runs: other structures, other seeds, the published microscope."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Len
from numpy.typing import NDArray

from algorithms.acquisition import FaceGrid, gamma_depths_nm, render_stack
from algorithms.clustering import brightest_cluster
from algorithms.instrument import Instrument, default_instrument
from algorithms.reliability import Reliability, reliability
from algorithms.scores import (
    confusion,
    inner_misplaced_percent,
    mean_dice,
    misplaced_percent,
    missed_percent,
)
from algorithms.structures import HierarchicalStructure, hierarchical_structure
from models.backscatter import network_response
from models.scenes import COARSE_SIZE, FINE_SIZE, HELD_OUT_SEEDS
from models.session import Segmenter, segment
from models.windows import window_slices

VOTES = (0.5, 0.3, 0.2)
"""Weights of 1, 2 and 4 kV that the papers' ensemble came to (Sardhara et al. 2024, §3.1)."""

Beliefs = NDArray[np.float32]
"""Probabilities (slice, class, y, x) of every slice of a run."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Runs as published: 10.16 ± 3.12 nm slices, 3.26 nm pixels, ligaments of 15 nm within ones of 110 nm,
    photographed as the backscatter network has it.

    Attributes:
        runs: how many, each of a structure of its own.
        height, width: px of a face.
        slices: of a run.
        pixel_nm: width of a pixel, and its height with tilt correction.
        thickness_nm, thickness_sigma_nm: of the slices, gamma distributed.
        voltages_kv: of the images.
        noise: of the images over the usual, by its rms.
    """

    runs: Annotated[int, Ge(1)] = 6
    height: Annotated[int, Ge(16)] = 256
    width: Annotated[int, Ge(16)] = 384
    slices: Annotated[int, Ge(1)] = 12
    pixel_nm: Annotated[float, Gt(0)] = 3.26
    thickness_nm: Annotated[float, Gt(0)] = 10.16
    thickness_sigma_nm: Annotated[float, Gt(0)] = 3.12
    voltages_kv: Annotated[tuple[Annotated[float, Gt(0)], ...], Len(1)] = (1.0, 2.0, 4.0)
    noise: Annotated[float, Gt(0)] = 1.0


@dataclass(frozen=True, slots=True)
class Score:
    """Sardhara et al. 2024, Table 3, the solid fraction found beside the true one, the part of MP that lies
    off the boundaries (:func:`algorithms.scores.inner_misplaced_percent`), and how far the claimed
    probabilities of solid can be trusted (None: none were claimed)."""

    mp_percent: float
    mgp_percent: float
    mean_dice: float
    solid_fraction: float
    true_solid_fraction: float
    inner_mp_percent: float
    reliability: Reliability | None = None


@dataclass(frozen=True, slots=True)
class RenderedRun:
    """images uint8 (slice, channel, y, x), labels uint8 (slice, y, x)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    voltages_kv: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a run is made of: its structure, the depths (nm) of its slices, where its faces lie, and the
    generator that photographs them next."""

    structure: HierarchicalStructure
    depths_nm: NDArray[np.float64]
    grid: FaceGrid
    rng: np.random.Generator


def held_out_runs(held_out: HeldOut) -> list[RenderedRun]:
    """The first of the runs that no network and no tuning has seen."""
    return [render_run(seed, held_out) for seed in HELD_OUT_SEEDS[: held_out.runs]]


def draw_sample(seed: int, held_out: HeldOut) -> Sample:
    """The sample of a run, and where in it the faces lie."""
    rng = np.random.default_rng(seed)
    structure = hierarchical_structure(rng, coarse_size=COARSE_SIZE, fine_size=FINE_SIZE)
    depths_nm = gamma_depths_nm(held_out.slices, held_out.thickness_nm, held_out.thickness_sigma_nm, rng)
    y_px, x_px = rng.uniform(0, 1e4, size=2)
    grid = FaceGrid(held_out.height, held_out.width, held_out.pixel_nm, held_out.pixel_nm, y_px, x_px)
    return Sample(structure, depths_nm, grid, rng)


def render_run(seed: int, held_out: HeldOut) -> RenderedRun:
    """A run of the default microscope, somewhere in a sample of its own."""
    sample = draw_sample(seed, held_out)
    instruments = [_instrument(voltage, held_out.noise) for voltage in held_out.voltages_kv]
    responses = [network_response(voltage) for voltage in held_out.voltages_kv]
    images, labels = render_stack(
        sample.structure,
        sample.depths_nm,
        sample.grid,
        held_out.voltages_kv,
        instruments,
        sample.rng,
        responses,
    )
    return RenderedRun(images, labels, held_out.voltages_kv)


def score_segmenter(segmenter: Segmenter, runs: Sequence[RenderedRun]) -> Score:
    """Of all slices of all runs, the ends of each run included."""
    return score_beliefs([believed_run(segmenter, run) for run in runs], runs)


def score_beliefs(believed: Sequence[Beliefs], runs: Sequence[RenderedRun]) -> Score:
    """Of what is believed of each run."""
    trust = [reliability(beliefs[:, 1], run.labels == 1) for beliefs, run in zip(believed, runs, strict=True)]
    return replace(
        _score([most_believed(beliefs) for beliefs in believed], runs), reliability=reduce(add, trust)
    )


def score_clustering(voltage_kv: float, runs: Sequence[RenderedRun]) -> Score:
    """Of k-means with k = 3 on each image of one voltage."""
    return _score([cluster_run(voltage_kv, run) for run in runs], runs)


def segment_run(segmenter: Segmenter, run: RenderedRun) -> NDArray[np.uint8]:
    """Labels uint8 (slice, y, x) of every slice of a run."""
    return most_believed(believed_run(segmenter, run))


def most_believed(beliefs: Beliefs) -> NDArray[np.uint8]:
    """Labels uint8 (slice, y, x)."""
    return beliefs.argmax(axis=1).astype(np.uint8)


def believed_run(segmenter: Segmenter, run: RenderedRun) -> Beliefs:
    """Of a network, of every slice of a run."""
    channels = [run.voltages_kv.index(voltage) for voltage in segmenter.spec.voltages_kv]
    beliefs: list[Beliefs] = []
    for centre in range(len(run.images)):
        window = window_slices(centre, range(len(run.images)), segmenter.spec.adjacent_slices)
        beliefs.append(segment(segmenter, run.images[np.ix_(window, channels)].swapaxes(0, 1)))
    return np.stack(beliefs)


def cluster_run(voltage_kv: float, run: RenderedRun) -> NDArray[np.uint8]:
    """Labels uint8 (slice, y, x) of k-means with k = 3 on each image of one voltage."""
    channel = run.voltages_kv.index(voltage_kv)
    return np.stack([brightest_cluster(images[channel]) for images in run.images])


def score_all(segmenters: Mapping[str, Segmenter], runs: Sequence[RenderedRun]) -> dict[str, Score]:
    """Scores by name: the networks given, and k-means at each voltage."""
    scores = {name: score_segmenter(segmenter, runs) for name, segmenter in segmenters.items()}
    voltages_kv = runs[0].voltages_kv
    return scores | {f"kmeans_{voltage:g}kv": score_clustering(voltage, runs) for voltage in voltages_kv}


def _instrument(voltage_kv: float, noise: float) -> Instrument:
    usual = default_instrument(voltage_kv)
    return replace(
        usual,
        dose_electrons=usual.dose_electrons / noise**2,
        pixel_noise=usual.pixel_noise * noise,
        line_noise=usual.line_noise * noise,
    )


def _score(found: Sequence[NDArray[np.uint8]], runs: Sequence[RenderedRun]) -> Score:
    pairs = [(run.labels, labels) for run, labels in zip(runs, found, strict=True)]
    matrix = np.sum([confusion(*pair) for pair in pairs], axis=0)
    pixels = matrix.sum()
    return Score(
        misplaced_percent(matrix),
        missed_percent(matrix),
        mean_dice(matrix),
        float(matrix[:, 1:].sum() / pixels),
        float(matrix[1:].sum() / pixels),
        float(
            np.average([inner_misplaced_percent(*pair) for pair in pairs], weights=[t.size for t, _ in pairs])
        ),
    )
