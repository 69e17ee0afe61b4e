"""What an inpainting network learns from: planes of known structures between slices of random thickness.

"Mimicking" as in Sardhara et al., slice thickness, section 2.1.2: slices N voxels apart, N from a discretised
gamma distribution. Half of the faces carry errors as a segmentation makes them, because that is what the
network will be given.

Seeds never meet those of other scenes (:mod:`models.scenes`) nor of the benchmark.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray
from scipy import ndimage

from algorithms.plane_inpainting import LONGEST_GAP, REACH_PX, SLICES, around, plane_maps
from algorithms.signed_distance import signed_distance
from algorithms.structures import hierarchical_structure, solid_at
from models.scenes import COARSE_SIZE, FINE_SIZE, SAMPLE_EXTENT_NM, draw_structure

TRAINING_SEEDS = range(50_000, 58_000)
VALIDATION_SEEDS = range(58_000, 59_000)

PUBLISHED_EVERY = 3
"""All but every third structure are the published one."""
PUBLISHED_SHARE = 0.6
"""Share of slice spacings drawn as published, 10.16 ± 3.12 nm at 2.5 nm; the others are drawn at random."""
END_SHARE = 0.1
"""Share of planes at an end of the run, where slices on one side are missing."""
MISLABELLED_SHARE = 0.5
MISLABELLED_PX = 0.7
"""Root mean square by which a mislabelled boundary is out of place, over patches of 2 px."""

Labels = NDArray[np.uint8]
Sample = tuple[NDArray[np.float32], Labels]


@dataclass(frozen=True, slots=True)
class MimickingSettings:
    """Of the volumes to learn from.

    Attributes:
        structures: virtual samples.
        blocks: volumes of each, far apart.
        side_voxels: of a volume.
        grid_nm: of a voxel.
    """

    structures: Annotated[int, Ge(1), Le(8000)] = 80
    blocks: Annotated[int, Ge(1)] = 4
    side_voxels: Annotated[int, Ge(64)] = 112
    grid_nm: Annotated[float, Gt(0)] = 2.5


def mimicking_volumes(
    settings: MimickingSettings, seeds: Sequence[int], kept: Path, report: Callable[[str], None]
) -> Labels:
    """Volumes uint8 ``(n, z, y, x)``, 1 = solid, of the structures of ``seeds``; kept in a file for the next
    start."""
    if kept.is_file():
        return np.load(kept)
    volumes = list[Labels]()
    for number, seed in enumerate(seeds):
        volumes += _blocks(settings, seed)
        if number % 10 == 9:
            report(f"structures: {number + 1}/{len(seeds)}")
    stacked = np.stack(volumes)
    unfinished = kept.with_suffix(".part.npy")
    np.save(unfinished, stacked)
    unfinished.replace(kept)
    return stacked


def volumes_sha256(volumes: Labels) -> str:
    """What a network was trained on, to the last voxel."""
    return hashlib.sha256(volumes.tobytes()).hexdigest()


def random_plane(volumes: Labels, patch_px: int, rng: np.random.Generator) -> Sample:
    """Maps ``(MAPS, y, x)`` of a plane between two slices, and its labels ``(y, x)``.

    The structures are isotropic, so any axis of a volume may be z, in either direction.
    """
    volume = np.moveaxis(volumes[rng.integers(len(volumes))], rng.integers(3), 0)
    positions = _positions(rng, volume.shape[0])
    plane = int(rng.integers(positions[SLICES // 2 - 1] + 1, positions[SLICES // 2]))
    block = _block(volume, int(positions[-1]) + 1, patch_px, rng)
    faces = block[positions]
    seen, faces = _as_at_an_end(positions, faces, rng) if rng.random() < END_SHARE else (positions, faces)
    mislabelled = MISLABELLED_PX if rng.random() < MISLABELLED_SHARE else 0.0
    distances = np.stack([_distances(face, mislabelled, rng) for face in faces])
    return plane_maps(seen, distances, plane), block[plane]


def _blocks(settings: MimickingSettings, seed: int) -> list[Labels]:
    rng = np.random.default_rng(seed)
    if seed % PUBLISHED_EVERY:
        structure = hierarchical_structure(rng, coarse_size=COARSE_SIZE, fine_size=FINE_SIZE)
    else:
        structure = draw_structure(rng)
    side_nm = np.arange(settings.side_voxels) * settings.grid_nm
    corners_nm = rng.uniform(0, SAMPLE_EXTENT_NM, (settings.blocks, 3))
    return [solid_at(structure, *(corner + side_nm for corner in corners)) for corners in corners_nm]


def _positions(rng: np.random.Generator, height: int) -> NDArray[np.int64]:
    """Of SLICES slices that fit into a volume, at least one plane missing between the middle two."""
    while True:
        mean, sigma = 10.16 / 2.5, 3.12 / 2.5
        if rng.random() >= PUBLISHED_SHARE:
            mean = rng.uniform(2.0, 7.0)
            sigma = mean * rng.uniform(0.05, 0.4)
        drawn = np.rint(rng.gamma((mean / sigma) ** 2, sigma**2 / mean, SLICES - 1)).astype(np.int64)
        gaps = np.maximum(drawn, 1)
        positions = np.concatenate(([0], np.cumsum(gaps)))
        if 1 < gaps[SLICES // 2 - 1] <= LONGEST_GAP and positions[-1] < height:
            return positions


def _block(volume: Labels, planes: int, side: int, rng: np.random.Generator) -> Labels:
    """A part of the volume, turned and mirrored at random."""
    starts = [
        int(rng.integers(length - size + 1))
        for length, size in zip(volume.shape, (planes, side, side), strict=True)
    ]
    z, y, x = starts
    block = volume[z : z + planes, y : y + side, x : x + side]
    block = block.transpose(0, 2, 1) if rng.random() < 0.5 else block
    steps = rng.choice([-1, 1], size=3)
    return block[:: steps[0], :: steps[1], :: steps[2]]


def _as_at_an_end(
    positions: NDArray[np.int64], faces: Labels, rng: np.random.Generator
) -> tuple[NDArray[np.int64], Labels]:
    """The same without one or two of the slices on one side."""
    half = SLICES // 2
    lost = int(rng.integers(1, half))
    kept = slice(lost, None) if rng.random() < 0.5 else slice(None, SLICES - lost)
    upper = half - 1 - (kept.start or 0)
    return around(positions[kept], faces[kept], upper)


def _distances(face: Labels, error_px: float, rng: np.random.Generator) -> NDArray[np.float32]:
    true = signed_distance(face > 0, REACH_PX)
    if not error_px:
        return true
    error = ndimage.gaussian_filter(rng.standard_normal(face.shape, dtype=np.float32), 2.0)
    return signed_distance(true + error * np.float32(error_px / error.std()) > 0, REACH_PX)
