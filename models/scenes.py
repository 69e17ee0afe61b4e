"""Random scenes to learn from: one seed gives one virtual sample, microscope and run.

Half of the scenes are of the published acquisition: sample, pixels, slices and microscope. In the other
half everything that differs between laboratories is drawn at random within wide limits, so that a network
cannot rely on it: ligament sizes, solid fraction, pixel size, slice thickness, noise, curtains, brightness,
contrast, and how deep a nominal voltage sees. What lies below the face shines through as the backscatter
network learned it from Monte Carlo runs (:mod:`models.backscatter`), as in the emulator's fast image. In all
of them images may be foreshortened, and registration leaves small shifts, in a few large ones. A scene is a
mosaic of blocks far apart in the sample, exposed as one image: percentiles of the whole image are then
those of a large face, at the cost of a small one.

Seeds never meet: the emulated microscope uses those below 10 000.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray
from scipy import ndimage

from algorithms.acquisition import FaceGrid, clean_faces, gamma_depths_nm, run_conditions
from algorithms.depth_response import DepthResponse
from algorithms.instrument import Conditions, Instrument, default_instrument, expose
from algorithms.structures import (
    SAMPLES_PER_WAVELENGTH,
    HierarchicalStructure,
    hierarchical_structure,
    level_cut,
    levelled_wave_field,
    wavelength_nm,
)
from models.backscatter import network_response
from models.normalisation import FaceImage

TRAINING_SEEDS = range(10_000, 19_000)
ENSEMBLE_SEEDS = range(19_000, 20_000)
"""For the layer that fuses the branches: scenes that no branch has learned from, all of the published
acquisition and in register. What the voltages are worth beside each other is specific to an acquisition, and
shifts between them would be taken for a weakness of the lowest."""
VALIDATION_SEEDS = range(20_000, 30_000)
HELD_OUT_SEEDS = range(30_000, 40_000)

SHORTEST_ROW = 0.788
"""sin 52°: without tilt correction an image row is pixel_size/0.788 nm on the face."""
PUBLISHED_SHARE = 0.5
"""Share of scenes of the published acquisition (Sardhara et al. 2024, §2.1.1)."""
PLAIN_SHARE = 0.2
"""Share of the others with one ligament size, 20–300 nm: foreign samples are rarely hierarchical."""
COARSE_SIZE, FINE_SIZE = 48, 64
"""Samples along the periodic boxes: 5 µm and 0.9 µm, enough for blocks of a few hundred nm."""
LARGEST_ERROR_PX = 0.3
"""Misregistration that is left between images of a stack; mostly far less (the cube of a uniform number)."""
VOLTAGE_ERROR = 0.15
"""Foreign acquisitions see as deep as a voltage up to so much (of its logarithm) beside the nominal one does:
other resins and metals, and the error of the simulation."""
LOWEST_KV = 1.0
"""Of the backscatter network's training."""
ASTRAY_SHARE, ASTRAY_ERROR_PX = 0.1, 1.0
"""Share of the foreign scenes with a failed registration, and how far off it may be."""
SAMPLE_EXTENT_NM = 1e5
NOT_ANNOTATED = 255
"""Label of pixels of which nobody has said what they are. Rendered scenes have none."""


@dataclass(frozen=True, slots=True)
class SceneSize:
    """What is rendered of each seed.

    Attributes:
        blocks: parts of the sample, side by side in the image.
        block_px: side of a block.
        slices: faces of the run.
    """

    blocks: Annotated[int, Ge(1)] = 4
    block_px: Annotated[int, Ge(32)] = 96
    slices: Annotated[int, Ge(1)] = 13


@dataclass(frozen=True, slots=True)
class Scene:
    """A rendered run.

    Attributes:
        images: (slice, channel, y, x), blocks side by side along x; rendered ones are uint8.
        labels: uint8 (slice, y, x), 1 = solid.
        block_px: side of a block.
        square_pixels: whether a row is as high on the face as a column is wide.
    """

    images: FaceImage
    labels: NDArray[np.uint8]
    block_px: int
    square_pixels: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """What is photographed and how.

    Attributes:
        structure: of the sample.
        pixel_nm: width of a pixel.
        thickness_nm: of the slices, mean and standard deviation.
        instruments: one per voltage.
        responses: how deep each voltage sees.
    """

    structure: HierarchicalStructure
    pixel_nm: float
    thickness_nm: tuple[float, float]
    instruments: list[Instrument]
    responses: list[DepthResponse]


def render_scene(seed: int, voltages_kv: Sequence[float], size: SceneSize) -> Scene:
    """The scene of a seed; the same seed always gives the same bytes."""
    rng = np.random.default_rng(seed)
    published = rng.random() < PUBLISHED_SHARE or seed in ENSEMBLE_SEEDS
    astray = not published and rng.random() < ASTRAY_SHARE
    error_px = 0.0 if seed in ENSEMBLE_SEEDS else ASTRAY_ERROR_PX if astray else LARGEST_ERROR_PX
    subject = (published_subject if published else draw_subject)(voltages_kv, rng)
    row_nm = subject.pixel_nm / float(rng.choice([1.0, SHORTEST_ROW]))
    return photographed_scene(subject, row_nm, error_px, voltages_kv, size, rng)


def photographed_scene(
    subject: Subject,
    row_nm: float,
    error_px: float,
    voltages_kv: Sequence[float],
    size: SceneSize,
    rng: np.random.Generator,
) -> Scene:
    """A scene of a subject, its rows ``row_nm`` high on the face, its images up to ``error_px`` astray."""
    depths_nm = gamma_depths_nm(size.slices, *subject.thickness_nm, rng)
    grids = [_grid(size.block_px, subject.pixel_nm, row_nm, rng) for _ in range(size.blocks)]
    conditions = run_conditions(depths_nm, len(voltages_kv), size.blocks * size.block_px, rng)
    faces = [
        _face(subject, float(depth_nm), grids, voltages_kv, now, error_px, rng)
        for depth_nm, now in zip(depths_nm, conditions, strict=True)
    ]
    images, labels = (np.stack(parts) for parts in zip(*faces, strict=True))
    return Scene(images, labels, size.block_px, square_pixels=row_nm == subject.pixel_nm)


def published_subject(voltages_kv: Sequence[float], rng: np.random.Generator) -> Subject:
    """15 nm in 110 nm ligaments, 3.26 nm pixels, slices of 10.16 ± 3.12 nm, the default microscope."""
    structure = hierarchical_structure(rng, coarse_size=COARSE_SIZE, fine_size=FINE_SIZE)
    instruments = [default_instrument(voltage) for voltage in voltages_kv]
    responses = [network_response(voltage) for voltage in voltages_kv]
    return Subject(structure, 3.26, (10.16, 3.12), instruments, responses)


def draw_subject(voltages_kv: Sequence[float], rng: np.random.Generator) -> Subject:
    """Anything else."""
    mean_nm = rng.uniform(5.0, 15.0)
    return Subject(
        draw_structure(rng),
        rng.uniform(2.5, 5.0),
        (mean_nm, mean_nm * rng.uniform(0.1, 0.4)),
        [draw_instrument(voltage, rng) for voltage in voltages_kv],
        [draw_response(voltage, rng) for voltage in voltages_kv],
    )


def draw_response(voltage_kv: float, rng: np.random.Generator) -> DepthResponse:
    """That of a voltage near the nominal one."""
    seen_kv = voltage_kv * np.exp(rng.uniform(-VOLTAGE_ERROR, VOLTAGE_ERROR))
    return network_response(max(float(seen_kv), LOWEST_KV))


def draw_structure(rng: np.random.Generator) -> HierarchicalStructure:
    """A hierarchical network, or in PLAIN_SHARE of the cases a plain one."""
    if rng.random() < PLAIN_SHARE:
        return _plain_network(20.0 * 15.0 ** rng.random(), rng.uniform(0.2, 0.5), rng)
    return hierarchical_structure(
        rng,
        coarse_ligament_nm=rng.uniform(80.0, 150.0),
        fine_ligament_nm=rng.uniform(10.0, 25.0),
        solid_fraction=rng.uniform(0.09, 0.2),
        coarse_size=COARSE_SIZE,
        fine_size=FINE_SIZE,
    )


def draw_instrument(voltage_kv: float, rng: np.random.Generator) -> Instrument:
    """A microscope around the published one: each artefact from nearly absent to about twice as strong, and
    doses from a twentieth (fast scans) to twice its own."""
    usual = default_instrument(voltage_kv)
    return replace(
        usual,
        dose_electrons=usual.dose_electrons * np.exp(rng.uniform(-3.0, 0.7)),
        gain=usual.gain * rng.uniform(0.6, 1.15),
        offset=rng.uniform(0.02, 0.15),
        pixel_noise=usual.pixel_noise * rng.uniform(0.3, 2.5),
        line_noise=usual.line_noise * rng.uniform(0.0, 2.5),
        beam_sigma_px=usual.beam_sigma_px * rng.uniform(0.7, 1.4),
        curtaining=usual.curtaining * rng.uniform(0.0, 2.5),
        shading=rng.uniform(0.0, 0.12),
        charging=usual.charging * rng.uniform(0.0, 2.5),
        brightness_wander=usual.brightness_wander * 2,
        contrast_wander=usual.contrast_wander * 2,
    )


def _plain_network(ligament_nm: float, fraction: float, rng: np.random.Generator) -> HierarchicalStructure:
    wave_nm = wavelength_nm(ligament_nm, fraction)
    field = levelled_wave_field(COARSE_SIZE, wave_nm / SAMPLES_PER_WAVELENGTH, wave_nm, rng)
    return HierarchicalStructure(field, field, -np.inf, level_cut(field, fraction))


def _grid(side_px: int, pixel_nm: float, row_nm: float, rng: np.random.Generator) -> FaceGrid:
    y_px, x_px = rng.uniform(0, SAMPLE_EXTENT_NM / pixel_nm, size=2)
    return FaceGrid(side_px, side_px, pixel_nm, row_nm, y_px, x_px)


def _face(
    subject: Subject,
    depth_nm: float,
    grids: Sequence[FaceGrid],
    voltages_kv: Sequence[float],
    conditions: Sequence[Conditions],
    error_px: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (channel, y, x) and labels (y, x) of one slice's mosaic."""
    blocks = [
        clean_faces(subject.structure, depth_nm, grid, voltages_kv, subject.responses) for grid in grids
    ]
    signals = np.concatenate([faces for faces, _ in blocks], axis=-1)
    labels = np.concatenate([labels for _, labels in blocks], axis=-1)
    images = [
        _photograph(signal, instrument, now, error_px, rng)
        for signal, instrument, now in zip(signals, subject.instruments, conditions, strict=True)
    ]
    return np.stack(images), labels


def _photograph(
    signal: NDArray[np.float32],
    instrument: Instrument,
    conditions: Conditions,
    error_px: float,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Exposed out of place and, as often as not, resampled into place, which smooths the noise.

    A small error stays, as registration leaves it. Blocks bleed into each other by up to 3 px.
    """
    error, resampled = rng.uniform(-1, 1, size=(2, 2))
    error **= 3
    resampled *= 0.5 * (rng.random() < 0.5)
    displaced = ndimage.shift(signal, error_px * error - resampled, order=3, mode="nearest")
    image = expose(np.clip(displaced, 0, 1).astype(np.float32), instrument, rng, conditions)
    if resampled.any():
        image = np.rint(ndimage.shift(image.astype(np.float32), resampled, order=1, mode="nearest"))
    return image.astype(np.uint8)
