"""What is durable is told, whatever else fails."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from daemon.errors import StoreError
from daemon.items import ThicknessSource
from daemon.journal import open_journal
from daemon.messages import ThicknessMessage
from daemon.outbox import Outbox
from daemon.outputs import Outputs
from daemon.publish import Publisher
from daemon.run_tables import RunTables


def now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


def test_what_is_committed_is_told_although_the_tables_have_no_room(tmp_path):
    """Live listeners and the desk of alerts would miss it for ever: a restart does not say it again."""
    outputs = Outputs(tmp_path / "output")
    outputs.folder.write_text("in the way of every table")
    journal = open_journal(tmp_path / "journal.sqlite", {}, now)
    publisher = Publisher(run="r", epoch=1, endpoint="tcp://127.0.0.1:0", now=now)
    with closing(journal), closing(publisher):
        station = SimpleNamespace(
            journal=journal, publisher=publisher, tables=RunTables(outputs, ("2kV",), 1.5)
        )
        outbox = Outbox(station)  # type: ignore[arg-type]
        outbox.say(ThicknessMessage(index=1, depth_nm=0.0, source=ThicknessSource.RULER))
        with pytest.raises(StoreError):
            outbox.flush()
        assert publisher.seq == 1
        assert list(journal.latest("thickness")) == [1]
