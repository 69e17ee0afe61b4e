"""Rendered scenes on disk, and the patches a network learns from and is judged by."""

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.errors import CheckpointDamagedError
from models.kept_arrays import keep_arrays
from models.normalisation import Limits, Normalisation, face_limits, normalise
from models.scenes import Scene, SceneSize, render_scene
from models.windows import window_slices

BLEED_PX = 8
"""Blocks of a scene bleed into each other by up to 3 px: so much is left out at their edges."""
METHOD = 1
"""Of the way a scene is made: counted up when it changes, so that what was kept is rendered anew."""


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

    Raises:
        CheckpointDamagedError: a scene that was kept cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {seed: folder / scene_name(seed, voltages_kv, size) for seed in seeds}
    missing = {seed: path for seed, path in paths.items() if not path.is_file()}
    if missing:  # processes take seconds to start
        render = partial(_render_to, tuple(voltages_kv), size)
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
            for done, _ in enumerate(pool.map(render, missing.values(), missing, chunksize=4), 1):
                report(len(seeds) - len(missing) + done, len(seeds))
    return [prepared_scene(_load(path), normalisation) for path in paths.values()]


def scene_name(seed: int, voltages_kv: Sequence[float], size: SceneSize) -> str:
    """The file of a scene, named after everything that it is made from."""
    made_from = json.dumps([METHOD, seed, [float(voltage) for voltage in voltages_kv], asdict(size)])
    return f"scene_{seed}_{hashlib.sha256(made_from.encode()).hexdigest()[:16]}.npz"


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


def _render_to(voltages_kv: Sequence[float], size: SceneSize, path: Path, seed: int) -> None:
    scene = render_scene(seed, voltages_kv, size)
    keep_arrays(
        path,
        images=scene.images,
        labels=scene.labels,
        block_px=scene.block_px,
        square_pixels=scene.square_pixels,
    )


def _load(path: Path) -> Scene:
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            block_px, square_pixels = int(arrays["block_px"]), bool(arrays["square_pixels"])
            return Scene(arrays["images"], arrays["labels"], block_px, square_pixels)
    except (OSError, EOFError, KeyError, ValueError, BadZipFile, zlib.error) as problem:
        raise CheckpointDamagedError(
            f"a rendered scene that was kept is damaged: {problem}",
            str(path),
            "Remove this file: the scene is rendered anew.",
        ) from problem


def prepared_scene(scene: Scene, normalisation: Normalisation) -> PreparedScene:
    """The scene with the limits of each of its images."""
    limits = [[face_limits(image, normalisation) for image in channels] for channels in scene.images]
    return PreparedScene(scene, limits)
