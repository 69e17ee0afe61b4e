"""When people are told: at once, again until acknowledged, never in a flood, once a day how it stands."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.alerts.policy import Notice, Rules, Told, due, together
from daemon.messages import AlarmMessage

RULES = Rules(repeat_s=1800.0, hourly_limit=3)


def alarm(number: int, kind: str = "slice gap", by: str = "") -> AlarmMessage:
    """An alarm that ``by`` has acknowledged."""
    return AlarmMessage(id=str(number), kind=kind, slice_index=number, message="look", acknowledged_by=by)


def told_of(*alarms: AlarmMessage) -> dict[str, AlarmMessage]:
    """By identifier."""
    return {each.id: each for each in alarms}


def test_a_new_alarm_is_told_once_at_once():
    """And not again a second later."""
    told, notice = due(Told(), told_of(alarm(1)), "", now_s=0.0, rules=RULES)
    assert [each.id for each in notice.new] == ["1"]
    _, notice = due(told, told_of(alarm(1)), "", now_s=1.0, rules=RULES)
    assert notice.is_empty


def test_it_is_repeated_until_somebody_acknowledges_it():
    """Every repeat_s, and never after."""
    told, times = Told(), []
    for minute in range(180):
        by = "Ada" if minute >= 100 else ""
        told, notice = due(told, told_of(alarm(1, by=by)), "", now_s=60.0 * minute, rules=RULES)
        times += [minute] if not notice.is_empty else []
    assert times == [0, 30, 60, 90]


def test_a_flood_becomes_few_letters_and_nothing_is_left_out():
    """Forty alarms in ten minutes: the limit's three letters, the rest together an hour later."""
    told, letters, seen = Told(), 0, set()
    alarms: dict[str, AlarmMessage] = {}
    for tick in range(440):
        now_s = 10.0 * tick
        if tick % 2 == 0 and tick < 80:
            alarms |= told_of(alarm(tick))
        told, notice = due(told, alarms, "", now_s=now_s, rules=Rules(1e9, 3))
        letters += not notice.is_empty
        seen |= {each.id for each in notice.new}
        if now_s < 3600.0:
            assert letters <= 3
    assert seen == set(alarms)
    assert letters <= 6


def test_an_abort_does_not_wait_for_the_limit():
    """Somebody may have minutes to answer."""
    told = Told(letters=(0.0, 1.0, 2.0))
    _, notice = due(told, told_of(alarm(1)), "", now_s=3.0, rules=RULES)
    assert notice.is_empty
    _, notice = due(told, told_of(alarm(1), alarm(2, "abort pending")), "", now_s=3.0, rules=RULES)
    assert {each.id for each in notice.new} == {"1", "2"}


def test_the_digest_comes_once_a_day_at_its_hour():
    """From the first full day on; UTC."""
    told, days = Told(), []
    begin_s = datetime(2026, 11, 20, 15, 0, tzinfo=UTC).timestamp()
    for half_hour in range(48 * 3):
        now_s = begin_s + 1800.0 * half_hour
        told, notice = due(told, {}, "", now_s=now_s, rules=Rules(1800.0, 3, digest_hour=7))
        if notice.digest:
            days.append(datetime.fromtimestamp(now_s, UTC).isoformat())
    assert days == [f"2026-11-{day}T07:00:00+00:00" for day in (21, 22, 23)]


def test_the_end_of_the_run_is_told_once():
    """With its reason."""
    told, notice = due(Told(), {}, "DRIFT_ABORT", now_s=0.0, rules=RULES)
    assert notice.ended == "DRIFT_ABORT"
    _, notice = due(told, {}, "DRIFT_ABORT", now_s=1.0, rules=RULES)
    assert notice.is_empty


def test_what_was_told_survives_a_restart():
    """The state goes through its file unchanged."""
    told, _ = due(Told(), told_of(alarm(1), alarm(2)), "", now_s=12.5, rules=RULES)
    assert msgspec.json.decode(msgspec.json.encode(told), type=Told) == told


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.floats(0.0, 2000.0)), max_size=60))
def test_no_hour_brings_more_letters_than_its_limit(events):
    """Whatever alarms come and go, as long as none is urgent."""
    told, alarms, now_s, sent = Told(), {}, 0.0, []
    for number, acknowledged, wait_s in events:
        now_s += wait_s
        alarms |= told_of(alarm(number, by="Ada" if acknowledged else ""))
        told, notice = due(told, alarms, "", now_s=now_s, rules=RULES)
        sent += [now_s] if not notice.is_empty else []
        assert sum(now_s - at < 3600.0 for at in sent) <= RULES.hourly_limit


@pytest.mark.parametrize("back_s", [600.0, 86_400.0, 1e8])
def test_a_clock_that_is_set_back_silences_nobody(back_s):
    """New alarms come within the limit's hour, open ones within repeat_s of the new time."""
    now_s = 1e9
    ahead = now_s + back_s
    told = Told(alarms={"1": ahead}, letters=(ahead - 2.0, ahead - 1.0, ahead))
    alarms, seen = told_of(alarm(1), alarm(2)), {}
    for minute in range(122):
        told, notice = due(told, alarms, "", now_s=now_s + 60.0 * minute, rules=RULES)
        for each in (*notice.new, *notice.again):
            seen.setdefault(each.id, minute)
    assert seen["2"] <= 60
    assert seen["1"] <= 60


def test_letters_that_were_not_taken_come_together():
    """Each alarm once, as it was told last; the end of the run is not lost."""
    first = Notice(new=(alarm(1), alarm(2)), ended="ERRORED")
    second = Notice(new=(alarm(3),), again=(alarm(1), alarm(4)))
    both = together(first, second)
    assert [each.id for each in both.new] == ["1", "2", "3"]
    assert [each.id for each in both.again] == ["4"]
    assert both.ended == "ERRORED"
