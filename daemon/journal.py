"""The journal: what happened, in order, and the state to go on from (SQLite, write-ahead log).

Every slice is one transaction: its records and the checkpoint that follows from them become durable
together or not at all. The tables, the volume and the messages are projections of the journal: after a
``kill -9`` they are rewritten from it.

Tables
------
meta(key, value)                              schema, run identity, configuration
records(id, time, kind, key, body, crc)       append-only; ``body`` is MessagePack, ``key`` e.g. a slice index
files(path, size, mtime_ns, sha256, outcome)  append-only; every version of every file that was judged
checkpoint(name, state)                       one row per part of the state to go on from
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from daemon.configuration_changes import FREE_KEYS, accepted_changes
from daemon.errors import JournalError
from daemon.journal_bodies import (
    compressed,
    configuration_of,
    damaged,
    decoded,
    encoded,
    restored,
    unreadable,
)

SCHEMA: Final = 5
_APPLICATION_ID: Final = 0x534C5743  # "SLWC": tells a foreign SQLite file from ours
FIRST_KEY: Final = -(2**63)  # of an integer in SQLite
_TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE records (id INTEGER PRIMARY KEY, time TEXT NOT NULL, kind TEXT NOT NULL,
                      key INTEGER NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL) STRICT;
CREATE INDEX records_by_kind ON records (kind, key, id);
CREATE TABLE files (id INTEGER PRIMARY KEY, path TEXT NOT NULL, size INTEGER NOT NULL,
                    mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL, outcome TEXT NOT NULL) STRICT;
CREATE TABLE checkpoint (name TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened: ``kind`` names it, ``key`` is its slice or plane, ``body`` its fields."""

    kind: str
    key: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FileVersion:
    """One version of one file and what became of it."""

    path: str
    size: int
    mtime_ns: int
    sha256: str
    outcome: str


class Journal:
    """An open journal; create one with ``open_journal`` and close it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        now: Callable[[], datetime],
        changes: tuple[str, ...] = (),
    ) -> None:
        self._connection = connection
        self._path = path
        self._now = now
        self.changes = changes
        """Keys of the configuration that are not what they were at the last start."""

    @property
    def run_id(self) -> uuid.UUID:
        """The identity of the run, the same over all restarts."""
        return uuid.UUID(self.meta("run"))

    @property
    def epoch(self) -> int:
        """How many times a daemon has opened this journal, from 1."""
        return int(self.meta("epoch"))

    def meta(self, key: str) -> str:
        """A fact about the run; KeyError when unknown."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return str(row[0])

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All that is written inside becomes durable together.

        Raises
        ------
        JournalError
            The disk is full or the file cannot be written.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise damaged(self._path, error) from error

    def take_networks(self, sha256: Mapping[str, str], *, accept_changes: bool) -> None:
        """Note which networks the run is computed with; others than at the last start only if asked for.

        Raises
        ------
        JournalError
            A network has changed, although its path may be the same.
        """
        row = self._connection.execute("SELECT value FROM meta WHERE key = 'networks'").fetchone()
        if row is not None and json.loads(row[0]) != dict(sha256) and not accept_changes:
            raise JournalError(
                "the run was begun with other networks: their files have changed",
                where=f"{self._path}: sha256 {row[0]}, now {json.dumps(dict(sha256))}",
                remedy="Put the files back, or start with --accept-changes to go on with the new ones.",
            )
        self._connection.execute(
            "INSERT INTO meta (key, value) VALUES ('networks', ?) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (json.dumps(dict(sha256)),),
        )

    def append(self, record: Record) -> None:
        """Add a record."""
        self._connection.execute(
            "INSERT INTO records (time, kind, key, body, crc) VALUES (?, ?, ?, ?, ?)",
            (self._now().isoformat(), record.kind, record.key, *encoded(record.body)),
        )

    def append_file(self, version: FileVersion) -> None:
        """Note what became of a version of a file."""
        self._connection.execute(
            "INSERT INTO files (path, size, mtime_ns, sha256, outcome) VALUES (?, ?, ?, ?, ?)",
            (version.path, version.size, version.mtime_ns, version.sha256, version.outcome),
        )

    def save_checkpoint(self, name: str, state: bytes) -> None:
        """Replace one part of the state to go on from."""
        self._connection.execute(
            "INSERT INTO checkpoint (name, state) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET state = excluded.state",
            (name, compressed(state)),
        )

    def checkpoint(self, name: str) -> bytes | None:
        """A part of the state to go on from, or None in a new journal."""
        row = self._connection.execute("SELECT state FROM checkpoint WHERE name = ?", (name,)).fetchone()
        return None if row is None else restored(row[0], self._path)

    def records(self, kind: str) -> Iterator[Record]:
        """All records of a kind in the order they were written."""
        rows = self._connection.execute(
            "SELECT key, body, crc FROM records WHERE kind = ? ORDER BY id", (kind,)
        )
        for key, body, crc in rows:
            yield Record(kind, key, decoded(body, crc, self._path))

    def latest(self, kind: str, first: int = FIRST_KEY) -> dict[int, dict[str, Any]]:
        """The last record of a kind for every key from ``first`` on, ordered by key."""
        rows = self._connection.execute(
            "SELECT key, body, crc FROM records WHERE id IN "
            "(SELECT max(id) FROM records WHERE kind = ? AND key >= ? GROUP BY key) ORDER BY key",
            (kind, first),
        )
        return {key: decoded(body, crc, self._path) for key, body, crc in rows}

    def files(self) -> Iterator[FileVersion]:
        """Every judged version of every file, oldest first."""
        rows = self._connection.execute("SELECT path, size, mtime_ns, sha256, outcome FROM files ORDER BY id")
        for row in rows:
            yield FileVersion(*row)

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it."""
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
        except sqlite3.Error as error:
            raise damaged(self._path, error) from error


def open_journal(
    path: Path,
    configuration: dict[str, Any],
    now: Callable[[], datetime],
    acceptable: frozenset[str] = FREE_KEYS,
) -> Journal:
    """Open the journal of a run, or begin one; counts one more epoch.

    ``acceptable`` keys (``table`` or ``table.key``) of the configuration may differ from the last start's.

    Raises
    ------
    JournalError
        The file is damaged, not a journal, of a newer version, or of another configuration.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        if not path.stat().st_size:  # new, or killed before anything was in it
            _create(connection, configuration)
        _check_identity(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        changes = _take_configuration(connection, path, configuration, acceptable)
        connection.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'epoch'")
    except sqlite3.Error as error:
        raise damaged(path, error) from error
    return Journal(connection, path, now, changes)


def _create(connection: sqlite3.Connection, configuration: dict[str, Any]) -> None:
    """Tables and facts in one transaction: a journal without a run in it never exists."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    facts = {"run": str(uuid.uuid4()), "epoch": "0", "configuration": json.dumps(configuration)}
    connection.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", facts.items())
    connection.execute("COMMIT")


def _check_identity(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION_ID:
        raise JournalError(
            "the file is not a slicewatch journal", where=str(path), remedy="Choose another run.output."
        )
    if schema != SCHEMA:
        raise JournalError(
            f"the journal has schema {schema}, this version reads {SCHEMA}",
            where=str(path),
            remedy="Finish the run with the version that began it, or choose another run.output.",
        )
    (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
    if verdict != "ok":
        raise unreadable(path, verdict)


def _take_configuration(
    connection: sqlite3.Connection, path: Path, configuration: dict[str, Any], acceptable: frozenset[str]
) -> tuple[str, ...]:
    """Go on with a configuration; the keys that have changed since the last start."""
    before = configuration_of(connection, path)
    changes = accepted_changes(before, configuration, acceptable, where=path)
    connection.execute("UPDATE meta SET value = ? WHERE key = 'configuration'", (json.dumps(configuration),))
    return changes
