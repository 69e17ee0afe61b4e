"""Reads ready files one by one and keeps their images until their slice is decided.

At most a few slices wait at any time, because files are read in the order of their slices (back-pressure):
the folder itself is the queue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from daemon.assembly import FileRejected, FrameArrived
from daemon.assembly_state import AssemblyState, FrameRecord
from daemon.config import Configuration
from daemon.errors import FileUnreadableError, JournalError
from daemon.intake import given_up_event, read_event
from daemon.items import FileReady, Frame
from daemon.journal import FileVersion
from daemon.metadata.plain import Sidecar, sidecar_of
from daemon.reader import read_frame
from daemon.watch import GivenUp

Arrival = tuple[FrameArrived | FileRejected, FileVersion]


@dataclass(frozen=True, slots=True)
class FrameShelf:
    """Images of one run; ``frames`` by sha256 are those whose slice is not decided."""

    pattern: str
    sidecar: Sidecar
    frames: dict[str, Frame] = field(default_factory=dict[str, Frame])

    def read(self, ready: FileReady) -> Arrival:
        """The event of a complete file, and what the journal keeps of it.

        Raises
        ------
        FileAwayError
            It cannot be reached now.
        """
        event = read_event(ready, self.pattern, self.sidecar)
        if isinstance(event, FileRejected):
            return event, _version(ready, "", str(event.reason))
        self.frames[event.frame.sha256] = event.frame
        return event, _version(ready, event.frame.sha256, "read")

    def give_up(self, given_up: GivenUp) -> Arrival:
        """The event of a file that will not become complete."""
        event = given_up_event(given_up, self.pattern)
        return event, _version(given_up.file, "", str(event.reason))

    def forget_decided(self, assembly: AssemblyState) -> None:
        """Let go of images whose slice is released or closed."""
        waiting = {record.sha256 for record in assembly.waiting}
        for sha256 in self.frames.keys() - waiting:
            del self.frames[sha256]

    def recall(self, record: FrameRecord) -> None:
        """Read an image again that an earlier process had admitted.

        Raises
        ------
        JournalError
            The file is gone or is no longer what it was.
        """
        self.frames[record.sha256] = self.reread(Path(record.path), record.sha256)

    def reread(self, path: Path, sha256: str) -> Frame:
        """Read a file again whose content is known.

        Raises
        ------
        JournalError
            The file is gone or is no longer what it was.
        """
        try:
            stat = path.stat()
            frame = read_frame(FileReady(path, stat.st_size, stat.st_mtime_ns), self.pattern, self.sidecar)
        except (OSError, FileUnreadableError) as error:
            raise _lost(path, str(error)) from error
        if frame.sha256 != sha256:
            raise _lost(path, "its content has changed")
        return frame


def open_shelf(configuration: Configuration) -> FrameShelf:
    """An empty shelf for a configured run."""
    return FrameShelf(configuration.run.file_pattern, sidecar_of(configuration))


def _version(ready: FileReady, sha256: str, outcome: str) -> FileVersion:
    return FileVersion(str(ready.path), ready.size, ready.mtime_ns, sha256, outcome)


def _lost(path: Path, why: str) -> JournalError:
    return JournalError(
        f"the run cannot go on: an image that it needs again cannot be read ({why})",
        where=str(path),
        remedy="Put the file back as it was, or choose another run.output to start over.",
    )
