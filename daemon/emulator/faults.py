"""What can go wrong at a microscope, as a table: kind → description → what it does to a slice's files.

A fault gets the writes of its slice, in order, its amount, and a random generator of its own, and returns
the writes that happen instead. Faults of the sample or of the whole run leave the writes as they are: the
plan and the microscope know of them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from daemon.emulator.plan import DRIFT_FAULT
from daemon.emulator.rewriting import cropped, cut, noisy
from daemon.emulator.settings import FaultOrder
from daemon.emulator.tilt import TILT_FAULT
from daemon.errors import ConfigurationError

Pieces = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """A file about to be written: its pieces, made when its turn comes, and whether it is a slice's image.

    ``after_slices`` postpones it until so many further slices are written. Before it is written the
    microscope does nothing for ``pause_s``, and then the whole project is out of reach for ``away_s``.
    """

    path: Path
    pieces: Callable[[], Pieces]
    is_slice_image: bool = True
    after_slices: int = 0
    pause_s: float = 0.0
    away_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault: a line for people, what it does, and its usual amount; None: it takes none."""

    description: str
    apply: Callable[[list[Write], float, np.random.Generator], list[Write]]
    amount: float | None = None


def parse_fault(text: str) -> FaultOrder:
    """Read ``KIND@SLICE`` or ``KIND-AMOUNT@SLICE``, for example ``torn-99@12``; slices count from 1.

    Raises
    ------
    ConfigurationError
        The text has another form or the kind is unknown.
    """
    match = re.fullmatch(r"([a-z]+(?:-[a-z]+)*)(?:-(\d+(?:\.\d+)?))?@([1-9]\d*)", text.strip())
    if match is None:
        raise ConfigurationError(
            f"{text!r} is no fault",
            where="--fault",
            remedy="Write KIND@SLICE or KIND-AMOUNT@SLICE, for example torn@12 or torn-99@12.",
        )
    order = FaultOrder(match[1], int(match[3]), float(match[2]) if match[2] else None)
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
        if order.amount is not None and FAULTS[order.kind].amount is None:
            raise ConfigurationError(
                f"the fault {order.kind!r} takes no amount",
                where="--fault",
                remedy=f"Write {order.kind}@{order.slice_number}.",
            )


def with_fault(order: FaultOrder, writes: list[Write], rng: np.random.Generator) -> list[Write]:
    """The writes of a slice after a fault has struck."""
    return FAULTS[order.kind].apply(writes, amount_of(order), rng)


def amount_of(order: FaultOrder) -> float:
    """The amount as ordered, else the usual one of its kind."""
    usual = FAULTS[order.kind].amount
    return order.amount if order.amount is not None else usual if usual is not None else 0.0


CLOCK_FAULT = "clock-skew"
RESTART_FAULT = "restart-renumber"


def _hit(writes: list[Write], rng: np.random.Generator) -> int:
    """Which of the writes is struck: one of the slice's images that are still to be written."""
    return int(rng.choice([i for i, write in enumerate(writes) if write.is_slice_image]))


def _replaced(writes: list[Write], index: int, *substitutes: Write) -> list[Write]:
    return [*writes[:index], *substitutes, *writes[index + 1 :]]


def _altered(
    writes: list[Write], rng: np.random.Generator, change: Callable[[Pieces], Pieces]
) -> list[Write]:
    """The same with one image's bytes changed when they are made."""
    index = _hit(writes, rng)
    pieces = writes[index].pieces
    return _replaced(writes, index, replace(writes[index], pieces=lambda: change(pieces())))


def _corrupt(writes: list[Write], _amount: float, rng: np.random.Generator) -> list[Write]:
    garbage = rng.bytes(65536)
    return _altered(writes, rng, lambda _pieces: (garbage,))


def _torn(writes: list[Write], percent: float, rng: np.random.Generator) -> list[Write]:
    return _altered(writes, rng, lambda pieces: cut(pieces, percent / 100.0))


def _empty(writes: list[Write], _amount: float, rng: np.random.Generator) -> list[Write]:
    return _altered(writes, rng, lambda _pieces: (b"",))


def _zeros(writes: list[Write], _amount: float, rng: np.random.Generator) -> list[Write]:
    return _altered(writes, rng, lambda pieces: tuple(bytes(len(piece)) for piece in pieces))


def _corrupt_pixels(writes: list[Write], percent: float, rng: np.random.Generator) -> list[Write]:
    return _altered(writes, rng, lambda pieces: noisy(pieces, percent / 100.0, rng))


def _wrong_size(writes: list[Write], percent: float, rng: np.random.Generator) -> list[Write]:
    return _altered(writes, rng, lambda pieces: cropped(pieces, percent / 100.0))


def _swapped_voltage(writes: list[Write], _amount: float, rng: np.random.Generator) -> list[Write]:
    index = _hit(writes, rng)
    others = [write for write in writes if write.is_slice_image and write is not writes[index]]
    return _replaced(writes, index, replace(writes[index], pieces=others[0].pieces)) if others else writes


def _missing(writes: list[Write], _amount: float, rng: np.random.Generator) -> list[Write]:
    return _replaced(writes, _hit(writes, rng))


def _lost(writes: list[Write], _amount: float, _rng: np.random.Generator) -> list[Write]:
    return [write for write in writes if not write.is_slice_image]


def _duplicate(writes: list[Write], _amount: float, rng: np.random.Generator) -> list[Write]:
    """The copy's number has one more leading zero: another name for the same slice."""
    index = _hit(writes, rng)
    original = replace(writes[index], pieces=cache(writes[index].pieces))
    head, number = original.path.stem.rsplit(" ", 1)
    copy = replace(original, path=original.path.with_name(f"{head} 0{number}{original.path.suffix}"))
    return _replaced(writes, index, original, copy)


def _overwritten(writes: list[Write], slices: float, rng: np.random.Generator) -> list[Write]:
    index = _hit(writes, rng)
    pieces = cache(writes[index].pieces)
    again = replace(writes[index], pieces=lambda: noisy(pieces(), 0.05, rng), after_slices=int(slices))
    return _replaced(writes, index, replace(writes[index], pieces=pieces), again)


def _late(writes: list[Write], slices: float, rng: np.random.Generator) -> list[Write]:
    """Taken in its turn, but on the disk only later."""
    index = _hit(writes, rng)
    taken = writes[index].pieces()
    return _replaced(writes, index, replace(writes[index], pieces=lambda: taken, after_slices=int(slices)))


def _stall(writes: list[Write], seconds: float, _rng: np.random.Generator) -> list[Write]:
    return _replaced(writes, 0, replace(writes[0], pause_s=seconds))


def _share_loss(writes: list[Write], seconds: float, _rng: np.random.Generator) -> list[Write]:
    return _replaced(writes, 0, replace(writes[0], away_s=seconds))


def _files_unharmed(writes: list[Write], _amount: float, _rng: np.random.Generator) -> list[Write]:
    """For faults of the sample and of the whole run: the files of the slice are good."""
    return writes


FAULTS: dict[str, Fault] = {
    "corrupt": Fault("one image of the slice is garbage from the first byte", _corrupt),
    "corrupt-pixels": Fault("AMOUNT % of one image's pixels are noise", _corrupt_pixels, 100.0),
    "empty": Fault("one image of the slice is a file of no bytes", _empty),
    "zeros": Fault("one image of the slice has its length, but every byte is zero", _zeros),
    "torn": Fault("one image of the slice ends after AMOUNT % and is never completed", _torn, 66.0),
    "wrong-size": Fault("one image of the slice has only AMOUNT % of its rows", _wrong_size, 75.0),
    "swapped-voltage": Fault("one image of the slice is taken at another one's voltage", _swapped_voltage),
    "missing": Fault("one image of the slice is never written", _missing),
    "lost": Fault("no image of the slice is ever written", _lost),
    "duplicate": Fault("one image of the slice is written twice, under two names", _duplicate),
    "overwritten": Fault(
        "one image is written again AMOUNT slices later, with other pixels", _overwritten, 2.0
    ),
    "late": Fault("one image of the slice appears only AMOUNT slices later", _late, 1.0),
    "stall": Fault("before this slice nothing happens for AMOUNT s", _stall, 10.0),
    "share-loss": Fault("before this slice the project is out of reach for AMOUNT s", _share_loss, 5.0),
    CLOCK_FAULT: Fault("from this slice on the microscope's clock is AMOUNT h slow", _files_unharmed, 3.0),
    RESTART_FAULT: Fault("the acquisition restarts here and numbers from 1 again", _files_unharmed),
    TILT_FAULT: Fault("from this slice on tilt correction is switched over", _files_unharmed),
    DRIFT_FAULT: Fault("from this slice on the mill takes more: the mean thickness rises", _files_unharmed),
}
"""Every fault that can be ordered; AMOUNT as in KIND-AMOUNT@SLICE."""
