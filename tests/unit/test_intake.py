"""Every file becomes an event, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

from daemon.assembly import FileRejected, FrameArrived, Refusal
from daemon.completeness import Progress
from daemon.config import DEFAULT_FILE_PATTERN, ChannelSection
from daemon.intake import given_up_event, read_event
from daemon.items import FileReady
from daemon.metadata.plain import Sidecar
from daemon.watch import GivenUp
from tests.conftest import WriteFei

SIDECAR = Sidecar((ChannelSection(name="2kV", voltage_kv=2.0),))
NAME = "SEM Image - SliceImage - 007.tif"


def ready(path: Path) -> FileReady:
    """The file as it is now."""
    return FileReady(path, path.stat().st_size, path.stat().st_mtime_ns)


def test_sound_file_arrives(tmp_path: Path, write_fei: WriteFei) -> None:
    """A frame and the time its file was written."""
    file = ready(write_fei(tmp_path / NAME))
    event, content = read_event(file, DEFAULT_FILE_PATTERN, SIDECAR)
    assert isinstance(event, FrameArrived)
    assert content == file.path.read_bytes()
    assert (event.frame.slice_index, event.written_ns) == (7, file.mtime_ns)


def test_damaged_file_is_rejected_as_unreadable(tmp_path: Path) -> None:
    """With the reader's own words as the detail."""
    (tmp_path / NAME).write_bytes(b"GIF89a" * 20)
    event, _ = read_event(ready(tmp_path / NAME), DEFAULT_FILE_PATTERN, SIDECAR)
    assert isinstance(event, FileRejected)
    assert (event.slice_index, event.reason) == (7, Refusal.UNREADABLE)
    assert "GIF8" in event.detail


def test_file_that_changed_is_superseded_not_unreadable(tmp_path: Path, write_fei: WriteFei) -> None:
    """Its successor is on the way: the slice must not be closed because of it."""
    file = ready(write_fei(tmp_path / NAME))
    gone = FileReady(file.path, file.size, file.mtime_ns - 1)
    event, _ = read_event(gone, DEFAULT_FILE_PATTERN, SIDECAR)
    assert isinstance(event, FileRejected)
    assert event.reason is Refusal.SUPERSEDED


def test_given_up_file_was_never_finished(tmp_path: Path) -> None:
    """The watcher's reason goes along."""
    event = given_up_event(GivenUp(FileReady(tmp_path / NAME, 1, 1), "it stands still"), DEFAULT_FILE_PATTERN)
    assert event == FileRejected(tmp_path / NAME, 7, Refusal.NEVER_FINISHED, "it stands still", 1)


def test_file_whose_name_cannot_be_recorded_is_unreadable(tmp_path: Path) -> None:
    """It has been looked at by nobody, and waiting will not help."""
    file = FileReady(tmp_path / "SEM \\xb5m" / NAME, 1, 1)
    event = given_up_event(GivenUp(file, "its name", Progress.MISNAMED), DEFAULT_FILE_PATTERN)
    assert event == FileRejected(file.path, 7, Refusal.UNREADABLE, "its name", 1)
