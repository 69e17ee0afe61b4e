"""What was said is what happened: messages survive the journal, and the tables follow from them alone."""

from __future__ import annotations

import math
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest

from daemon.items import Status, ThicknessSource
from daemon.journal import Journal, open_journal
from daemon.messages import (
    AlarmMessage,
    ChannelPlacement,
    DriftMessage,
    Message,
    MetricsMessage,
    PlanesMessage,
    SliceMessage,
    ThicknessMessage,
)
from daemon.outputs import Outputs
from daemon.records import KEPT, as_record, messages, slice_rows
from daemon.run_tables import RunTables
from daemon.tables import read_table, slice_columns

PLACED = {
    "2kV": ChannelPlacement(0.25, -1.5, 0.02, 0.9, "fiducial"),
    "4kV": ChannelPlacement(1.0, 2.0, 0.1, 0.5, "face"),
}
THICK = ThicknessMessage(
    index=2,
    depth_nm=10.25,
    depth_sigma_nm=0.1,
    thickness_nm=10.25,
    thickness_sigma_nm=0.14,
    source=ThicknessSource.RULER,
    asv_nm=1.0,
    similarity_nm=9.5,
    taper_nm=0.2,
    taper_sigma_nm=0.1,
    channels=("2kV",),
    notes=("first", "second"),
)
TOLD: tuple[Message, ...] = (
    SliceMessage(index=2, status=Status.PROVISIONAL, channels=PLACED),
    THICK,
    SliceMessage(index=1, status=Status.GAP, reason="missing: no image came"),
    SliceMessage(index=2, status=Status.FINAL, channels=PLACED, z_plane=4),
    DriftMessage(index=2, statistics={"thicker": 0.5}, threshold=1.0, verdict="ok"),
    MetricsMessage(plane=1, solid_fraction=0.12, arrays={"tpcf": np.zeros(3)}),
    MetricsMessage(plane=0, solid_fraction=0.5),
    AlarmMessage(id="3", kind="slice gap", slice_index=1, message="gap"),
    PlanesMessage(first=0, count=2, shape=(2, 5, 6), grid_nm=2.5),
)


@pytest.fixture
def journal(tmp_path):
    opened = open_journal(tmp_path / "journal.sqlite", {"run": {}}, lambda: datetime(2026, 1, 1, tzinfo=UTC))
    with closing(opened):
        yield opened


def tell(journal: Journal, *told: Message) -> None:
    with journal.transaction():
        for message in told:
            journal.append(as_record(message))


def test_a_late_client_is_told_the_last_word_on_every_subject(journal, tmp_path):
    """Equal to what was said, without pictures and curves, which are not kept."""
    tell(journal, *TOLD)
    again = [told for topic in KEPT for told in messages(tmp_path / "journal.sqlite", topic)]
    assert [message.topic for message in again] == [
        "slice", "slice", "thickness", "drift", "alarm", "planes", "metrics", "metrics",
    ]  # fmt: skip
    assert repr(again[0]) == repr(TOLD[2])  # NaN is not equal to itself, but reads the same
    assert repr(again[1]) == repr(TOLD[3])
    assert again[2] == THICK
    assert [m.plane for m in again if isinstance(m, MetricsMessage)] == [0, 1]
    assert all(message.arrays == {} for message in again)


def test_unknown_numbers_stay_unknown(journal, tmp_path):
    """NaN goes into the journal and comes out as NaN, not as 0."""
    tell(journal, ThicknessMessage(index=1, depth_nm=0.0, source=ThicknessSource.RULER))
    (told,) = messages(tmp_path / "journal.sqlite", "thickness")
    assert isinstance(told, ThicknessMessage)
    assert math.isnan(told.thickness_nm)


def test_rows_of_slices_join_what_was_said_of_them(journal):
    """Status and plane from the last word, thickness, shifts per channel; a gap has its reason only."""
    tell(journal, *TOLD)
    gap, row = slice_rows(journal)
    assert gap["slice"] == 1
    assert (gap["status"], gap["reason"]) == ("gap", "missing: no image came")
    assert "depth_nm" not in gap
    assert (row["status"], row["z_plane"], row["thickness_source"]) == ("final", 4, "ruler")
    assert (row["shift_y_px_4kV"], row["shift_x_px_2kV"], row["quality_2kV"]) == (1.0, -1.5, 0.9)
    assert row["shift_source"] == "face, fiducial"
    assert row["notes"] == "first; second"


def test_tables_keep_order_columns_and_emptiness(journal, tmp_path):
    """The contract's columns first; a number that is not known is an empty field."""
    tell(journal, *TOLD)
    RunTables(Outputs(tmp_path), ("2kV", "4kV"), 1.5).project(journal)
    gap, row = read_table(tmp_path / "slices.csv")
    assert tuple(row) == slice_columns(("2kV", "4kV"))
    assert gap["depth_nm"] == gap["quality_4kV"] == ""
    assert (row["depth_nm"], row["shift_x_px_4kV"], row["z_plane"]) == ("10.250000", "2.000000", "4")
    first, second = read_table(tmp_path / "metrics.csv")
    assert (first["plane"], second["plane"]) == ("0", "1")
    assert (first["solid_fraction"], first["e_tpcf"]) == ("0.500000", "")


def test_a_table_that_is_not_there_is_empty(tmp_path):
    """A run that has only begun has no rows."""
    assert read_table(tmp_path / "slices.csv") == []
