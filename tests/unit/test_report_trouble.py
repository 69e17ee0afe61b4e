"""The report of a run that lacks pieces, has only begun, or stands in a folder that takes no page."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from daemon.config import as_toml_table, parse
from daemon.errors import FolderError, JournalError, StoreError
from daemon.items import Status
from daemon.journal import open_journal
from daemon.messages import SliceMessage
from daemon.outputs import Outputs
from daemon.records import as_record
from daemon.report import write_report
from daemon.run_tables import RunTables

from .report_run import CONFIGURATION, now, seen, write_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    return write_run(tmp_path_factory.mktemp("output"))


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (("volume.ome.zarr", "metrics.csv", "ligaments.csv"), "No plane of the volume is final yet"),
        (("examples.npz", "examples", "summary.json"), "No data yet"),
        (("slices.csv", "summary.json", "volume.ome.zarr", "metrics.csv", "examples.npz"), "Not finished"),
    ],
    ids=["no volume", "no faces", "little"],
)
def test_a_report_survives_missing_pieces(finished, tmp_path, pieces, words):
    """A run that ended badly lacks files: the rest is told."""
    copy = shutil.copytree(finished, tmp_path / "copy", ignore=shutil.ignore_patterns("report*"))
    for name in pieces:
        path = copy / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert words in seen(write_report(copy).read_text(encoding="utf-8")).text
    assert (copy / "report.pdf").read_bytes().startswith(b"%PDF")


def test_a_run_of_gaps_only_has_a_report(tmp_path):
    """Every index is a gap, one channel, no ruler."""
    outputs = Outputs(tmp_path)
    configuration = parse(
        {**CONFIGURATION, "channels": [{"name": "2kV", "voltage_kv": 2.0}]}, where=Path("/n/c")
    )
    with closing(open_journal(outputs.journal, as_toml_table(configuration), now)) as journal:
        with journal.transaction():
            for index in (1, 2, 3):
                gap = SliceMessage(index=index, status=Status.GAP, reason="unreadable: no strip")
                journal.append(as_record(gap))
        RunTables(outputs, configuration.channel_names, configuration.drift.outlier_z).finish(journal)
    text = seen(write_report(tmp_path).read_text(encoding="utf-8")).text
    assert text.count("unreadable: no strip") == 3
    assert "without a ruler nothing measures the thickness" in text


def test_a_run_that_has_only_begun_has_a_page_too(tmp_path):
    """No slice, no plane, no summary: said so, and no figure pretends otherwise."""
    configuration = parse(CONFIGURATION, where=Path("/nowhere/config.toml"))
    open_journal(Outputs(tmp_path).journal, as_toml_table(configuration), now).close()
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert "Not finished" in text
    assert "No plane of the volume is final yet" in text
    assert "<figure>" not in text
    assert not list(tmp_path.glob("*.png"))
    assert (tmp_path / "report.pdf").exists()


def test_a_wrong_folder_is_refused(tmp_path):
    """With the remedy, and nothing is written into it."""
    with pytest.raises(FolderError, match=r"journal\.sqlite.*run\.output"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_journal_is_refused(tmp_path):
    """A file of that name is not yet a journal."""
    (tmp_path / "journal.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(JournalError):
        write_report(tmp_path)


def test_a_folder_that_cannot_take_the_page_is_named(finished, tmp_path):
    """Something else is in the way of a figure."""
    copy = shutil.copytree(finished, tmp_path / "copy", ignore=shutil.ignore_patterns("report*"))
    (copy / "report-thickness.png").mkdir()
    with pytest.raises(StoreError, match=r"report-thickness\.png"):
        write_report(copy)
