"""What an escalation remembers over a restart and over a full disk: never longer, never forgotten."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from daemon.abort.memory import Arming, Held, Memory, carried_on, escalation_record, recall
from daemon.abort.policy import Escalation, Stage
from daemon.items import Alarm
from daemon.journal import open_journal

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
DRIFT = Alarm("drift thicker", 31, "slices have become thicker", 13.25, 11.0)
ARMING = Arming(True, "Ada", NOW)
GRACE = Escalation(True, Stage.GRACE, DRIFT, "7", deadline_s=0.0)


@pytest.mark.parametrize(
    ("ends_in_s", "left_s"),
    [(25.0, 25.0), (60.0, 60.0), (0.0, 60.0), (-3600.0, 60.0), (86_400.0, 60.0)],
    ids=["goes on", "just begun", "over", "long over", "the clock was set back a day"],
)
def test_a_grace_period_recalled_is_never_longer_than_configured(tmp_path, ends_in_s, left_s):
    """From the journal, at the hour that was told, if that is within grace_s from now."""
    with closing(open_journal(tmp_path / "journal.sqlite", {}, lambda: NOW)) as journal:
        ends_at = NOW + timedelta(seconds=ends_in_s)
        journal.append(escalation_record(Memory(ARMING, GRACE, "8", ends_at)))
        memory = recall(journal, ARMING, 60.0, now_s=100.0, now=NOW)
    assert memory.escalation.deadline_s == pytest.approx(100.0 + left_s)
    assert memory.ends_at == NOW + timedelta(seconds=left_s)


HELD = {
    "nothing": (Held(), 60.0),
    "running": (Held(Memory(ARMING, Escalation(True, Stage.GRACE, DRIFT, "7", 120.0))), 20.0),
    "run out": (Held(Memory(ARMING, Escalation(True, Stage.GRACE, DRIFT, "7", 90.0))), 0.0),
    "stopped already": (Held(Memory(ARMING, Escalation(True, Stage.ABORTING, DRIFT, "7"))), 0.0),
    "another slice's": (
        Held(Memory(ARMING, Escalation(True, Stage.GRACE, Alarm("drift thicker", 30, ""), "5", 120.0))),
        60.0,
    ),
}


@pytest.mark.parametrize("case", HELD)
def test_a_full_disk_does_not_stop_the_clock(case):
    """A cause that is judged again, or recalled, has what is left of its time; another has its own."""
    held, left_s = HELD[case]
    assert held.grace_s(DRIFT, 60.0, 100.0) == pytest.approx(left_s)
    recalled = Memory(ARMING, Escalation(True, Stage.GRACE, DRIFT, "7", 160.0), "8", NOW)
    on = carried_on(recalled, held, now_s=100.0, now=NOW)
    assert on.escalation.deadline_s == pytest.approx(100.0 + left_s)
