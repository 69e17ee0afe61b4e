"""The two kinds of images that the simulating generator learns to lead into each other, never in pairs.

Fast images of some structures, and Monte Carlo images of others; pixels are voxels, values the share of the
electrons that comes back. Each image is kept in a folder, so that an interrupted start goes on. Needs Warp.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from algorithms.electron_transport.cells import pack_cells
from algorithms.electron_transport.exposure import Beam, Raster, best_device, count_detected, load_sample
from algorithms.electron_transport.materials import EPOXY, GOLD
from algorithms.electrons import layer_depths_nm
from algorithms.structures import hierarchical_structure, solid_at
from models.backscatter import network_response
from models.errors import CheckpointDamagedError
from models.fast_image import fast_image, seen_planes
from models.scenes import COARSE_SIZE, FINE_SIZE

MONTE_CARLO_SEEDS = range(60_000, 62_000)
FAST_SEEDS = range(62_000, 64_000)
VALIDATION_SEEDS = range(64_000, 65_000)
CARD_SEEDS = range(65_000, 66_000)
"""Structures of the images in both styles, of what chooses the epoch, and of the card's figures."""
METHOD = 1
"""Of the way an image is made: counted up when it changes, so that what was kept is made anew."""
DEEPER = 1.3
"""How far below what the fast image looks at the electrons may go."""
EXTENT_NM = 1e5

Image = NDArray[np.float32]
Pictured = Callable[[int], Image]


@dataclass(frozen=True, slots=True)
class FaceDesign:
    """A face of hierarchical nanoporous gold in epoxy, 15 nm ligaments within ones of 110 nm.

    Attributes:
        side_px: of the image.
        voxel_nm: edge of a voxel and of a pixel.
        electrons: of the Monte Carlo image, sent at every pixel.
    """

    side_px: Annotated[int, Ge(16)] = 256
    voxel_nm: Annotated[float, Gt(0)] = 2.5
    electrons: Annotated[int, Ge(1)] = 60


def monte_carlo_face(design: FaceDesign, voltage_kv: float, threads: int, seed: int) -> Image:
    """Electrons counted over electrons sent: float32 (y, x); the same for any number of threads."""
    sample = load_sample(
        pack_cells(below_face(design, voltage_kv, seed)), design.voxel_nm, [EPOXY, GOLD], best_device()
    )
    side, voxel_nm = design.side_px, design.voxel_nm
    raster = Raster(side, side, voxel_nm, voxel_nm, design.electrons)
    key = (seed, round(1000 * voltage_kv))
    counts = count_detected(sample, Beam(voltage_kv), raster, key, threads=threads)
    return (counts / design.electrons).astype(np.float32)


def fast_face(design: FaceDesign, voltage_kv: float, seed: int) -> Image:
    """The noise-free image of the same structure: float32 (y, x)."""
    voxels = below_face(design, voltage_kv, seed)
    planes = seen_planes(voltage_kv, design.voxel_nm, len(voxels))
    return fast_image(voxels[planes], planes, design.voxel_nm, voltage_kv, network_response(voltage_kv))


def below_face(design: FaceDesign, voltage_kv: float, seed: int) -> NDArray[np.uint8]:
    """Phases uint8 (z, y, x) of what lies below the face of a seed, the face at z = 0."""
    rng = np.random.default_rng(seed)
    structure = hierarchical_structure(rng, coarse_size=COARSE_SIZE, fine_size=FINE_SIZE)
    deepest_nm = DEEPER * float(layer_depths_nm(voltage_kv, design.voxel_nm)[-1])
    along_nm = np.arange(design.side_px, dtype=np.float64) * design.voxel_nm
    z_nm, y_nm, x_nm = rng.uniform(0, EXTENT_NM, size=3)
    below_nm = np.arange(int(np.ceil(deepest_nm / design.voxel_nm)) + 1, dtype=np.float64) * design.voxel_nm
    return solid_at(structure, z_nm + below_nm, y_nm + along_nm, x_nm + along_nm)


def monte_carlo_faces(
    design: FaceDesign,
    voltage_kv: float,
    seeds: Sequence[int],
    folder: Path,
    threads: int,
    report: Callable[[str], None],
) -> NDArray[np.float32]:
    """Those of all seeds, (seed, y, x), kept in ``folder``.

    Raises:
        CheckpointDamagedError: an image that was kept cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images: list[Image] = []
    for done, seed in enumerate(seeds, 1):
        path = folder / _name(design, voltage_kv, seed)
        if not path.is_file():
            _keep(path, partial(monte_carlo_face, design, voltage_kv, threads), seed)
            report(f"{voltage_kv:g} kV: Monte Carlo image {done} of {len(seeds)}")
        images.append(_kept(path))
    return np.stack(images)


def fast_faces(design: FaceDesign, voltage_kv: float, seeds: Sequence[int]) -> NDArray[np.float32]:
    """Those of all seeds, (seed, y, x)."""
    return np.stack([fast_face(design, voltage_kv, seed) for seed in seeds])


def images_sha256(*images: NDArray[np.float32]) -> str:
    """Of all images in order: what a generator was trained on, to the last bit."""
    digest = hashlib.sha256()
    for stack in images:
        digest.update(np.ascontiguousarray(stack).data)
    return digest.hexdigest()


def _name(design: FaceDesign, voltage_kv: float, seed: int) -> str:
    """The file of an image, named after everything that it is made from."""
    made_from = f"{METHOD} {design} {voltage_kv:g} {seed}"
    return f"face_{voltage_kv:g}kv_{seed}_{hashlib.sha256(made_from.encode()).hexdigest()[:16]}.npy"


def _keep(path: Path, picture: Pictured, seed: int) -> None:
    unfinished = path.with_suffix(".part.npy")
    np.save(unfinished, picture(seed))
    unfinished.replace(path)


def _kept(path: Path) -> Image:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as problem:
        raise CheckpointDamagedError(
            f"a Monte Carlo image that was kept is damaged: {problem}",
            str(path),
            "Remove this file: the image is made anew.",
        ) from problem
