"""What assembling slices remembers: frozen, and only numbers, strings, tuples and records of those.

So a journal can store it, and a step is a function of it. Images are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """How an image of a channel is recognised; a voltage of 0 and an empty detector accept any."""

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
class HeldImage:
    """An image whose place is taken: its ``reason`` is what it will be refused for, unless others follow."""

    index: int
    record: FrameRecord
    taken_s: float
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Segment:
    """From a restart on, file numbers are slice indices less ``shift``.

    It holds for images taken from ``taken_s`` on (the microscope's clock), for files that cannot be read for
    those written from ``written_ns`` on.
    """

    shift: int
    taken_s: float
    written_ns: int


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
    slices, by the clock of the files. ``suspects`` are images of places that are taken, newer than anything
    before; ``foreign`` are folders of another project.
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
    suspects: tuple[HeldImage, ...] = ()
    foreign: tuple[str, ...] = ()
    segments: tuple[Segment, ...] = ()
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
    def waiting(self) -> tuple[FrameRecord, ...]:
        """Images that are admitted or held, and not decided."""
        pending = (frame for slice_ in self.pending for frame in slice_.frames)
        return (*pending, *(held.record for held in self.suspects))

    @property
    def over(self) -> bool:
        """Whether every expected slice has been released."""
        last = self.last_index
        return last is not None and self.next_index is not None and self.next_index > last

    def _lowest_pending(self) -> int | None:
        return self.pending[0].index if self.pending else None
