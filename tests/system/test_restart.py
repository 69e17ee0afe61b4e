"""A daemon that is killed leaves nothing half done: started again, it ends in the same bytes."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import tifffile

from daemon.client import Client
from daemon.config import DEFAULT_FILE_PATTERN, load
from daemon.errors import ConfigurationError, JournalError
from daemon.journal_bodies import read_records
from daemon.naming import slice_number
from daemon.outputs import Outputs
from daemon.service import run_daemon
from daemon.tables import read_table
from tests.system.conftest import Acquisition

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def digest(output: Path) -> dict[str, str]:
    """Hashes of everything that must be reproducible: tables, volume, faces and how sure they are."""
    files = [output / "slices.csv", output / "metrics.csv"]
    for store in ("volume.ome.zarr", "faces.zarr", "certainty.ome.zarr"):
        root = output / store
        files += [path for path in root.rglob("*") if path.is_file() and path != root / "zarr.json"]
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def killed_after(config: Path, line: str, count: int) -> int:
    """Start a real daemon, SIGKILL it the moment it has said ``line`` ``count`` times."""
    process = subprocess.Popen(
        [sys.executable, "-m", "daemon", "run", str(config)], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process.stderr as log:
        seen = 0
        for text in log:
            seen += line in text
            if seen == count:
                process.kill()
                break
    return process.wait()


def test_a_killed_daemon_ends_in_the_same_bytes(acquire, tmp_path):
    """Killed before, between and inside slices, with a corrupt file on the way: tables and voxels agree."""
    acquisition = acquire(faults=("corrupt@4",), run={"missing_after_s": 0.5})
    assert run_daemon(elsewhere(acquisition, tmp_path / "uninterrupted"), follow=True) == 0

    assert killed_after(acquisition.config, "run.started", 1) == -9
    assert killed_after(acquisition.config, "slice.done", 2) == -9
    assert killed_after(acquisition.config, "thickness.first", 2) == -9
    assert run_daemon(acquisition.config, follow=True) == 0

    assert digest(tmp_path / "output") == digest(tmp_path / "uninterrupted")


@pytest.mark.long
def test_images_overwritten_while_nobody_looks(acquire, tmp_path):
    """Killed, then images that the network needs again overwritten and one that waits removed: same bytes."""
    acquisition = acquire()
    uninterrupted = elsewhere(acquisition, tmp_path / "uninterrupted")
    assert run_daemon(uninterrupted, follow=True) == 0

    images = sorted((acquisition.project / "Images").rglob("*.tif"), key=lambda path: (number(path), path))
    later = [
        path for path in images if number(path) > 4 or (number(path) == 4 and path.parent.name[-1] != "e")
    ]
    for path in later:
        path.rename(path.with_suffix(".held"))
    killed_when(acquisition.config, lambda: len(journalled(acquisition.outputs)) == len(images) - len(later))
    for path in images:
        if number(path) in (2, 3):
            overwrite(path)
        elif number(path) == 4 and path not in later:
            path.unlink()
    for path in later:
        path.with_suffix(".held").rename(path)
    assert acquisition.outputs.spool.is_dir()
    assert run_daemon(acquisition.config, follow=True) == 0

    assert digest(tmp_path / "output") == digest(tmp_path / "uninterrupted")
    _, outcomes = read_records(acquisition.outputs.journal, "alarm")
    assert sum(alarm["kind"] == "file quarantined: overwritten" for alarm in outcomes) == 6
    assert not acquisition.outputs.spool.exists()


@pytest.mark.long
def test_killed_between_the_last_plane_and_the_end_counts_no_plane_twice(acquire, tmp_path):
    """All is committed but that the run is finished: closed again, tables and voxels stay as they are."""
    acquisition = acquire()
    assert run_daemon(acquisition.config, follow=True) == 0
    before = digest(tmp_path / "output")
    with closing(sqlite3.connect(acquisition.outputs.journal)) as connection, connection:
        assert connection.execute("DELETE FROM records WHERE kind = 'finished'").rowcount == 1
    assert run_daemon(acquisition.config, follow=True) == 0
    assert digest(tmp_path / "output") == before


@pytest.mark.long
@pytest.mark.parametrize("lost", ["emptied", "deleted"])
def test_a_lost_journal_is_not_begun_anew_over_what_a_run_has_left(acquire, lost):
    """Planes of two runs in one volume: refused, and nothing is touched."""
    acquisition = acquire()
    assert run_daemon(acquisition.config, follow=True) == 0
    before = digest(acquisition.outputs.folder)
    if lost == "emptied":
        acquisition.outputs.journal.write_bytes(b"")
    else:
        acquisition.outputs.journal.unlink()
    with pytest.raises(JournalError, match="journal is missing"):
        run_daemon(acquisition.config, follow=True)
    assert digest(acquisition.outputs.folder) == before


@pytest.mark.long
def test_a_journal_that_has_lost_its_state_is_refused(acquire):
    """Files on record without what became of their slices: to begin again would count them twice."""
    acquisition = acquire()
    assert run_daemon(acquisition.config, follow=True) == 0
    with closing(sqlite3.connect(acquisition.outputs.journal)) as connection, connection:
        connection.execute("DELETE FROM records WHERE kind = 'finished'")
        connection.execute("DELETE FROM checkpoint WHERE name = 'assembly'")
    with pytest.raises(JournalError, match="what became of their slices"):
        run_daemon(acquisition.config, follow=True)


def number(path: Path) -> int:
    """Of the slice, from the file's name."""
    return slice_number(path, DEFAULT_FILE_PATTERN) or 0


def overwrite(path: Path) -> None:
    """The same header and metadata with other pixels, written in place."""
    with tifffile.TiffFile(path) as file:
        begin, length = file.pages.first.dataoffsets[0], file.pages.first.databytecounts[0]
    with path.open("r+b") as file:
        file.seek(begin)
        pixels = file.read(length)
        file.seek(begin)
        file.write(pixels[::-1])


def elsewhere(acquisition: Acquisition, output: Path) -> Path:
    """A configuration of the same run that writes to another folder."""
    config = output.with_suffix(".toml")
    config.write_text(acquisition.config.read_text().replace(str(acquisition.outputs.folder), str(output)))
    return config


def journalled(outputs: Outputs) -> list[str]:
    """Paths of the files that the journal of a running daemon knows."""
    if not outputs.journal.exists():
        return []
    with closing(sqlite3.connect(f"{outputs.journal.as_uri()}?mode=ro", uri=True)) as connection:
        return [path for (path,) in connection.execute("SELECT path FROM files")]


def killed_when(config: Path, condition: Callable[[], bool]) -> None:
    """Start a real daemon, SIGKILL it once the condition holds."""
    log = config.with_suffix(".log")
    with log.open("w") as told:
        process = subprocess.Popen([sys.executable, "-m", "daemon", "run", str(config)], stderr=told)
    while not condition():
        assert process.poll() is None, log.read_text()
        threading.Event().wait(0.05)
    process.kill()
    process.wait()


@pytest.mark.long
def test_a_finished_run_is_not_begun_again(acquire):
    """Started once more it says that it is finished and changes nothing."""
    acquisition = acquire()
    assert run_daemon(acquisition.config, follow=True) == 0
    before = digest(acquisition.outputs.folder)
    assert run_daemon(acquisition.config, follow=True) == 0
    assert digest(acquisition.outputs.folder) == before


@pytest.mark.long
def test_a_stopped_run_goes_on(acquire, tmp_path):
    """``stop`` over the wire ends after the slice in hand with code 0; the next start completes the run."""
    acquisition = acquire()
    publish = load(acquisition.config).publish
    stopper = threading.Thread(target=stop_after_first_slice, args=(publish.events, publish.control))
    stopper.start()
    assert run_daemon(acquisition.config, follow=True) == 0
    stopper.join()
    assert 1 <= len(read_table(acquisition.outputs.slices)) < 7
    assert run_daemon(acquisition.config, follow=True) == 0
    assert [int(row["slice"]) for row in read_table(acquisition.outputs.slices)] == list(range(1, 8))


def stop_after_first_slice(events: str, control: str) -> None:
    """An operator who has seen enough."""
    with Client(events, control) as client:
        for update in client.follow():
            message = getattr(update, "message", None)
            if message is not None and message.topic == "slice":
                client.stop("test", "seen enough")
                return


@pytest.mark.long
def test_another_configuration_is_refused(acquire):
    """Going on with another grid would mix two volumes; the changed key is named."""
    acquisition = acquire()
    assert run_daemon(acquisition.config, follow=True) == 0
    acquisition.config.write_text(acquisition.config.read_text() + "\n[volume]\ngrid_nm = 5.0\n")
    with pytest.raises(JournalError, match=r"volume\.grid_nm"):
        run_daemon(acquisition.config, follow=True)


def test_the_output_may_not_lie_in_the_acquisition(acquire):
    """The microscope's folder is never written to."""
    acquisition = acquire(run={"output": "project/out"})
    with pytest.raises(ConfigurationError, match="inside the acquisition folder"):
        run_daemon(acquisition.config, follow=True)
    assert not (acquisition.project / "out").exists()


@pytest.mark.long
def test_files_that_come_while_it_watches(acquire, tmp_path):
    """Images moved into the folder one by one are taken as they come, in the order of their slices."""
    acquisition = acquire()
    hidden = tmp_path / "hidden"
    (acquisition.project / "Images").rename(hidden)
    (acquisition.project / "Images").mkdir()
    feeder = threading.Thread(target=feed, args=(hidden, acquisition.project / "Images"))
    feeder.start()
    assert run_daemon(acquisition.config, follow=True) == 0
    feeder.join()
    assert {row["status"] for row in read_table(acquisition.outputs.slices)} == {"final"}


def feed(source: Path, target: Path) -> None:
    """Copy images one by one, as a microscope on a share would."""
    pause = threading.Event()
    for path in sorted(source.rglob("*.tif"), key=lambda path: (path.name[-7:], str(path))):
        destination = target / path.relative_to(source)
        destination.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes()
        with destination.open("wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            pause.wait(0.02)
            file.write(content[len(content) // 2 :])
