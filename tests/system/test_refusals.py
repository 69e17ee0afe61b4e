"""What must not happen beside a microscope: each case ends in one clear error, not in a hang."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.client import Client
from daemon.control import ControlServer
from daemon.demo import run_demo
from daemon.errors import ConfigurationError, FolderError, JournalError, StoreError
from daemon.inbox import Inbox
from daemon.journal import open_journal
from daemon.journal_bodies import read_records
from daemon.lock import exclusive
from daemon.publish import Publisher
from daemon.service import run_daemon
from daemon.tables import read_table

OPEN_ENDPOINTS = ("tcp://0.0.0.0:5999", "tcp://192.0.2.1:5999", "foo://bar", "5555")


def now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("endpoint", OPEN_ENDPOINTS)
def test_open_and_mistyped_endpoints_are_refused_at_once(endpoint):
    """Neither socket waits for ever on a context that cannot end."""
    with pytest.raises(ConfigurationError):
        Publisher(run="r", epoch=1, endpoint=endpoint, now=now)
    with (
        closing(Publisher(run="r", epoch=1, endpoint="tcp://127.0.0.1:*", now=now)) as publisher,
        pytest.raises(ConfigurationError),
    ):
        ControlServer(endpoint=endpoint, publisher=publisher, inbox=Inbox())


def test_a_client_says_that_its_endpoint_is_none():
    """A mistyped --connect is a usage error, not a ZMQError."""
    with pytest.raises(ConfigurationError, match="no endpoint"):
        Client("tcp://127.0.0.1:5555", "foo")
    with pytest.raises(ConfigurationError, match="no endpoint"):
        Client("foo", "tcp://127.0.0.1:5556")


def test_two_daemons_cannot_share_an_output(tmp_path):
    """The second one is told who is there; the lock goes with its owner."""
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(exclusive(tmp_path))
        with pytest.raises(JournalError, match="another slicewatch"):
            second.enter_context(exclusive(tmp_path))
        first.close()
        second.enter_context(exclusive(tmp_path))


def test_a_journal_that_was_never_filled_is_begun_anew(tmp_path):
    """A kill between making the file and its first transaction must not cost the run."""
    (tmp_path / "journal.sqlite").touch()
    journal = open_journal(tmp_path / "journal.sqlite", {}, now)
    assert journal.epoch == 1
    journal.close()


def test_the_monitor_refuses_a_port_in_use():
    """One line with the remedy and exit code 1: 3 would mean that drift stopped the microscope."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "daemon", "monitor", "--port", port], capture_output=True, text=True
        )
    assert done.returncode == 1
    assert "remedy" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_monitor_refuses_a_certificate_that_is_none(tmp_path):
    """It names both files before it serves anything."""
    (tmp_path / "key.pem").write_text("no key")
    pair = [str(tmp_path / "nowhere.pem"), str(tmp_path / "key.pem")]
    command = [sys.executable, "-m", "daemon", "monitor", "--port", "0", "--certificate", *pair]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "nowhere.pem" in done.stderr
    assert "remedy" in done.stderr


def test_a_used_demo_folder_is_refused(tmp_path):
    """Before anything starts, and with the remedy."""
    (tmp_path / "something").touch()
    with pytest.raises(FolderError, match="not empty"):
        run_demo(slices=2, size=(256, 320), workdir=tmp_path, seed=1, headless=True, quiet=True)
    with pytest.raises(FolderError, match="cannot be made"):
        run_demo(slices=2, size=(256, 320), workdir=tmp_path / "something", seed=1, headless=True, quiet=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_blanked_beam_costs_its_slice_and_not_the_run(acquire):
    """Images without any contrast, the first slice's among them, are quarantined; the run completes."""
    acquisition = acquire()
    for number in ("001", "004"):
        for path in acquisition.project.glob(f"Images/SEM*/*{number}.tif"):
            blank(path)
    assert run_daemon(acquisition.config, follow=True) == 0
    rows = {int(row["slice"]): row for row in read_table(acquisition.outputs.slices)}
    assert {index for index, row in rows.items() if row["status"] == "gap"} == {1, 4}
    assert {index for index, row in rows.items() if row["status"] == "final"} == {2, 3, 5, 6, 7}
    assert all(rows[index]["reason"].startswith("unreadable: every pixel is 0") for index in (1, 4))
    _, alarms = read_records(acquisition.outputs.journal, "alarm")
    blanked = {alarm["slice_index"] for alarm in alarms if "beam blanked" in alarm["message"]}
    assert blanked == {1, 4}


def blank(path: Path) -> None:
    """Overwrite the pixels of an image in place, as a blanked beam leaves them."""
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        strips = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    with path.open("r+b") as file:
        for offset, count in strips:
            file.seek(offset)
            file.write(np.zeros(count, np.uint8).tobytes())


def test_images_under_other_names_are_told(acquire):
    """A pattern that matches none of the images: one alarm names it, a file, and what to correct."""
    acquisition = acquire(run={"file_pattern": r"frame-(?P<slice>\d+)\.tif"})
    assert run_daemon(acquisition.config, follow=False) == 0
    _, alarms = read_records(acquisition.outputs.journal, "alarm")
    (told,) = [alarm for alarm in alarms if alarm["kind"] == "no file matches"]
    assert "none of 7 TIFF files matches 'frame-" in told["message"]
    assert "SliceImage - 001.tif" in told["message"]
    assert "run.file_pattern" in told["remedy"]


def test_a_run_that_fails_leaves_a_report_that_says_so(acquire):
    """Something lies where the volume belongs: exit by an error, summary and report with what went wrong."""
    acquisition = acquire()
    acquisition.outputs.folder.mkdir()
    acquisition.outputs.volume.write_text("a file where a folder belongs")
    with pytest.raises(StoreError, match=r"volume\.ome\.zarr"):
        run_daemon(acquisition.config, follow=True)
    summary = json.loads(acquisition.outputs.summary.read_text())
    assert summary["finish_reason"] == "ERRORED"
    assert "volume.ome.zarr" in summary["error"]
    page = acquisition.outputs.report.read_text()
    assert "Ended by an ERROR" in page
    assert summary["error"].partition(":")[0] in page
    assert acquisition.outputs.report_pdf.read_bytes().startswith(b"%PDF")
