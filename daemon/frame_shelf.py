"""Keeps images that were read, one by one, until their slice is decided.

What a restart would have to read again is spooled, for its file may be overwritten meanwhile. At most a few
slices wait at any time, because files are read in the order of their slices (back-pressure): the folder
itself is the queue.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from daemon.assembly import FileRejected, FrameArrived, SliceComplete, as_slice, named_frames
from daemon.assembly_state import AssemblyRules, AssemblyState, FrameRecord, PendingSlice
from daemon.config import Configuration
from daemon.errors import FileUnreadableError, JournalError
from daemon.intake import given_up_event
from daemon.items import FileReady, Frame, Slice
from daemon.journal import FileVersion
from daemon.metadata.plain import Sidecar, sidecar_of
from daemon.outputs import Outputs
from daemon.reader import decoded, snapshot
from daemon.spool import Spool
from daemon.watch import GivenUp

Arrival = tuple[FrameArrived | FileRejected, FileVersion]


@dataclass(frozen=True, slots=True)
class FrameShelf:
    """Images of one run; ``frames`` by sha256 are those whose slice is not decided.

    ``faces`` are the sha256 of the images of slices that the network may look at again, ``unsaved`` the bytes
    of files that were read since the last commit.
    """

    pattern: str
    sidecar: Sidecar
    spool: Spool
    frames: dict[str, Frame] = field(default_factory=dict[str, Frame])
    faces: dict[int, frozenset[str]] = field(default_factory=dict[int, frozenset[str]])
    unsaved: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def keep(self, ready: FileReady, event: FrameArrived | FileRejected, content: bytes) -> Arrival:
        """The event of a file that was read, and what the journal keeps of it; ``content``: its bytes."""
        if isinstance(event, FileRejected):
            return event, _version(ready, "", str(event.reason))
        self.frames[event.frame.sha256] = event.frame
        self.unsaved[event.frame.sha256] = content
        return event, _version(ready, event.frame.sha256, "read")

    def give_up(self, given_up: GivenUp) -> Arrival:
        """The event of a file that will not become complete."""
        event = given_up_event(given_up, self.pattern)
        return event, _version(given_up.file, "", str(event.reason))

    def slice_of(self, complete: SliceComplete, rules: AssemblyRules) -> Slice:
        """The slice of a verdict; the network will look at it."""
        self.faces[complete.index] = frozenset(record.sha256 for record in complete.frames)
        return as_slice(complete, rules, self.frames)

    def waiting_of(self, pending: PendingSlice, rules: AssemblyRules) -> dict[str, Frame]:
        """The images of a slice that has not all of them yet, by channel."""
        return named_frames(pending.frames, rules, self.frames)

    @contextmanager
    def keeping(self, assembly: AssemblyState, window: Collection[int]) -> Generator[None]:
        """Around the checkpoint of ``assembly``, with the faces of ``window``, that is made inside.

        Images that it refers to are spooled before it, and what it no longer refers to is let go after it.

        Raises
        ------
        StoreError
            The disk is full or read-only.
        """
        needed = self._needed(assembly, window)
        for sha256 in needed & self.unsaved.keys():
            self.spool.keep(sha256, self.unsaved[sha256])
        yield
        self.unsaved.clear()
        for sha256 in self.frames.keys() - {record.sha256 for record in assembly.waiting}:
            del self.frames[sha256]
        for index in self.faces.keys() - set(window):
            del self.faces[index]
        self.spool.keep_only(needed)

    def recall(self, record: FrameRecord) -> None:
        """Read an image again that an earlier process had admitted.

        Raises
        ------
        JournalError
            It was not spooled, and its file is gone or is no longer what it was.
        """
        self.frames[record.sha256] = self.reread(Path(record.path), record.sha256)

    def recall_face(self, index: int, images: Mapping[str, Path]) -> dict[str, Frame]:
        """Read the images of a face again, by sha256.

        Raises
        ------
        JournalError
            One was not spooled, and its file is gone or is no longer what it was.
        """
        self.faces[index] = frozenset(images)
        return {sha256: self.reread(path, sha256) for sha256, path in images.items()}

    def reread(self, path: Path, sha256: str) -> Frame:
        """Read an image again whose content is known, from the spool or else from its file.

        Raises
        ------
        JournalError
            It was not spooled, and its file is gone or is no longer what it was.
        """
        try:
            content = self.spool.content(sha256)
            frame = decoded(path, content or _now_in(path), self.pattern, self.sidecar)
        except (OSError, FileUnreadableError) as error:
            raise _lost(path, str(error)) from error
        if frame.sha256 != sha256:
            raise _lost(path, "its content has changed")
        return frame

    def _needed(self, assembly: AssemblyState, window: Collection[int]) -> set[str]:
        seen = (self.faces.get(index, frozenset[str]()) for index in window)
        return {record.sha256 for record in assembly.waiting}.union(*seen)


def open_shelf(configuration: Configuration) -> FrameShelf:
    """An empty shelf for a configured run."""
    spool = Spool(Outputs(configuration.run.output).spool)
    return FrameShelf(configuration.run.file_pattern, sidecar_of(configuration), spool)


def _now_in(path: Path) -> bytes:
    stat = path.stat()
    return snapshot(FileReady(path, stat.st_size, stat.st_mtime_ns))


def _version(ready: FileReady, sha256: str, outcome: str) -> FileVersion:
    return FileVersion(str(ready.path), ready.size, ready.mtime_ns, sha256, outcome)


def _lost(path: Path, why: str) -> JournalError:
    return JournalError(
        f"the run cannot go on: an image that it needs again cannot be read ({why})",
        where=str(path),
        remedy="Put the file back as it was, or choose another run.output to start over.",
    )
