"""Rendered scenes on disk, and the patches a network learns from and is judged by."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.normalisation import Limits, Normalisation, face_limits, normalise
from models.scenes import Scene, SceneSize, render_scene
from models.windows import window_slices

BLEED_PX = 8
"""Blocks of a scene bleed into each other by up to 3 px: so much is left out at their edges."""


@dataclass(frozen=True, slots=True)
class PreparedScene:
    """A scene and the grey values [slice][channel] that become 0 and 1 (:mod:`models.normalisation`)."""

    scene: Scene
    limits: list[list[Limits]]


@dataclass(frozen=True, slots=True)
class Crop:
    """Where a patch lies in a scene: which slice is labelled, which slices it sees, which pixels."""

    centre: int
    window: tuple[int, ...]
    rows: slice
    columns: slice


Patch = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Images (channel, adjacent slice, y, x) on the network's scale, labels (y, x)."""


def prepare_scenes(
    folder: Path,
    seeds: Sequence[int],
    voltages_kv: Sequence[float],
    size: SceneSize,
    normalisation: Normalisation,
    report: Callable[[int, int], None],
) -> list[PreparedScene]:
    """Render each seed's scene once, on all cores, and keep it in ``folder`` for the next time.

    Args:
        report: called with the number of scenes done and wanted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in seeds if not _path(folder, seed).is_file()]
    if missing:  # processes take seconds to start
        render = partial(_render_to, folder, tuple(voltages_kv), size)
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
            for done, _ in enumerate(pool.map(render, missing, chunksize=4), 1):
                report(len(seeds) - len(missing) + done, len(seeds))
    return [prepared_scene(_load(_path(folder, seed)), normalisation) for seed in seeds]


def scenes_sha256(scenes: Sequence[PreparedScene]) -> str:
    """Of all images and labels in order: what a network was trained on, to the last bit."""
    digest = hashlib.sha256()
    for prepared in scenes:
        digest.update(prepared.scene.images.tobytes())
        digest.update(prepared.scene.labels.tobytes())
    return digest.hexdigest()


def block_crops(scene: Scene, adjacent_slices: int) -> Iterator[Crop]:
    """Every block of every slice that has all its neighbours, without its bleeding edges."""
    count, _, height, width = scene.images.shape
    half = adjacent_slices // 2
    for centre in range(half, count - half):
        window = window_slices(centre, range(count), adjacent_slices)
        for left in range(0, width, scene.block_px):
            columns = slice(left + BLEED_PX, left + scene.block_px - BLEED_PX)
            yield Crop(centre, window, slice(BLEED_PX, height - BLEED_PX), columns)


def block_patches(
    scenes: Sequence[PreparedScene],
    channels: Sequence[int],
    adjacent_slices: int,
    normalisation: Normalisation,
) -> list[Patch]:
    """Every block of the scenes as it is."""
    return [
        cut_patch(prepared, crop, channels, normalisation)
        for prepared in scenes
        for crop in block_crops(prepared.scene, adjacent_slices)
    ]


def cut_patch(
    prepared: PreparedScene, crop: Crop, channels: Sequence[int], normalisation: Normalisation
) -> Patch:
    """The images and labels of a crop."""
    images, limits = prepared.scene.images, prepared.limits
    inputs = [
        [
            normalise(images[index, channel, crop.rows, crop.columns], limits[index][channel], normalisation)
            for index in crop.window
        ]
        for channel in channels
    ]
    labels = prepared.scene.labels[crop.centre, crop.rows, crop.columns].astype(np.int64)
    return np.array(inputs, dtype=np.float32), labels


def _path(folder: Path, seed: int) -> Path:
    return folder / f"scene_{seed}.npz"


def _render_to(folder: Path, voltages_kv: Sequence[float], size: SceneSize, seed: int) -> None:
    path, scene = _path(folder, seed), render_scene(seed, voltages_kv, size)
    unfinished = path.with_suffix(".part.npz")
    np.savez_compressed(
        unfinished,
        images=scene.images,
        labels=scene.labels,
        block_px=scene.block_px,
        square_pixels=scene.square_pixels,
    )
    unfinished.replace(path)


def _load(path: Path) -> Scene:
    with np.load(path) as arrays:
        return Scene(
            arrays["images"], arrays["labels"], int(arrays["block_px"]), bool(arrays["square_pixels"])
        )


def prepared_scene(scene: Scene, normalisation: Normalisation) -> PreparedScene:
    """The scene with the limits of each of its images."""
    limits = [[face_limits(image, normalisation) for image in channels] for channels in scene.images]
    return PreparedScene(scene, limits)
