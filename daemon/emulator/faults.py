"""What can go wrong at a microscope, as a table: kind → description → what it does to a slice's files.

A fault gets the writes of its slice, in order, and a random generator of its own, and returns the writes that
happen instead.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from daemon.emulator.plan import DRIFT_FAULT
from daemon.emulator.settings import FaultOrder
from daemon.errors import ConfigurationError

Pieces = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """A file about to be written: its pieces, made when its turn comes, and whether it is a slice's image.

    ``after_slices`` postpones it until so many further slices are written.
    """

    path: Path
    pieces: Callable[[], Pieces]
    is_slice_image: bool = True
    after_slices: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault: a line for people, and what it does."""

    description: str
    apply: Callable[[list[Write], np.random.Generator], list[Write]]


def parse_fault(text: str) -> FaultOrder:
    """Read ``KIND@SLICE``, for example ``torn@12``; slices count from 1, as in the file names.

    Raises
    ------
    ConfigurationError
        The text has another form or the kind is unknown.
    """
    match = re.fullmatch(r"([a-z-]+)@([1-9]\d*)", text.strip())
    if match is None:
        raise ConfigurationError(
            f"{text!r} is no fault", where="--fault", remedy="Write KIND@SLICE, for example torn@12."
        )
    order = FaultOrder(match[1], int(match[2]))
    require_known([order])
    return order


def require_known(orders: Sequence[FaultOrder]) -> None:
    """Raise ConfigurationError for an order whose kind is not in the table."""
    for order in orders:
        if order.kind not in FAULTS:
            near = difflib.get_close_matches(order.kind, FAULTS, n=1)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise ConfigurationError(
                f"unknown fault {order.kind!r}",
                where="--fault",
                remedy=f"{hint}There are: {', '.join(FAULTS)}.",
            )


def with_fault(order: FaultOrder, writes: list[Write], rng: np.random.Generator) -> list[Write]:
    """The writes of a slice after a fault has struck."""
    return FAULTS[order.kind].apply(writes, rng)


def _hit(writes: list[Write], rng: np.random.Generator) -> int:
    """Which of the writes is struck: one of the slice's images that are still to be written."""
    return int(rng.choice([i for i, write in enumerate(writes) if write.is_slice_image]))


def _replaced(writes: list[Write], index: int, *substitutes: Write) -> list[Write]:
    return [*writes[:index], *substitutes, *writes[index + 1 :]]


def _corrupt(writes: list[Write], rng: np.random.Generator) -> list[Write]:
    index = _hit(writes, rng)
    garbage = rng.bytes(65536)
    return _replaced(writes, index, replace(writes[index], pieces=lambda: (garbage,)))


def _torn(writes: list[Write], rng: np.random.Generator) -> list[Write]:
    index = _hit(writes, rng)
    whole = writes[index]

    def cut() -> Pieces:
        pieces = whole.pieces()
        return pieces[: max(2, 2 * len(pieces) // 3)]

    return _replaced(writes, index, replace(whole, pieces=cut))


def _missing(writes: list[Write], rng: np.random.Generator) -> list[Write]:
    return _replaced(writes, _hit(writes, rng))


def _lost(writes: list[Write], rng: np.random.Generator) -> list[Write]:
    return [write for write in writes if not write.is_slice_image]


def _duplicate(writes: list[Write], rng: np.random.Generator) -> list[Write]:
    """The copy's number has one more leading zero: another name for the same slice."""
    index = _hit(writes, rng)
    original = writes[index]
    head, number = original.path.stem.rsplit(" ", 1)
    copy = replace(original, path=original.path.with_name(f"{head} 0{number}{original.path.suffix}"))
    return _replaced(writes, index, original, copy)


def _late(writes: list[Write], rng: np.random.Generator) -> list[Write]:
    index = _hit(writes, rng)
    return _replaced(writes, index, replace(writes[index], after_slices=1))


def _files_unharmed(writes: list[Write], rng: np.random.Generator) -> list[Write]:
    """For faults of the sample: the plan of the run has them, the files are good."""
    return writes


FAULTS: dict[str, Fault] = {
    "corrupt": Fault("one image of the slice is garbage from the first byte", _corrupt),
    "torn": Fault("one image of the slice ends after two thirds and is never completed", _torn),
    "missing": Fault("one image of the slice is never written", _missing),
    "lost": Fault("no image of the slice is ever written", _lost),
    "duplicate": Fault("one image of the slice is written twice, under two names", _duplicate),
    "late": Fault("one image of the slice appears only after the next slice", _late),
    DRIFT_FAULT: Fault("from this slice on the mill takes more: the mean thickness rises", _files_unharmed),
}
"""Every fault that can be ordered."""
