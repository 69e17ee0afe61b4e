"""The outside watchdog: a daemon that is dead or hung is told, one that ended on purpose is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.alerts.debts import OWED, Debts
from daemon.alerts.policy import Notice
from daemon.alerts.watchdog import Memory, Sign, judged, look, look_once
from daemon.config import WatchdogSection, as_toml_table, load
from daemon.control import ControlServer
from daemon.inbox import Inbox
from daemon.items import FinishReason, RunState
from daemon.journal import open_journal
from daemon.messages import AlarmMessage, HeartbeatMessage
from daemon.outputs import Outputs
from daemon.publish import Publisher
from daemon.records import ended_record, started_record
from daemon.toml_text import toml_text
from daemon.vitals import Refusals, Vitals, heartbeat_message

BEGIN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RULES = WatchdogSection()
CASES = {
    "well": (Memory(), Sign(True, True, 3.0), "", None),
    "a slice in hand": (Memory(), Sign(True, True, 60.0), "", None),
    "hung": (Memory(), Sign(True, True, 901.0), "daemon hung", None),
    "no heartbeat for a minute": (Memory(), Sign(True, True, 60.0, beat_age_s=60.0), "", None),
    "no heartbeat for three minutes": (
        Memory(),
        Sign(True, True, 180.0, beat_age_s=180.0),
        "daemon hung",
        None,
    ),
    "silent for the first time": (Memory(), Sign(True, False), "", 1000.0),
    "being restarted": (Memory(900.0), Sign(True, False), "", 900.0),
    "the clock was set back": (Memory(90_000.0), Sign(True, False), "", 1000.0),
    "dead": (Memory(800.0), Sign(True, False), "daemon dead", 800.0),
    "over": (Memory(0.0), Sign(False, False), "", None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_verdict(case):
    """From what was seen now and at the looks before."""
    memory, sign, kind, silent_since = CASES[case]
    after, verdict = judged(memory, sign, RULES, 1000.0)
    assert (verdict, after.silent_since) == (kind, silent_since)


class Clock:
    """A wall clock that only the test moves."""

    now = BEGIN

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def config(tmp_path, hook_table, free_port) -> Path:
    """A run whose alerts go to the web hook."""
    (tmp_path / "project").mkdir()
    (tmp_path / "output").mkdir()
    path = tmp_path / "run.toml"
    table = {
        "run": {"folder": str(tmp_path / "project"), "output": str(tmp_path / "output")},
        "channels": [{"name": "1kV", "voltage_kv": 1.0}],
        "alerts": {"webhooks": [hook_table]},
        "publish": {name: f"tcp://127.0.0.1:{free_port()}" for name in ("events", "control")},
    }
    path.write_text(toml_text(table), encoding="utf-8")
    return path


def begun(config: Path, ended: FinishReason | None = None) -> str:
    """The journal of a run that a daemon has begun, and perhaps ended on purpose; the run's identity."""
    configuration = load(config)
    journal = Outputs(configuration.run.output).journal
    with closing(open_journal(journal, as_toml_table(configuration), lambda: BEGIN)) as opened:
        opened.append(started_record(opened.epoch, "CPUExecutionProvider"))
        if ended is not None:
            opened.append(ended_record(opened.epoch, ended))
        return str(opened.run_id)


@contextmanager
def answering(config: Path, run: str, clock: Clock) -> Iterator[Publisher]:
    """The sockets of a daemon of ``run`` where the configuration has them."""
    publish = load(config).publish
    with (
        closing(Publisher(run=run, epoch=1, endpoint=publish.events, now=clock)) as publisher,
        closing(ControlServer(endpoint=publish.control, publisher=publisher, inbox=Inbox())),
    ):
        yield publisher


def beat(progress_age_s: float) -> HeartbeatMessage:
    """A heartbeat of a daemon at work."""
    return HeartbeatMessage(
        state=RunState.WORKING, interval_s=2.0, uptime_s=3600.0, progress_age_s=progress_age_s
    )


def test_a_dead_daemon_is_told_repeated_and_its_return_too(config, receiver, tmp_path, clock):
    """Looks two minutes apart: silence, alarm, nothing, an hour later again; when it is over, once."""
    begun(config)
    state = tmp_path / "state.json"
    codes, letters = [], []
    for minute in (0, 2, 4, 61, 63):
        clock.now = BEGIN + timedelta(minutes=minute)
        codes.append(look(config, state, clock, 0.2))
        letters.append(len(receiver.bodies))
    assert codes == [0, 5, 5, 5, 5]
    assert letters == [0, 1, 1, 1, 2]
    assert "daemon dead" in receiver.bodies[0]["text"]
    assert "Drift is not watched" in receiver.bodies[0]["text"]
    begun(config, FinishReason.STOPPED)
    clock.now += timedelta(minutes=2)
    assert [look(config, state, clock, 0.2), look(config, state, clock, 0.2)] == [0, 0]
    assert len(receiver.bodies) == 3
    assert "daemon answers again" in receiver.bodies[2]["text"]


@pytest.mark.parametrize("ended", [FinishReason.COMPLETED, FinishReason.STOPPED, FinishReason.DRIFT_ABORT])
def test_a_daemon_that_ended_on_purpose_is_left_alone(config, receiver, tmp_path, clock, ended):
    """However long ago."""
    begun(config, ended)
    for _ in range(3):
        assert look(config, tmp_path / "state.json", clock, 0.2) == 0
        clock.now += timedelta(hours=5)
    assert receiver.bodies == []


def test_a_run_that_was_never_begun_is_no_dead_daemon(config, receiver, tmp_path, clock):
    """A timer may be there before the first start."""
    assert look(config, tmp_path / "state.json", clock, 0.2) == 0
    assert receiver.bodies == []


@pytest.mark.parametrize(("age_s", "code"), [(30.0, 0), (1000.0, 5)])
def test_a_daemon_that_answers_but_does_not_get_on_is_hung(config, receiver, tmp_path, clock, age_s, code):
    """Asked over its real socket; a loop that waits gets on, one that hangs does not."""
    with answering(config, begun(config), clock) as publisher:
        publisher.publish(beat(age_s))
        assert look(config, tmp_path / "state.json", clock) == code
    assert [("daemon hung" in body["text"]) for body in receiver.bodies] == [True] * (code == 5)


@pytest.mark.parametrize(("uptime_s", "code"), [(30.0, 0), (1000.0, 5)])
def test_a_daemon_that_hangs_before_its_loop_has_ever_beaten_is_hung(
    config, receiver, tmp_path, clock, uptime_s, code
):
    """Its heart beats on a thread of its own; how long it is up tells since when nothing gets on."""
    vitals, none = Vitals(BEGIN - timedelta(seconds=uptime_s)), Refusals(0, 0, 0, 0)
    with answering(config, begun(config), clock) as publisher:
        publisher.publish(heartbeat_message(vitals, interval_s=2.0, now=BEGIN, now_s=0.0, refusals=none))
        assert look(config, tmp_path / "state.json", clock) == code
    assert [("has not got on for 1000 s" in body["text"]) for body in receiver.bodies] == [True] * (code == 5)


def test_a_heartbeat_is_worth_no_more_than_its_age(config, receiver, tmp_path, clock):
    """The thread of the heart has died, the socket goes on answering with its last words."""
    codes: list[int] = []
    with answering(config, begun(config), clock) as publisher:
        publisher.publish(beat(1.0))
        for minute in (0, 1, 3, 3 * 24 * 60):
            clock.now = BEGIN + timedelta(minutes=minute)
            codes.append(look(config, tmp_path / "state.json", clock))
    assert codes == [0, 0, 5, 5]
    assert "its last heartbeat is 180 s old" in receiver.bodies[0]["text"]
    assert "has not got on for 259201 s" in receiver.bodies[1]["text"]


@pytest.mark.parametrize("ended", [None, FinishReason.COMPLETED])
@pytest.mark.parametrize("how", ["another run", "no heartbeat"])
def test_another_s_answer_is_no_sign_of_life(config, receiver, tmp_path, clock, how, ended):
    """Another run's daemon has the port, or no heart beats: as if there were silence."""
    run, codes = begun(config, ended), []
    with answering(config, "another" if how == "another run" else run, clock) as publisher:
        if how == "another run":
            publisher.publish(beat(1.0))
        for minute in (0, 1, 3):
            clock.now = BEGIN + timedelta(minutes=minute)
            codes.append(look(config, tmp_path / "state.json", clock))
    assert codes == ([0, 0, 5] if ended is None else [0, 0, 0])
    said = {"another run": "another run's daemon answers", "no heartbeat": "never sent a heartbeat"}[how]
    assert [(said in body["text"]) for body in receiver.bodies] == [True] * (ended is None)


def test_whose_daemon_it_was_is_known_when_the_disk_is_gone(config, receiver, tmp_path, clock):
    """The journal is away and another run's daemon has the port: the last look tells whose it should be."""
    begun(config)
    look(config, tmp_path / "state.json", clock, 0.2)
    load(config).run.output.rename(tmp_path / "away")
    clock.now += timedelta(minutes=3)
    with answering(config, "another", clock) as publisher:
        publisher.publish(beat(1.0))
        assert look(config, tmp_path / "state.json", clock) == 5
    assert "its journal is gone" in receiver.bodies[0]["text"]


def test_a_receiver_that_is_away_is_tried_at_the_next_look(config, receiver, tmp_path, clock):
    """What nobody has taken has not been told."""
    begun(config)
    state = tmp_path / "state.json"
    look(config, state, clock, 0.2)
    receiver.status = 500
    clock.now += timedelta(minutes=5)
    assert look(config, state, clock, 0.2) == 5
    receiver.status = 200
    clock.now += timedelta(minutes=2)
    assert look(config, state, clock, 0.2) == 5
    assert len(receiver.bodies) == 2


def test_a_silence_is_told_at_once_where_nothing_can_be_remembered(config, receiver, clock, tmp_path):
    """The state file cannot be written: two looks cannot be compared, so the first silence counts."""
    begun(config)
    (tmp_path / "file").write_text("in the way")
    assert look(config, tmp_path / "file" / "state.json", clock, 0.2) == 5
    assert "daemon dead" in receiver.bodies[0]["text"]


@pytest.mark.parametrize("how", ["folder gone", "folder empty", "journal empty"])
def test_a_daemon_whose_disk_is_gone_is_told(config, receiver, tmp_path, clock, how):
    """The journal that would say whether it ended on purpose is away: what was true before still is."""
    begun(config)
    state, output = tmp_path / "state.json", load(config).run.output
    assert look(config, state, clock, 0.2) == 0
    output.rename(tmp_path / "away")
    if how != "folder gone":
        output.mkdir()
    if how == "journal empty":
        Outputs(output).journal.touch()
    clock.now += timedelta(minutes=3)
    assert look(config, state, clock, 0.2) == 5
    assert "its journal is gone" in receiver.bodies[0]["text"]
    assert output.exists() == (how != "folder gone")


def test_an_ended_run_whose_folder_was_moved_away_is_left_alone(config, receiver, tmp_path, clock):
    """It had ended on purpose when it was last seen."""
    begun(config, FinishReason.COMPLETED)
    state, output = tmp_path / "state.json", load(config).run.output
    assert look(config, state, clock, 0.2) == 0
    output.rename(tmp_path / "archive")
    clock.now += timedelta(hours=1)
    assert look(config, state, clock, 0.2) == 0
    assert receiver.bodies == []


def test_the_default_state_lies_where_the_outputs_do_not(config):
    """A disk that goes must not take the memory of it along, nor may its folder be made anew."""
    load(config).run.output.rmdir()
    assert look_once(config, None) == 0
    assert config.with_suffix(".watchdog.json").exists()
    assert not load(config).run.output.exists()


def test_what_the_daemon_could_not_deliver_the_watchdog_does_once(config, receiver, tmp_path, clock):
    """The run is over and its last letter was refused: it comes from outside, and only once."""
    begun(config, FinishReason.DRIFT_ABORT)
    lost = AlarmMessage(id="9", kind="abort NOT CONFIRMED", slice_index=3, message="no answer")
    debts = Debts(load(config).run.output / OWED)
    debts.add(["web hook lab-chat"], Notice(new=(lost,)))
    receiver.status = 500
    for _ in range(4):
        assert look(config, tmp_path / "state.json", clock, 0.2) == 0
        receiver.status = 200 if len(receiver.bodies) == 2 else receiver.status
        clock.now += timedelta(minutes=2)
    assert len(receiver.bodies) == 3
    assert "abort NOT CONFIRMED" in receiver.bodies[2]["text"]
