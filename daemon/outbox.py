"""The one order in which a run tells what happened: journal, then tables, then sockets.

What is said between two commits is collected, becomes durable in one transaction with the states that follow
from it, and is told afterwards. So nobody ever hears of something that a restart would not know.
"""

from __future__ import annotations

from collections.abc import Mapping

from daemon.journal import FileVersion, Record
from daemon.messages import Message
from daemon.outputs import write_tables
from daemon.records import as_record
from daemon.station import Station


class Outbox:
    """Collects records and messages since the last commit."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._messages: list[Message] = []
        self._records: list[Record] = []

    def say(self, message: Message) -> None:
        """Tell and keep a message."""
        self._messages.append(message)
        self._records.append(as_record(message))

    def show(self, message: Message) -> None:
        """Tell a message that is not kept: pictures."""
        self._messages.append(message)

    def keep(self, record: Record) -> None:
        """Keep a record that is not told."""
        self._records.append(record)

    def flush(self, version: FileVersion | None = None, states: Mapping[str, bytes] | None = None) -> None:
        """Make everything durable together with a file's version and the ``states`` by name, and tell it.

        Raises
        ------
        JournalError, StoreError
            The disk is full or gone.
        """
        journal = self._station.journal
        records, pending = self._records, self._messages
        self._records, self._messages = [], []
        with journal.transaction():
            for record in records:
                journal.append(record)
            if version is not None:
                journal.append_file(version)
            for name, state in (states or {}).items():
                journal.save_checkpoint(name, state)
        if any(record.kind == "slice" for record in records):
            told = self._station.configuration
            write_tables(self._station.outputs, journal, told.channel_names, told.drift.outlier_z)
        for message in pending:
            self._station.publisher.publish(message)
