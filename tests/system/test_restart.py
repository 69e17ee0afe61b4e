"""A daemon that is killed leaves nothing half done: started again, it ends in the same bytes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from daemon.client import Client
from daemon.config import load
from daemon.errors import ConfigurationError, JournalError
from daemon.service import run_daemon
from daemon.tables import read_table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def digest(output: Path) -> dict[str, str]:
    """Hashes of everything that must be reproducible: tables, volume and faces."""
    files = [output / "slices.csv", output / "metrics.csv"]
    for store in ("volume.ome.zarr", "faces.zarr"):
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
    other = tmp_path / "uninterrupted.toml"
    text = acquisition.config.read_text()
    other.write_text(text.replace(str(tmp_path / "output"), str(tmp_path / "uninterrupted")))
    assert run_daemon(other, follow=True) == 0

    assert killed_after(acquisition.config, "run.started", 1) == -9
    assert killed_after(acquisition.config, "slice.done", 2) == -9
    assert killed_after(acquisition.config, "thickness.first", 2) == -9
    assert run_daemon(acquisition.config, follow=True) == 0

    assert digest(tmp_path / "output") == digest(tmp_path / "uninterrupted")


def test_a_finished_run_is_not_begun_again(acquire):
    """Started once more it says that it is finished and changes nothing."""
    acquisition = acquire()
    assert run_daemon(acquisition.config, follow=True) == 0
    before = digest(acquisition.outputs.folder)
    assert run_daemon(acquisition.config, follow=True) == 0
    assert digest(acquisition.outputs.folder) == before


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
