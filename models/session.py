"""Runs an exported network through ONNX Runtime on images of any size. Does not need torch.

:func:`open_segmenter` accepts a file only if it is whole (checksum), says how to feed it (metadata) and
runs on the hardware that was asked for, or says why not; :func:`segment` cuts the images into tiles.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import providers, runtime, tiling
from models.canary import check_network, test_side_px, tested
from models.errors import ModelMetadataInvalidError, ModelMismatchError
from models.forest_features import FEATURE_SETS, feature_names
from models.forest_runner import ForestRunner
from models.model_file import read_checked
from models.normalisation import FaceImage, Limits, face_limits, normalise
from models.onnx_metadata import read_metadata
from models.runtime import Runtime
from models.spec import REMEDY, ModelSpec, from_metadata
from models.tile_runner import Batch, BatchRunner, TileRunner, shortest_s

LARGEST_TILE_PX = 768
BATCH_TILES = 1
"""A tile of this size keeps two cores busy on its own; on a GPU 4 or more are faster."""

BLAME = f'If that fails, too, set providers = ["{providers.CPU}"] in [segmentation].'
"""Where other hardware than the processor may be the reason."""

GREY_TYPES = ("uint8", "uint16")
FaceWindow = NDArray[np.uint8 | np.uint16]
TilePlan = tuple[tiling.Span, tiling.Span]


@dataclass(frozen=True, slots=True)
class Segmenter:
    """A network ready to run.

    Attributes:
        spec: what it needs and where it comes from.
        runner: what :func:`segment` runs.
        largest_tile_px: how images are cut.
    """

    spec: ModelSpec
    runner: BatchRunner
    largest_tile_px: int = LARGEST_TILE_PX

    @property
    def provider(self) -> str:
        """The hardware it runs on now."""
        return self.runner.provider

    @property
    def refusals(self) -> Mapping[str, str]:
        """Each provider that was asked for in vain or given up, and why."""
        return self.runner.refusals


def open_segmenter(
    path: Path,
    requested: Sequence[str] = (providers.CPU,),
    *,
    allow_cpu_fallback: bool = True,
    threads: int = 2,
    largest_tile_px: int = LARGEST_TILE_PX,
    batch_tiles: int = BATCH_TILES,
) -> Segmenter:
    """Load a network and make sure that it can do what it is loaded for.

    Args:
        path: of an ``.onnx`` file of ours; ``<path>.sha256`` beside it, if there, must match.
        requested: execution providers of ONNX Runtime, the preferred one first; at least one.
        allow_cpu_fallback: whether to go on when none but the CPU works although another was asked for;
            :attr:`Segmenter.refusals` then tells why.
        threads: that one inference may use on the CPU.
        largest_tile_px: upper limit of a tile's sides; at least twice the network's reach and a stride.
        batch_tiles: tiles run at once.

    Raises:
        ModelFileMissingError, ModelFileCorruptError, ModelMetadataInvalidError: the file is no good.
        ModelMismatchError: the network sees too far for tiles of this size.
        ProviderUnavailableError: only the CPU works, and falling back to it was not allowed.
    """
    content, sha256 = read_checked(path)
    spec = from_metadata(read_metadata(content, path), sha256, str(path))
    begin = partial(runtime.start, content, path=path, threads=1 if spec.features else threads)
    started = begin(requested, allow_cpu_fallback=allow_cpu_fallback)
    if spec.features:
        return Segmenter(spec, _forest(spec, started, path, threads), largest_tile_px)
    _check_inputs(spec, started, path)
    check_tiles(spec.stride_px, spec.reach_px, largest_tile_px, str(path))
    runner = TileRunner(started, batch_tiles, partial(begin, (providers.CPU,), allow_cpu_fallback=True))
    leading = (len(spec.channels), spec.adjacent_slices)
    remedy = REMEDY if started.provider == providers.CPU else f"{REMEDY} {BLAME}"
    check_network(runner.run, leading, spec.classes, spec.stride_px, spec.reach_px, str(path), remedy)
    runner.compare_with_cpu(_canary(spec))
    if runner.provider != started.provider and not allow_cpu_fallback:
        raise runtime.no_hardware(runner.refusals, path)
    return Segmenter(spec, runner, largest_tile_px)


def segment(segmenter: Segmenter, window: FaceWindow) -> NDArray[np.float32]:
    """Probability of each phase at every pixel of the window's middle slice.

    The result does not depend on how the image is cut: each tile is wider than what is kept of it by as
    much as the network sees.

    Args:
        segmenter: an open network.
        window: (channel, adjacent slice, y, x) uint8 or uint16, registered to each other; channels in
            the order of ``segmenter.spec.channels``, slices as :func:`models.windows.window_slices`
            lists them.

    Returns:
        (class, y, x) float32; the sum over classes is 1.

    Raises:
        ModelMismatchError: the window has another number of channels or slices, or another data type, or no
            pixels.
    """
    _check_window(segmenter.spec, window)
    limits = [[face_limits(image, segmenter.spec.normalisation) for image in channel] for channel in window]
    height, width = window.shape[-2:]
    padded = _padded(window, segmenter.spec.stride_px)
    probabilities = np.empty((segmenter.spec.classes, *padded.shape[-2:]), dtype=np.float32)
    for tiles in _batches(_plan(segmenter, padded), segmenter.runner.batch_tiles):
        batch = np.stack([_tile(padded, limits, tile, segmenter.spec) for tile in tiles])
        for (rows, columns), result in zip(tiles, segmenter.runner.run(batch), strict=True):
            kept = result[:, rows.kept_inside, columns.kept_inside]
            probabilities[:, rows.kept, columns.kept] = kept
    return probabilities[:, :height, :width]


def check_tiles(stride_px: int, reach_px: int, largest_tile_px: int, where: str) -> None:
    """Refuse tiles of which nothing would be kept.

    Raises:
        ModelMismatchError: with the smallest size that will do.
    """
    smallest = 2 * reach_px + stride_px
    if largest_tile_px < smallest:
        raise ModelMismatchError(
            f"tiles of {largest_tile_px} px are too small for a network that sees {reach_px} px far",
            where,
            f"Cut images into tiles of at least {smallest} px, or use a file of models/zoo.",
        )


def canary_seconds(segmenter: Segmenter) -> float:
    """Time of one test tile on the hardware in use."""
    return shortest_s(segmenter.runner.run, _canary(segmenter.spec))


def _canary(spec: ModelSpec) -> Batch:
    """One test tile, black."""
    side = test_side_px(spec.stride_px, spec.reach_px)
    return np.zeros((1, len(spec.channels), spec.adjacent_slices, side, side), dtype=np.float32)


def _check_inputs(spec: ModelSpec, started: Runtime, path: Path) -> None:
    shape = started.input_shape
    if shape[1:3] != [len(spec.channels), spec.adjacent_slices]:
        raise ModelMetadataInvalidError(
            f"the network takes {shape}, which is not what it says about itself",
            str(path),
            REMEDY,
        )


def _forest(spec: ModelSpec, started: Runtime, path: Path, threads: int) -> ForestRunner:
    """The runner of a forest whose inputs are the features that it names."""
    known = spec.features in FEATURE_SETS
    if not known or started.input_shape[1:] != [len(feature_names(spec.features, spec.channels))]:
        raise ModelMetadataInvalidError(
            f"the forest takes {started.input_shape}, which are not the features {spec.features!r}",
            str(path),
            f"Use a file of models/zoo, or train it anew; known features are {', '.join(FEATURE_SETS)}.",
        )
    runner = ForestRunner(started, spec.features, spec.classes, threads)
    tested(runner.run, _canary(spec), spec.classes, str(path), REMEDY)
    return runner


def _check_window(spec: ModelSpec, window: FaceWindow) -> None:
    wanted = (len(spec.channels), spec.adjacent_slices)
    if (
        window.ndim != 4
        or window.shape[:2] != wanted
        or window.dtype.name not in GREY_TYPES
        or not window.size
    ):
        raise ModelMismatchError(
            f"the network {spec.name} takes {wanted[0]} channels of {wanted[1]} slices of 8 or 16 bits",
            f"window of shape {window.shape}, {window.dtype}",
            f"Give it the channels {', '.join(spec.channels)}, or choose a network for those at hand.",
        )


def _padded(window: FaceWindow, stride_px: int) -> FaceWindow:
    """Sides rounded up to the stride by repeating the last row and column."""
    missing = [tiling.padded_length(length, stride_px) - length for length in window.shape[-2:]]
    if not any(missing):
        return window
    return np.pad(window, ((0, 0), (0, 0), (0, missing[0]), (0, missing[1])), mode="edge")


def _plan(segmenter: Segmenter, padded: FaceWindow) -> Iterator[TilePlan]:
    spec = segmenter.spec
    rows, columns = (
        tiling.spans(length, segmenter.largest_tile_px, spec.reach_px, spec.stride_px)
        for length in padded.shape[-2:]
    )
    return product(rows, columns)


def _batches(tiles: Iterator[TilePlan], size: int) -> Iterator[list[TilePlan]]:
    while batch := list(islice(tiles, size)):
        yield batch


def _tile(
    padded: FaceWindow, limits: Sequence[Sequence[Limits]], tile: TilePlan, spec: ModelSpec
) -> NDArray[np.float32]:
    rows, columns = tile
    crop = padded[..., rows.covered, columns.covered]
    images: list[list[FaceImage]] = [list(channel) for channel in crop]
    return np.stack(
        [
            np.stack([normalise(*pair, spec.normalisation) for pair in zip(channel, bounds, strict=True)])
            for channel, bounds in zip(images, limits, strict=True)
        ]
    )
