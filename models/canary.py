"""A test tile: what a network makes of it, before the network is trusted with a run.

Metadata may lie, or belong to another network. What comes out of noise shows whether the file takes what it
says it takes, gives probabilities, and sees no farther than it says.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import (  # pyright: ignore[reportMissingImports]
    Fail,
    InvalidArgument,
    RuntimeException,
)
from onnxruntime.capi.onnxruntime_pybind11_state import (  # pyright: ignore[reportMissingImports]
    NotImplemented as UnknownOperationError,
)

from models.errors import ModelMetadataInvalidError

Batch = NDArray[np.float32]
NOT_RUN: Final = (Fail, InvalidArgument, UnknownOperationError, RuntimeException, ValueError)
"""How ONNX Runtime says that a network cannot be run on what it is given."""
LARGEST_ERROR: Final = 1e-3
"""Of a sum of probabilities, and of what a pixel out of reach may change: 16 bits have no more digits."""


def test_side_px(stride_px: int, reach_px: int) -> int:
    """Side of the smallest tile with pixels out of reach of its middle.

    It is an odd number of strides, so that a network of a larger stride than it says cannot take it.
    """
    return 2 * reach_px + 3 * stride_px


def check_network(
    run: Callable[[Batch], Batch],
    leading: tuple[int, ...],
    classes: int,
    stride_px: int,
    reach_px: int,
    where: str,
    remedy: str,
) -> None:
    """Make sure that a network gives probabilities of noise, which pixels out of reach do not change.

    Args:
        run: the network: (batch, *leading, y, x) to (batch, class, y, x).
        leading: channels and slices, or maps, of its input.
        classes, stride_px, reach_px: as the file says (:class:`models.spec.ModelSpec`).
        where: the file, for messages.
        remedy: against a file that is not what it says.

    Raises:
        ModelMetadataInvalidError: it cannot be run so, gives something else, or sees farther.
    """
    found = tested(run, _tiles(leading, stride_px, reach_px), classes, where, remedy)
    _check_reach(found, stride_px, reach_px, where, remedy)


def check_generator(
    run: Callable[[Batch], Batch], stride_px: int, reach_px: int, where: str, remedy: str
) -> None:
    """Make sure that a network makes an image of noise, which pixels out of reach do not change.

    Arguments are those of :func:`check_network`; the network takes and gives (batch, 1, y, x).

    Raises:
        ModelMetadataInvalidError: it cannot be run so, gives something else, or sees farther.
    """
    found = _ran(run, _tiles((1,), stride_px, reach_px), 1, where, remedy)
    _check_reach(found, stride_px, reach_px, where, remedy)


def tested(
    run: Callable[[Batch], Batch], tiles: Batch, classes: int, where: str, remedy: str
) -> NDArray[np.float32]:
    """What a network makes of tiles: probabilities (batch, class, y, x).

    Raises:
        ModelMetadataInvalidError: it cannot be run on them, or these are none.
    """
    found = _ran(run, tiles, classes, where, remedy)
    if found.min() < -LARGEST_ERROR or np.abs(found.sum(axis=1) - 1).max() > LARGEST_ERROR:
        what = "the network gives no probabilities: they do not sum up to 1, or are negative"
        raise ModelMetadataInvalidError(what, where, remedy)
    return found


def _ran(
    run: Callable[[Batch], Batch], tiles: Batch, outputs: int, where: str, remedy: str
) -> NDArray[np.float32]:
    """What a network makes of tiles: finite numbers (batch, output, y, x)."""
    try:
        found = run(tiles)
    except NOT_RUN as problem:
        raise ModelMetadataInvalidError(
            f"the network cannot be run on tiles {tiles.shape}, as it says: {' '.join(str(problem).split())}",
            where,
            remedy,
        ) from problem
    wanted = (len(tiles), outputs, *tiles.shape[-2:])
    if found.shape != wanted:
        what = f"the network gives {found.shape}, and not {wanted}, as it says"
    elif not np.isfinite(found).all():
        what = "the network gives numbers that are not finite"
    else:
        return found
    raise ModelMetadataInvalidError(what, where, remedy)


def _check_reach(found: Batch, stride_px: int, reach_px: int, where: str, remedy: str) -> None:
    """Of two tiles that differ out of reach, the middles are alike."""
    middle = slice(reach_px + stride_px, reach_px + 2 * stride_px)
    first, second = found[..., middle, middle]
    difference = float(np.abs(first - second).max())
    if difference > LARGEST_ERROR:
        what = (
            f"it sees farther than its reach_px {reach_px}: what lies beyond changes it by {difference:.2g}"
        )
        raise ModelMetadataInvalidError(what, where, remedy)


def _tiles(leading: tuple[int, ...], stride_px: int, reach_px: int) -> Batch:
    """Two tiles of noise that are alike but for their outermost stride on all sides."""
    side = test_side_px(stride_px, reach_px)
    first, second = np.random.default_rng(0).random((2, *leading, side, side), dtype=np.float32)
    inner = slice(stride_px, side - stride_px)
    second[..., inner, inner] = first[..., inner, inner]
    return np.stack([first, second])
