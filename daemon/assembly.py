"""The vocabulary of assembling slices: events in, outcomes out, and the state between.

The state is frozen and holds only numbers, strings, tuples and records of those, so that a journal can store
it; images are not in it. Whoever holds the frames joins them to a ``SliceComplete`` with ``as_slice``.

::

    FrameArrived ──► admitted ──► waiting in PendingSlice ──► SliceComplete   (strictly in index order)
          │                              └──► SliceGap + Quarantined(PARTIAL_SLICE)
          ├──► Quarantined(reason)
          └──► Ignored(reason)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

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
    RENUMBERED = "renumbered"
    UNEXPECTED_INDEX = "unexpected index"
    PARTIAL_SLICE = "partial slice"


class Disregard(StrEnum):
    """Why a sound file is no part of the volume and no fault either."""

    ION_BEAM = "ion beam"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """How an image of a channel is recognised; an empty detector accepts any."""

    name: str
    voltage_kv: float
    detector: str = ""


@dataclass(frozen=True, slots=True)
class AssemblyRules:
    """What belongs together and how long to wait; ``expected_slices`` 0: unknown.

    ``missing_after_s`` 0: learned from the run's own rhythm. ``later_slices`` complete slices after a hole
    prove that it will not be filled: a microscope does not go back.
    """

    channels: tuple[ChannelRule, ...]
    expected_slices: int = 0
    missing_after_s: float = 0.0
    later_slices: int = 3
    voltage_tolerance: float = 0.02

    def __post_init__(self) -> None:
        if not self.channels or self.later_slices < 1 or self.missing_after_s < 0.0:
            raise ValueError("at least one channel, one later slice, and a waiting time that is not negative")


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """An admitted image without its pixels; ``channel`` is the position in the rules."""

    path: str
    sha256: str
    channel: int
    height: int
    width: int
    written_ns: int


@dataclass(frozen=True, slots=True)
class PendingSlice:
    """A slice that is not whole yet; ``opened_s`` is when its first image came, monotonic clock."""

    index: int
    frames: tuple[FrameRecord, ...]
    opened_s: float

    def frame_of(self, channel: int) -> FrameRecord | None:
        """The image of a channel, if it has come."""
        return next((frame for frame in self.frames if frame.channel == channel), None)


@dataclass(frozen=True, slots=True)
class RefusedImage:
    """A refused image that a slice may now lack; ``channel`` -1: unknown."""

    index: int
    channel: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class FolderHabit:
    """The channel that a folder delivers; -1 once it has delivered others as often.

    It never decides what an image is; it tells which channel an *unreadable* image would have been.
    """

    folder: str
    channel: int
    times: int = 1


@dataclass(frozen=True, slots=True)
class Tally:
    """Files by what became of them; those that wait in pending slices are the difference."""

    arrived: int = 0
    processed: int = 0
    quarantined: int = 0
    ignored: int = 0

    @property
    def waiting(self) -> int:
        """Files whose slice is not decided."""
        return self.arrived - self.processed - self.quarantined - self.ignored


@dataclass(frozen=True, slots=True)
class AssemblyState:
    """Everything that assembling must remember.

    ``settled`` and ``settled_paths`` hold a digest per channel of every released slice from ``first_index``
    on, flattened (slice, channel), 0 where there is no image. ``intervals_s`` are the times between the last
    slices, by the clock of the files. ``suspects`` are indices written again, newer than anything before.
    """

    rules: AssemblyRules
    first_index: int | None = None
    next_index: int | None = None
    shape: tuple[int, ...] = ()
    pending: tuple[PendingSlice, ...] = ()
    refused: tuple[RefusedImage, ...] = ()
    settled: tuple[int, ...] = ()
    settled_paths: tuple[int, ...] = ()
    habits: tuple[FolderHabit, ...] = ()
    intervals_s: tuple[float, ...] = ()
    slice_written_ns: int = 0
    newest_s: float = 0.0
    suspects: tuple[int, ...] = ()
    tally: Tally = field(default_factory=Tally)

    @property
    def last_index(self) -> int | None:
        """The run's last slice index if the number of slices is known: 1 … N, unless it began at 0 or > N."""
        count = self.rules.expected_slices
        first = self.first_index if self.first_index is not None else self._lowest_pending()
        if not count or first is None:
            return None
        return first + count - 1 if first < 1 or first > count else count

    @property
    def over(self) -> bool:
        """Whether every expected slice has been released."""
        last = self.last_index
        return last is not None and self.next_index is not None and self.next_index > last

    def _lowest_pending(self) -> int | None:
        return self.pending[0].index if self.pending else None


@dataclass(frozen=True, slots=True, eq=False)
class FrameArrived:
    """An image was read; ``written_ns`` is its file's mtime."""

    frame: Frame
    written_ns: int


@dataclass(frozen=True, slots=True)
class FileRejected:
    """A file could not become a frame: unreadable, or given up as never finished."""

    path: Path
    slice_index: int
    reason: Refusal
    detail: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes; ``unread`` counts files known but not yet read: while there are any, nobody is late."""

    unread: int = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """No more files will come."""


Event = FrameArrived | FileRejected | Tick | Finish


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
class Renumbered:
    """The acquisition was restarted and counts again from ``first_index``."""

    first_index: int
    path: Path


@dataclass(frozen=True, slots=True)
class ClockSetBack:
    """A new slice was taken before an earlier one, by the microscope's clock; nothing depends on it."""

    index: int
    path: Path
    back_s: float


Outcome = FrameAccepted | SliceComplete | SliceGap | Quarantined | Ignored | Renumbered | ClockSetBack


def as_slice(complete: SliceComplete, rules: AssemblyRules, frames: Mapping[str, Frame]) -> Slice:
    """The slice of a verdict; ``frames`` by sha256."""
    named = {rules.channels[record.channel].name: frames[record.sha256] for record in complete.frames}
    return Slice(complete.index, named)
