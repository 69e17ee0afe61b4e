"""How far the labels of two runs agree: face by face in native pixels, voxel by voxel where grids are alike.

The first run stands where a truth would; nothing says that it is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import zarr

from algorithms.scores import Confusion, Labels, confusion, dice, mean_dice, misplaced_percent
from daemon.compare.finished import Finished
from daemon.compare.lines import Line

_PHASES: Final = 8
"""More than any network of ours knows; those that do not occur are left out."""


def agreement(first: Finished, second: Finished) -> Iterator[Line]:
    """Misplaced pixels and Dice over all faces that are final in both, then over the volume."""
    yield from _compared("faces", _faces(first, second), _shapes_apart(first.faces, second.faces))
    volumes = [_volume(run) for run in (first, second)]
    if all(volume is not None for volume in volumes):
        yield from _compared("volume", _planes(*volumes), _shapes_apart(*volumes, sides=3))


def _compared(section: str, pairs: Iterable[tuple[Labels, Labels]], shapes_apart: str) -> Iterator[Line]:
    if shapes_apart:
        yield Line(section, f"not comparable: {shapes_apart}")
        return
    matrix = np.zeros((_PHASES, _PHASES), np.int64)
    for one, other in pairs:
        matrix += confusion(one, other, _PHASES)
    yield from _scores(section, _occurring(matrix))


def _scores(section: str, matrix: Confusion) -> Iterator[Line]:
    yield Line(section, "labels compared", difference=float(matrix.sum()))
    yield Line(section, "labelled otherwise (MP)", difference=misplaced_percent(matrix), unit="%")
    yield Line(section, "mean Dice", difference=mean_dice(matrix))
    for phase in range(len(matrix)):
        yield Line(section, f"Dice of phase {phase}", difference=dice(matrix, phase))


def _occurring(matrix: Confusion) -> Confusion:
    """Without the phases above the highest that occurs; two at least."""
    highest = max(
        (int(phase) for phase in np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1))), default=0
    )
    phases = max(2, highest + 1)
    return matrix[:phases, :phases]


def _faces(first: Finished, second: Finished) -> Iterator[tuple[Labels, Labels]]:
    """Labels of each slice that is final in both."""
    before, after = first.final, second.final
    one, other = first.faces, second.faces
    for index in sorted(before.keys() & after.keys()):
        yield np.asarray(one[before[index]]), np.asarray(other[after[index]])


def _planes(one: Any, other: Any) -> Iterator[tuple[Labels, Labels]]:
    for plane in range(one.shape[0]):
        yield np.asarray(one[plane]), np.asarray(other[plane])


def _volume(run: Finished) -> Any:
    """The full resolution, None if there is no volume."""
    path = run.outputs.volume / "0"
    return zarr.open_array(str(path), mode="r") if path.is_dir() else None


def _shapes_apart(one: Any, other: Any, sides: int = 2) -> str:
    """In words why labels do not lie on each other, empty if they do; of faces one run may have more."""
    mine, yours = one.shape[-sides:], other.shape[-sides:]
    return "" if mine == yours else f"{'×'.join(map(str, mine))} against {'×'.join(map(str, yours))}"
