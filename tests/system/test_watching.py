"""The watcher as it runs: its own thread, a real folder, files growing under its eyes."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from daemon.config import DEFAULT_FILE_PATTERN, ChannelSection
from daemon.items import FileReady
from daemon.metadata.plain import Sidecar
from daemon.reader import read_frame
from daemon.watch import Watcher
from tests.conftest import WriteFei

PATIENCE_S = 20.0
"""Far more than anything here takes; a test that runs into it has failed."""
SIDECAR = Sidecar((ChannelSection(name="2kV", voltage_kv=2.0),))

Start = Callable[..., Watcher]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start watchers that are stopped when the test ends."""
    running: list[Watcher] = []

    def started(folder: Path, **options: object) -> Watcher:
        watcher = Watcher(folder, DEFAULT_FILE_PATTERN, **{"scan_interval_s": 0.1, **options})
        watcher.start()
        running.append(watcher)
        return watcher

    yield started
    for watcher in running:
        watcher.stop()


def image_path(folder: Path, index: int) -> Path:
    """Where the acquisition software puts an image."""
    return folder / "Images" / "SEM Image" / f"SEM Image - SliceImage - {index:03d}.tif"


def reached(watcher: Watcher, condition: Callable[[], bool]) -> bool:
    """Let the watcher work until a condition holds; nothing may become ready meanwhile."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.05) for _ in range(int(PATIENCE_S / 0.05)))


@pytest.mark.parametrize("observer", ["native", "polling", "off"])
def test_files_written_in_pieces_are_read_whole(
    tmp_path: Path, write_fei: WriteFei, start: Start, observer: str
) -> None:
    """Whoever watches, every file is handed out once, whole, in order, though its writer is slow."""
    images = [np.full((40, 30), grey, np.uint8) for grey in (10, 20, 30)]
    contents = [write_fei(tmp_path / "elsewhere.tif", image).read_bytes() for image in images]
    project = tmp_path / "project"
    watcher = start(project, observer=observer)

    def write() -> None:
        pause = threading.Event()
        image_path(project, 1).parent.mkdir(parents=True)
        for index, content in enumerate(contents, start=1):
            with image_path(project, index).open("wb", buffering=0) as file:
                for begin in range(0, len(content), len(content) // 5):
                    file.write(content[begin : begin + len(content) // 5])
                    pause.wait(0.03)

    writer = threading.Thread(target=write)
    writer.start()
    taken: list[FileReady] = []
    while len(taken) < 3:
        more = watcher.take(PATIENCE_S)
        assert more
        taken += more
    writer.join()
    frames = [read_frame(file, DEFAULT_FILE_PATTERN, SIDECAR) for file in taken]
    assert [frame.slice_index for frame in frames] == [1, 2, 3]
    for frame, image in zip(frames, images, strict=True):
        np.testing.assert_array_equal(frame.image, image)
    assert (watcher.seen, watcher.waiting, watcher.unread) == (3, 0, 0)


def test_share_that_vanishes_and_comes_back(tmp_path: Path, write_fei: WriteFei, start: Start) -> None:
    """While it is away health says so and nothing is lost; afterwards everything goes on, events too."""
    project, away = tmp_path / "project", tmp_path / "away"
    write_fei(image_path(project, 1))
    watcher = start(project, observer="native")
    assert len(watcher.take(PATIENCE_S)) == 1
    project.rename(away)
    assert reached(watcher, lambda: not watcher.health.share_present)
    assert "cannot be listed" in watcher.health.trouble
    write_fei(image_path(away, 2))
    away.rename(project)
    assert [file.path for file in watcher.take(PATIENCE_S)] == [image_path(project, 2)]
    assert watcher.health.share_present
    assert reached(watcher, lambda: watcher.health.observer_alive)
    assert watcher.seen == 2


def test_unmounted_share_leaves_an_empty_folder_and_loses_nothing(
    tmp_path: Path, write_fei: WriteFei, start: Start
) -> None:
    """A real file system that is unmounted while one file is half written and one was taken and not read."""
    share, disk = tmp_path / "share", tmp_path / "disk"
    share.mkdir()
    disk.mkdir()
    content = write_fei(tmp_path / "elsewhere.tif").read_bytes()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        mounted = ["mount", "--bind", str(disk), str(share)]
        subprocess.run(mounted, check=True)
        write_fei(image_path(share, 1))
        image_path(share, 2).write_bytes(content[: len(content) // 2])
        watcher = start(share, observer="off", stall_s=1.5)
        (taken,) = watcher.take(PATIENCE_S)
        subprocess.run(["umount", "-l", str(share)], check=True)
        watcher.put_back(taken)
        assert reached(watcher, lambda: not watcher.health.share_present)
        threading.Event().wait(3.0)
        assert "mount point" in watcher.health.trouble
        assert (watcher.take_given_up(), watcher.take(0.0), watcher.counts) == ([], [], (2, 2))
        subprocess.run(mounted, check=True)
        assert watcher.take(PATIENCE_S) == [taken]
        image_path(share, 2).write_bytes(content)
        assert [file.path for file in watcher.take(PATIENCE_S)] == [image_path(share, 2)]
        assert watcher.counts == (2, 0)
    finally:
        subprocess.run(["umount", "-l", str(share)], capture_output=True)
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_observer_of_a_replaced_folder_is_restarted(
    tmp_path: Path, write_fei: WriteFei, start: Start
) -> None:
    """A folder replaced by another of the same name: the old observer is deaf, a new one takes over."""
    project = tmp_path / "project"
    project.mkdir()
    watcher = start(project, observer="native")
    assert reached(watcher, lambda: watcher.health.observer_alive)
    replacement = tmp_path / "replacement"
    write_fei(image_path(replacement, 1))
    project.rename(tmp_path / "old")
    replacement.rename(project)
    assert len(watcher.take(PATIENCE_S)) == 1
    assert reached(watcher, lambda: watcher.health.observer_restarts >= 1 and watcher.health.observer_alive)


def test_backlog_is_taken_in_portions_and_in_order(tmp_path: Path, write_fei: WriteFei, start: Start) -> None:
    """What is not taken stays, is counted, and keeps its order: back-pressure without loss."""
    for index in (12, 3, 100, 7):
        write_fei(image_path(tmp_path, index))
    watcher = start(tmp_path, observer="off")
    assert reached(watcher, lambda: not watcher.unfinished and watcher.waiting == 4)
    assert [file.path for file in watcher.take(0.0, limit=1)] == [image_path(tmp_path, 3)]
    assert (watcher.waiting, watcher.unread) == (3, 3)
    assert [file.path for file in watcher.take(0.0)] == [
        image_path(tmp_path, index) for index in (7, 12, 100)
    ]
    assert watcher.take(0.0) == []


def test_torn_file_is_given_up_with_its_reason(tmp_path: Path, write_fei: WriteFei, start: Start) -> None:
    """A file that stays torn ends in the list of those given up, and once taken it waits no longer."""
    content = write_fei(tmp_path / "elsewhere.tif").read_bytes()
    image_path(tmp_path, 1).parent.mkdir(parents=True)
    image_path(tmp_path, 1).write_bytes(content[: len(content) * 99 // 100])
    watcher = start(tmp_path, observer="off", stall_s=0.5)
    assert reached(watcher, lambda: watcher.waiting == 1 and not watcher.unfinished)
    (given_up,) = watcher.take_given_up()
    assert given_up.file.path == image_path(tmp_path, 1)
    assert "beyond" in given_up.reason
    assert (watcher.seen, watcher.waiting) == (1, 0)


def test_missing_folder_is_waited_for_and_stopping_is_prompt(tmp_path: Path, start: Start) -> None:
    """A watcher of nothing hands out nothing, says why, and stops when told."""
    watcher = start(tmp_path / "absent")
    assert reached(watcher, lambda: "cannot be listed" in watcher.health.trouble)
    assert watcher.take(0.05) == []
    watcher.stop()
    assert watcher.take(PATIENCE_S) == []
