"""Tables that grow with the journal: the same bytes as if written in one go, at a cost that does not grow."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.items import Status, ThicknessSource
from daemon.journal import open_journal
from daemon.messages import MetricsMessage, SliceMessage, ThicknessMessage
from daemon.outputs import Outputs
from daemon.records import as_record
from daemon.run_tables import RunTables
from daemon.tables import read_table

CHANNELS = ("2kV",)


@pytest.fixture
def journal(tmp_path):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with closing(open_journal(tmp_path / "journal.sqlite", {"run": {}}, lambda: now)) as opened:
        yield opened


def commit(journal, tables, *messages):
    """Make messages durable, then bring the tables up to date with them."""
    records = [as_record(message) for message in messages]
    with journal.transaction():
        for record in records:
            journal.append(record)
    tables.project(journal, records)


def slice_told(index, status=Status.PROVISIONAL, z_plane=None):
    return SliceMessage(index=index, status=status, channels={}, z_plane=z_plane)


def thickness_told(index, thickness_nm=10.0):
    return ThicknessMessage(
        index=index, depth_nm=10.0 * index, thickness_nm=thickness_nm, source=ThicknessSource.RULER
    )


def content(outputs):
    return [path.read_bytes() for path in (outputs.slices, outputs.metrics, outputs.ligaments)]


def written_in_one_go(journal, folder):
    RunTables(Outputs(folder), CHANNELS, 1.5).project(journal)
    return content(Outputs(folder))


MESSAGES = st.one_of(
    st.builds(slice_told, st.integers(0, 9), st.sampled_from(Status)),
    st.builds(thickness_told, st.integers(0, 9), st.floats(0.0, 30.0)),
    st.builds(lambda plane: MetricsMessage(plane=plane, solid_fraction=0.1), st.integers(0, 30)),
)


@given(commits=st.lists(st.lists(MESSAGES, max_size=4), max_size=8))
def test_any_order_of_commits_leaves_what_one_writing_would(tmp_path_factory, commits):
    """Rows that come late, change or come again: byte for byte the projection of the journal."""
    folder = tmp_path_factory.mktemp("tables")
    with closing(open_journal(folder / "j.sqlite", {}, lambda: datetime(2026, 1, 1, tzinfo=UTC))) as journal:
        tables = RunTables(Outputs(folder), CHANNELS, 1.5)
        for messages in commits:
            commit(journal, tables, *messages)
        tables.project(journal)
        assert content(Outputs(folder)) == written_in_one_go(journal, folder / "again")


def test_a_settled_row_is_not_fetched_again(journal, tmp_path):
    """What a commit costs must not grow with the run: old rows come from the file, not from the journal."""
    tables, outputs = RunTables(Outputs(tmp_path), CHANNELS, 1.5), Outputs(tmp_path)
    for index in range(1, 4):
        commit(journal, tables, slice_told(index, Status.FINAL, z_plane=4 * index))
    marked = outputs.slices.read_bytes().replace(b"1,final", b"1,FINAL")
    outputs.slices.write_bytes(marked)
    commit(journal, tables, slice_told(4))
    assert [row["status"] for row in read_table(outputs.slices)] == ["FINAL", "final", "final", "provisional"]


@pytest.mark.parametrize("harm", ["deleted", "cut", "longer"])
def test_a_table_that_somebody_has_changed_is_written_whole(journal, tmp_path, harm):
    """A prefix that is not ours any more is not copied."""
    tables, outputs = RunTables(Outputs(tmp_path), CHANNELS, 1.5), Outputs(tmp_path)
    commit(journal, tables, slice_told(1, Status.FINAL), slice_told(2, Status.FINAL))
    match harm:
        case "deleted":
            outputs.slices.unlink()
        case "cut":
            outputs.slices.write_bytes(outputs.slices.read_bytes()[:-7])
        case _:
            outputs.slices.write_bytes(outputs.slices.read_bytes() + b"note\n")
    commit(journal, tables, slice_told(3))
    assert content(outputs) == written_in_one_go(journal, tmp_path / "again")


def test_the_end_of_a_run_writes_what_is_true(journal, tmp_path):
    """Whatever somebody has written into a table while it grew; and z-scores, which all slices decide."""
    tables, outputs = RunTables(Outputs(tmp_path), CHANNELS, 1.5), Outputs(tmp_path)
    for index, thickness_nm in enumerate((9.0, 11.0, 10.0, 10.0, 30.0), 1):
        commit(journal, tables, slice_told(index, Status.FINAL), thickness_told(index, thickness_nm))
    assert {row["outlier"] for row in read_table(outputs.slices)} == {""}
    outputs.slices.write_bytes(outputs.slices.read_bytes().replace(b"final", b"lanif"))
    tables.finish(journal)
    rows = read_table(outputs.slices)
    assert [row["status"] for row in rows] == ["final"] * 5
    assert [row["outlier"] for row in rows] == ["0", "0", "0", "0", "1"]


def test_a_restart_goes_on_with_the_same_bytes(journal, tmp_path):
    """A new process knows no row: it writes the tables whole, then lets them grow."""
    outputs = Outputs(tmp_path)
    commit(journal, RunTables(outputs, CHANNELS, 1.5), slice_told(1), thickness_told(1))
    restarted = RunTables(outputs, CHANNELS, 1.5)
    commit(journal, restarted, slice_told(2), thickness_told(2), slice_told(1, Status.FINAL, z_plane=0))
    assert content(outputs) == written_in_one_go(journal, tmp_path / "again")
    assert [row["status"] for row in read_table(outputs.slices)] == ["final", "provisional"]


def test_what_could_not_be_written_is_made_up_for(journal, tmp_path):
    """The disk was full when a row was due: the next writing has it."""
    outputs = Outputs(tmp_path / "output")
    tables = RunTables(outputs, CHANNELS, 1.5)
    commit(journal, tables, slice_told(1, Status.FINAL))
    away = tmp_path / "away"
    outputs.folder.rename(away)
    outputs.folder.write_text("in the way")
    with pytest.raises(Exception, match="cannot be written"):
        commit(journal, tables, slice_told(2, Status.FINAL))
    outputs.folder.unlink()
    away.rename(outputs.folder)
    commit(journal, tables, slice_told(3, Status.FINAL))
    assert content(outputs) == written_in_one_go(journal, tmp_path / "again")
