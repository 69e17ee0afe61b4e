"""The vocabulary of assembling slices: events in, outcomes out; the state between is in ``assembly_state``.

Images are in the events and not in the outcomes: whoever holds the frames joins them to a ``SliceComplete``
with ``as_slice``.

::

    FrameArrived ──► admitted ──► waiting in PendingSlice ──► SliceComplete   (strictly in index order)
          │                              └──► SliceGap + Quarantined(PARTIAL_SLICE)
          ├──► Held ──► Renumbered: admitted after all, to a new segment of the run
          │      └────► Quarantined(reason), told once as OtherProject if a whole project is astray
          ├──► Quarantined(reason)
          └──► Ignored(reason)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from daemon.assembly_state import AssemblyRules, FrameRecord
from daemon.items import Frame, Slice, SliceGap


class Refusal(StrEnum):
    """Why a file is in quarantine."""

    UNREADABLE = "unreadable"
    NEVER_FINISHED = "never finished"
    NO_METADATA = "no metadata"
    WRONG_VOLTAGE = "wrong voltage"
    WRONG_DETECTOR = "wrong detector"
    WRONG_SIZE = "wrong size"
    DUPLICATE = "duplicate"
    OVERWRITTEN = "overwritten"
    SUPERSEDED = "superseded"
    CONFLICT = "conflict"
    LATE = "late"
    OTHER_PROJECT = "other project"
    UNEXPECTED_INDEX = "unexpected index"
    PARTIAL_SLICE = "partial slice"


class Disregard(StrEnum):
    """Why a sound file is no part of the volume and no fault either."""

    ION_BEAM = "ion beam"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, eq=False)
class FrameArrived:
    """An image was read; ``written_ns`` is its file's mtime."""

    frame: Frame
    written_ns: int


@dataclass(frozen=True, slots=True)
class FileRejected:
    """A file could not become a frame: unreadable, or given up; ``written_ns`` is its mtime."""

    path: Path
    slice_index: int
    reason: Refusal
    detail: str
    written_ns: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes; ``unread`` counts files known but not yet read: while there are any, nobody is late.

    ``away``: the folder cannot be reached, and the clocks of waiting slices stand still. ``arriving``: other
    files come in quick succession; a copy may be at work that will bring what is lacking.
    """

    unread: int = 0
    away: bool = False
    arriving: bool = False


@dataclass(frozen=True, slots=True)
class MoveOn:
    """Nothing more will come for the oldest slice that waits: it is decided as it is."""


@dataclass(frozen=True, slots=True)
class Finish:
    """No more files will come."""


Event = FrameArrived | FileRejected | Tick | MoveOn | Finish


@dataclass(frozen=True, slots=True)
class FrameAccepted:
    """An image has its place; ``replaces`` is the hash of the earlier content it takes the place of."""

    index: int
    channel: str
    path: Path
    sha256: str
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class SliceComplete:
    """All channels of a slice are there; its turn has come."""

    index: int
    frames: tuple[FrameRecord, ...]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A file is kept out of the volume, and why; ``told``: another outcome's alarm tells of it already."""

    path: Path
    slice_index: int
    reason: Refusal
    detail: str
    told: bool = False


@dataclass(frozen=True, slots=True)
class Ignored:
    """A file is no part of the volume, and that is as it should be."""

    path: Path
    slice_index: int
    reason: Disregard


@dataclass(frozen=True, slots=True)
class Held:
    """An image whose place is taken is kept until the next ones show why; ``detail`` speaks against it."""

    path: Path
    slice_index: int
    detail: str


@dataclass(frozen=True, slots=True)
class Renumbered:
    """The acquisition was restarted: its number ``counted_from`` is slice ``first_index`` of the run."""

    first_index: int
    counted_from: int
    path: Path


@dataclass(frozen=True, slots=True)
class OtherProject:
    """``folder`` holds images of another acquisition; they are told once, here."""

    slice_index: int
    folder: Path


@dataclass(frozen=True, slots=True)
class ClockSetBack:
    """A new slice was taken before an earlier one, by the microscope's clock; nothing depends on it."""

    index: int
    path: Path
    back_s: float


Outcome = (
    FrameAccepted
    | SliceComplete
    | SliceGap
    | Quarantined
    | Ignored
    | Held
    | Renumbered
    | OtherProject
    | ClockSetBack
)


def as_slice(complete: SliceComplete, rules: AssemblyRules, frames: Mapping[str, Frame]) -> Slice:
    """The slice of a verdict; ``frames`` by sha256."""
    return Slice(complete.index, named_frames(complete.frames, rules, frames))


def named_frames(
    records: Iterable[FrameRecord], rules: AssemblyRules, frames: Mapping[str, Frame]
) -> dict[str, Frame]:
    """The images of a slice by their channel's name; ``frames`` by sha256."""
    return {rules.channels[record.channel].name: frames[record.sha256] for record in records}
