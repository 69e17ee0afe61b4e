"""A whole run on a file system that tells nothing of its writer, as network shares do not."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Generator
from pathlib import Path

import pytest
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from daemon.outputs import Outputs
from daemon.service import run_daemon
from daemon.tables import read_table
from tests.system.test_restart import feed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Heard(FileSystemEventHandler):
    """Remembers what the kernel tells of images."""

    def __init__(self) -> None:
        self.changes: list[str] = []

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Opening and reading is ours; only changes would tell of the writer."""
        if event.event_type in ("created", "modified", "moved", "closed"):
            self.changes.append(str(event.src_path))


@pytest.fixture
def share(tmp_path: Path) -> Generator[tuple[Path, Path]]:
    """(where the microscope writes, where the daemon looks): an overlay, whose lower side sends no events."""
    folders = {name: tmp_path / "overlay" / name for name in ("lower", "upper", "work", "merged")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    options = f"lowerdir={folders['lower']},upperdir={folders['upper']},workdir={folders['work']}"
    command = ["mount", "-t", "overlay", "overlay", "-o", options, str(folders["merged"])]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("this user may not mount a file system")
    yield folders["upper"], folders["merged"]
    subprocess.run(["umount", "--lazy", str(folders["merged"])], check=True)


@pytest.mark.parametrize("observer", ["polling", pytest.param("native", marks=pytest.mark.long)])
def test_a_run_without_a_single_event(acquire, share, tmp_path, observer):
    """Polling, or with an observer that hears nothing: every image is found and every slice is final."""
    written, seen = share
    acquisition = acquire(run={"folder": str(seen), "observer": observer})
    heard, listener = Heard(), Observer()
    listener.schedule(heard, str(seen), recursive=True)
    listener.start()
    writer = threading.Thread(target=feed, args=(acquisition.project, written))
    writer.start()
    try:
        assert run_daemon(acquisition.config, follow=True) == 0
    finally:
        writer.join()
        listener.stop()
        listener.join()
    assert heard.changes == []
    rows = read_table(Outputs(tmp_path / "output").slices)
    assert {row["status"] for row in rows} == {"final"}
    assert len(rows) == 7
