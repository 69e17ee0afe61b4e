"""What the journal's rows hold: MessagePack with a checksum, read by the run and by whoever looks on.

SQLite notices a damaged page when its structure breaks, not when a byte of a value has changed: so every body
carries its CRC-32, and one that does not fit is refused, never used.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import imagecodecs
import msgspec

from daemon.errors import DiskFullError, JournalError
from daemon.space import means_no_space

_LATEST: Final = (
    "SELECT body, crc FROM records WHERE id IN "
    "(SELECT max(id) FROM records WHERE kind = ? GROUP BY key) ORDER BY key"
)

_LEVEL: Final = 1  # of zstd, its fastest: states are pictures, which a higher one makes hardly smaller
_CRC_BYTES: Final = 4
_EVERY: Final = "SELECT time, body, crc FROM records WHERE kind = ? ORDER BY id"


def encoded(body: dict[str, Any]) -> tuple[bytes, int]:
    """The bytes of a body and their checksum."""
    data = msgspec.msgpack.encode(body)
    return data, zlib.crc32(data)


def decoded(data: bytes, crc: int, path: Path) -> dict[str, Any]:
    """The body of a record in the journal at ``path``.

    Raises
    ------
    JournalError
        The bytes are not those that were written.
    """
    if zlib.crc32(data) != crc:
        raise unreadable(path, "a record is not what was written")
    return msgspec.msgpack.decode(data)


def compressed(state: bytes) -> bytes:
    """A checkpoint as the journal keeps it."""
    data = imagecodecs.zstd_encode(state, level=_LEVEL)
    return zlib.crc32(data).to_bytes(_CRC_BYTES) + data


def restored(kept: bytes, path: Path) -> bytes:
    """A checkpoint of the journal at ``path``.

    Raises
    ------
    JournalError
        The bytes are not those that were written.
    """
    crc, data = kept[:_CRC_BYTES], kept[_CRC_BYTES:]
    if zlib.crc32(data).to_bytes(_CRC_BYTES) != crc:
        raise unreadable(path, "a stored state is not what was written")
    return bytes(imagecodecs.zstd_decode(data))


def configuration_of(connection: sqlite3.Connection, path: Path) -> dict[str, Any]:
    """The configuration that the run was last started with.

    Raises
    ------
    JournalError
        There is none that can be read.
    """
    row = connection.execute("SELECT value FROM meta WHERE key = 'configuration'").fetchone()
    try:
        return json.loads(row[0])
    except (TypeError, json.JSONDecodeError) as error:
        raise unreadable(path, "the run's configuration is not in it") from error


def read_records(path: Path, kind: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The configuration of a run and the latest bodies of a kind, without counting as a start.

    Raises
    ------
    JournalError
        The file is damaged or not a journal.
    """
    with _looking_on(path) as connection:
        configuration = configuration_of(connection, path)
        rows = connection.execute(_LATEST, (kind,)).fetchall()
    return configuration, [decoded(data, crc, path) for data, crc in rows]


def read_run(path: Path) -> str:
    """The identity of the run, without counting as a start.

    Raises
    ------
    JournalError
        The file is damaged or not a journal.
    """
    with _looking_on(path) as connection:
        row = connection.execute("SELECT value FROM meta WHERE key = 'run'").fetchone()
    if row is None:
        raise unreadable(path, "the run's identity is not in it")
    return str(row[0])


def read_log(path: Path, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Every record of a kind with its time (UTC, ISO 8601), oldest first, without counting as a start.

    Raises
    ------
    JournalError
        The file is damaged or not a journal.
    """
    with _looking_on(path) as connection:
        rows = connection.execute(_EVERY, (kind,)).fetchall()
    return [(str(time), decoded(data, crc, path)) for time, data, crc in rows]


def damaged(path: Path, error: sqlite3.Error) -> JournalError | DiskFullError:
    """What to say when SQLite cannot use the file."""
    is_foreign = str(error).startswith(("no such table", "no such column"))
    if is_foreign or not isinstance(error, sqlite3.OperationalError):
        return unreadable(path, str(error))
    kind = DiskFullError if means_no_space(error) else JournalError
    return kind(
        f"the journal cannot be used: {error}",
        where=str(path),
        remedy="Check the disk's free space and rights; nothing was overwritten.",
    )


def unreadable(path: Path, why: str) -> JournalError:
    """What to say of a journal whose content is not what a run has written."""
    return JournalError(
        f"the journal is damaged: {why}",
        where=str(path),
        remedy="Nothing was overwritten. Restore the file, or choose another run.output and start over.",
    )


@contextmanager
def _looking_on(path: Path) -> Generator[sqlite3.Connection]:
    """The journal for reading. A closed one has no log beside it and is read without leaving files there."""
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise damaged(path, error) from error
