"""The journal keeps what happened, all or nothing, and refuses what is not its own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from daemon.configuration_changes import ACCEPTABLE_KEYS, FREE_KEYS
from daemon.errors import JournalError
from daemon.journal import FileVersion, Record, open_journal
from daemon.journal_bodies import read_run

CONFIGURATION = {"run": {"folder": "a"}, "volume": {"grid_nm": 2.5}, "publish": {"events": "x"}}


def now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


def opened(tmp_path, configuration=CONFIGURATION):
    return open_journal(tmp_path / "journal.sqlite", configuration, now)


def test_records_and_checkpoint_survive_a_reopening(tmp_path):
    """What was committed is there for the next daemon; the run keeps its identity, the epoch counts up."""
    journal = opened(tmp_path)
    with journal.transaction():
        journal.append(Record("slice", 1, {"depth_nm": 10.0}))
        journal.append(Record("slice", 1, {"depth_nm": 10.5}))
        journal.append(Record("slice", 2, {"depth_nm": 20.0}))
        journal.append_file(FileVersion("a.tif", 3, 4, "ff", "used"))
        journal.save_checkpoint("run", b"state")
    first = journal.run_id, journal.epoch
    journal.close()

    journal = opened(tmp_path)
    assert journal.run_id == first[0]
    assert journal.epoch == first[1] + 1
    assert journal.latest("slice") == {1: {"depth_nm": 10.5}, 2: {"depth_nm": 20.0}}
    assert [record.body["depth_nm"] for record in journal.records("slice")] == [10.0, 10.5, 20.0]
    assert list(journal.files()) == [FileVersion("a.tif", 3, 4, "ff", "used")]
    assert journal.checkpoint("run") == b"state"
    journal.close()


def test_a_slice_is_all_or_nothing(tmp_path):
    """An error inside a transaction leaves neither its records nor its checkpoint."""
    journal = opened(tmp_path)

    def interrupted():
        with journal.transaction():
            journal.append(Record("slice", 1, {}))
            journal.save_checkpoint("run", b"half")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        interrupted()
    assert journal.latest("slice") == {}
    assert journal.checkpoint("run") is None
    journal.close()


def test_a_changed_configuration_is_named_and_refused(tmp_path):
    """Continuing with another grid would mix two volumes: the key that changed is named."""
    opened(tmp_path).close()
    with pytest.raises(JournalError, match=r"changed: volume\.grid_nm"):
        opened(tmp_path, {**CONFIGURATION, "volume": {"grid_nm": 5.0}})


RUN = {"folder": "a", "missing_after_s": 0.0}


def test_a_compatible_change_is_made_only_if_asked_for(tmp_path):
    """How long to wait may change, with --accept-changes; the journal says which keys did."""
    opened(tmp_path, {**CONFIGURATION, "run": RUN}).close()
    changed = {**CONFIGURATION, "run": {**RUN, "missing_after_s": 9.0}}
    with pytest.raises(JournalError, match=r"run\.missing_after_s.*--accept-changes"):
        opened(tmp_path, changed)
    journal = open_journal(tmp_path / "journal.sqlite", changed, now, FREE_KEYS | ACCEPTABLE_KEYS)
    assert journal.changes == ("run.missing_after_s",)
    journal.close()
    journal = opened(tmp_path, changed)
    assert journal.changes == ()
    journal.close()


@pytest.mark.parametrize("table", [{"run": {**RUN, "folder": "b"}}, {"volume": {"grid_nm": 5.0}}])
def test_an_incompatible_change_is_refused_even_if_asked_for(tmp_path, table):
    """Another folder or grid is another run: undo it or choose another output."""
    opened(tmp_path, {**CONFIGURATION, "run": RUN}).close()
    with pytest.raises(JournalError, match=r"choose another run\.output"):
        open_journal(
            tmp_path / "journal.sqlite",
            {**CONFIGURATION, "run": RUN, **table},
            now,
            FREE_KEYS | ACCEPTABLE_KEYS,
        )


def test_records_and_files_are_never_changed(tmp_path):
    """What was written stands, whatever is written after it: rows are only ever added."""
    journal = opened(tmp_path)
    seen: list[Record] = []
    for number in range(5):
        with journal.transaction():
            journal.append(Record("slice", 1, {"number": number}))
            journal.append_file(FileVersion("a.tif", number, 4, "ff", "read"))
        written = list(journal.records("slice"))
        assert written[:-1] == seen
        assert len(list(journal.files())) == number + 1
        seen = written
    journal.close()


def test_a_damaged_journal_is_refused_and_left_alone(tmp_path):
    """Bytes overwritten in the middle: refused with the remedy, not a byte is changed."""
    journal = opened(tmp_path)
    with journal.transaction():
        for number in range(2000):
            journal.append(Record("slice", number, {"number": number, "text": "x" * 50}))
    journal.close()
    path = tmp_path / "journal.sqlite"
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 9000] = b"\xa5" * 9000
    path.write_bytes(content)
    with pytest.raises(JournalError, match="journal"):
        opened(tmp_path)
    assert path.read_bytes() == content


def test_where_it_publishes_may_change(tmp_path):
    """A port does not touch the results, so it may differ between starts."""
    opened(tmp_path).close()
    opened(tmp_path, {**CONFIGURATION, "publish": {"events": "y"}}).close()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough" * 30, b"SQLite"])
def test_a_foreign_file_is_refused_and_left_alone(tmp_path, content):
    """Whatever lies there instead of a journal is reported and not overwritten."""
    path = tmp_path / "journal.sqlite"
    path.write_bytes(content)
    with pytest.raises(JournalError):
        opened(tmp_path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused(tmp_path):
    """A valid SQLite file of somebody else is not ours to write to."""
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    with pytest.raises(JournalError, match="not a slicewatch journal"):
        opened(tmp_path)
    with pytest.raises(JournalError, match="damaged: no such table") as refused:
        read_run(tmp_path / "journal.sqlite")
    assert "choose another run.output" in refused.value.remedy


HARM = {
    "a byte of a record": "UPDATE records SET body = CAST(substr(body, 2) || x'00' AS BLOB)",
    "a stored state": "UPDATE checkpoint SET state = x'78016364'",
    "a garbled configuration": "UPDATE meta SET value = '{\"run' WHERE key = 'configuration'",
    "a lost configuration": "DELETE FROM meta WHERE key = 'configuration'",
}


@pytest.mark.parametrize("statement", HARM.values(), ids=HARM.keys())
def test_content_that_nobody_has_written_is_refused(tmp_path, statement):
    """SQLite finds such a file in order: what is in it must be checked, and the remedy be told."""
    with closing(opened(tmp_path)) as journal, journal.transaction():
        journal.append(Record("slice", 1, {"depth_nm": 10.53}))
        journal.save_checkpoint("run", b"state" * 100)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection, connection:
        assert connection.execute(statement).rowcount == 1
    with pytest.raises(JournalError, match="damaged") as refused:
        read_all(tmp_path)
    assert "Restore the file" in refused.value.remedy


def read_all(tmp_path):
    """Everything that a restart reads."""
    with closing(opened(tmp_path)) as journal:
        journal.latest("slice")
        journal.checkpoint("run")


def test_other_networks_under_the_same_names_are_refused_unless_asked_for(tmp_path):
    """Two segmentations in one volume would look like one structure."""
    with closing(opened(tmp_path)) as journal:
        journal.take_networks({"segmentation": "aa", "inpainting": ""}, accept_changes=False)
        journal.take_networks({"segmentation": "aa", "inpainting": ""}, accept_changes=False)
        with pytest.raises(JournalError, match="networks"):
            journal.take_networks({"segmentation": "bb", "inpainting": ""}, accept_changes=False)
        journal.take_networks({"segmentation": "bb", "inpainting": ""}, accept_changes=True)
        journal.take_networks({"segmentation": "bb", "inpainting": ""}, accept_changes=False)
