"""From the watcher's files to the events of ``assemble``: a frame, or the reason why there is none."""

from __future__ import annotations

from daemon.assembly import FileRejected, FrameArrived, Refusal
from daemon.completeness import Progress
from daemon.errors import FileUnreadableError
from daemon.items import FileReady
from daemon.metadata.plain import Sidecar
from daemon.naming import slice_number
from daemon.reader import FileAwayError, FileChangedError, decoded, snapshot
from daemon.watch import GivenUp


def read_event(file: FileReady, pattern: str, sidecar: Sidecar) -> tuple[FrameArrived | FileRejected, bytes]:
    """Read a file; damage becomes a rejection, for one bad file must not end a run.

    With the event come the bytes that the image was read from, none with a rejection.

    Raises
    ------
    FileAwayError
        It cannot be reached now.
    """
    try:
        content = snapshot(file)
        frame = decoded(file.path, content, pattern, sidecar)
        if frame.image.min() == frame.image.max():
            detail = f"every pixel is {frame.image.flat[0]}: beam blanked or detector off?"
            return _rejected(file, pattern, Refusal.UNREADABLE, detail), b""
        return FrameArrived(frame, file.mtime_ns), content
    except FileAwayError:
        raise
    except FileChangedError as error:
        # Not a fault of the slice: the watcher reports the version that took this one's place.
        return _rejected(file, pattern, Refusal.SUPERSEDED, error.what), b""
    except FileUnreadableError as error:
        return _rejected(file, pattern, Refusal.UNREADABLE, error.what), b""


def given_up_event(given_up: GivenUp, pattern: str) -> FileRejected:
    """A file that the watcher no longer waits for."""
    misnamed = given_up.progress is Progress.MISNAMED
    reason = Refusal.UNREADABLE if misnamed else Refusal.NEVER_FINISHED
    return _rejected(given_up.file, pattern, reason, given_up.reason)


def _rejected(file: FileReady, pattern: str, reason: Refusal, detail: str) -> FileRejected:
    """The watcher only reports files whose name has a slice number, so -1 closes no slice."""
    number = slice_number(file.path, pattern)
    return FileRejected(file.path, -1 if number is None else number, reason, detail, file.mtime_ns)
