"""The daemon's alerts over a real event stream to a real mail server and a real web hook receiver."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from daemon.alerts.debts import owed_in
from daemon.alerts.delivery import deliver
from daemon.alerts.desk import Desk, Rhythm
from daemon.alerts.policy import Notice
from daemon.config import AlertsSection, Configuration, as_toml_table, parse
from daemon.items import FinishReason, RunState, ThicknessSource
from daemon.messages import AlarmMessage, RunMessage, ThicknessMessage
from daemon.publish import Publisher
from daemon.view import RunView

RUN = RunMessage(
    state=RunState.WAITING, project="/data/gold-7", slices_done=30, slices_expected=300, armed=True,
    armed_by="Ada", target_thickness_nm=10.0, limits_nm=(2.0, 25.0),
)  # fmt: skip
DRIFT = AlarmMessage(
    id="4", kind="drift thicker", slice_index=30, message="slices have become thicker", remedy="Check focus."
)
WAIT_S = 60.0


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def publisher():
    """A run that has thirty slices behind it."""
    with closing(Publisher(run="r", epoch=1, endpoint="tcp://127.0.0.1:0", now=now)) as publisher:
        publisher.publish(RUN)
        for index in range(2, 31):
            publisher.publish(
                ThicknessMessage(
                    index=index, depth_nm=10.0 * index, thickness_nm=10.0 + 0.1 * index,
                    thickness_sigma_nm=0.3, source=ThicknessSource.RULER,
                )
            )  # fmt: skip
        yield publisher


def desk(publisher: Publisher, section: AlertsSection, tmp_path: Path) -> Desk:
    """A desk that looks often, and has little patience at the end."""
    return Desk(publisher, section, tmp_path, now, Rhythm(0.02, 60.0, 0.05, last_words_s=2.0))


def the_last_try_is_over() -> None:
    """A closed desk does not wait for the letter that is on its way; a service ends then, a test goes on."""
    for thread in threading.enumerate():
        if thread.name == "alerts":
            thread.join(WAIT_S)


def test_an_alarm_reaches_people_with_its_chart(publisher, section, tmp_path, mailbox, receiver):
    """What, where, what to do; the thickness as a picture in the mail, as a line of blocks in the chat."""
    with closing(desk(publisher, section, tmp_path)):
        publisher.publish(DRIFT)
        assert mailbox.arrived.wait(WAIT_S)
        assert receiver.arrived.wait(WAIT_S)
    (letter,) = mailbox.letters
    assert letter["Subject"] == "slicewatch gold-7: drift thicker"
    assert letter["To"] == "ada@example.org"
    words, picture = letter.get_payload()
    said = words.get_payload(decode=True).decode()
    assert "slices have become thicker" in said
    assert "Check focus." in said
    assert "13.00 ± 0.30 nm (slice 30, from ruler)" in said
    assert picture.get_content_type() == "image/png"
    assert picture.get_payload(decode=True).startswith(b"\x89PNG")
    (body,) = receiver.bodies
    assert body["text"].startswith("*slicewatch gold-7: drift thicker*")
    assert "▁" in body["text"]
    assert "█" in body["text"]


def test_teams_gets_a_card(publisher, section, tmp_path, receiver):
    """The body that a Teams workflow takes."""
    hook = section.webhooks[0].model_copy(update={"format": "teams"})
    with closing(desk(publisher, AlertsSection(webhooks=(hook,)), tmp_path)):
        publisher.publish(DRIFT)
        assert receiver.arrived.wait(WAIT_S)
    (attachment,) = receiver.bodies[0]["attachments"]
    assert attachment["content"]["body"][0]["text"] == "slicewatch gold-7: drift thicker"


def test_a_restart_neither_repeats_nor_forgets(publisher, section, tmp_path, receiver):
    """What has been told stands beside the outputs; what came meanwhile is told."""
    chat = AlertsSection(webhooks=section.webhooks)
    with closing(desk(publisher, chat, tmp_path)):
        publisher.publish(DRIFT)
        assert receiver.arrived.wait(WAIT_S)
    the_last_try_is_over()
    receiver.arrived.clear()
    publisher.publish(AlarmMessage(id="5", kind="slice gap", slice_index=31, message="missing"))
    with closing(desk(publisher, chat, tmp_path)):
        assert receiver.arrived.wait(WAIT_S)
    assert len(receiver.bodies) == 2
    assert "slice gap" in receiver.bodies[1]["text"]
    assert "drift thicker" not in receiver.bodies[1]["text"]


def test_a_receiver_that_hangs_keeps_nothing_from_the_others(publisher, section, tmp_path, mailbox, receiver):
    """The chat does not answer; the mail comes all the same, and publishing never waits."""
    receiver.hold = threading.Event()
    hook = section.webhooks[0].model_copy(update={"timeout_s": 0.5})
    with closing(desk(publisher, section.model_copy(update={"webhooks": (hook,)}), tmp_path)):
        publisher.publish(DRIFT)
        assert mailbox.arrived.wait(WAIT_S)


def test_the_end_of_a_run_is_told_at_closing_time(publisher, section, tmp_path, receiver):
    """The desk looks once more when the daemon closes it."""
    chat = AlertsSection(webhooks=section.webhooks)
    with closing(Desk(publisher, chat, tmp_path, now, Rhythm(look_every_s=3600.0))):
        publisher.publish(RunMessage(state=RunState.FINISHED, finish_reason=FinishReason.DRIFT_ABORT))
    (body,) = receiver.bodies
    assert "the run has ended (DRIFT_ABORT)" in body["text"]


def test_no_secret_is_in_logs_state_or_configuration(
    publisher, section, tmp_path, mailbox, receiver, password_file
):
    """Neither when all goes well nor when everything is refused."""
    structlog.reset_defaults()
    mailbox.refuse, receiver.status = "554 no thanks", 500
    with capture_logs() as logs:
        watcher = desk(publisher, section, tmp_path)
        publisher.publish(DRIFT)
        assert receiver.arrived.wait(WAIT_S)
        watcher.close()
    table = {
        "run": {"folder": "a", "output": "b"},
        "channels": [{"name": "1kV", "voltage_kv": 1.0}],
        "alerts": json.loads(section.model_dump_json(exclude_none=True)),
        "abort": {"actions": [{"kind": "email"}, {"kind": "webhook", "url_env": "HOOK"}]},
    }
    configuration: Configuration = parse(table, where=tmp_path / "run.toml")
    told = json.dumps([logs, as_toml_table(configuration)], default=str)
    told += "".join(path.read_text() for path in tmp_path.glob("alerts.json"))
    told += str(owed_in(tmp_path / "alerts-owed.msgpack"))
    assert "web hook lab-chat" in told
    assert "alert.failed" in told
    for secret in ("battery", "SECRETTOKEN"):
        assert secret not in told


def test_the_last_letter_waits_for_a_receiver_that_comes_back(publisher, section, tmp_path, receiver):
    """It refuses while the run ends, and is back a moment later: told once more, and nothing is owed."""
    chat = AlertsSection(webhooks=section.webhooks)
    receiver.status = 500
    watcher = Desk(publisher, chat, tmp_path, now, Rhythm(0.02, 60.0, 0.05, last_words_s=WAIT_S))
    publisher.publish(DRIFT)
    assert receiver.arrived.wait(WAIT_S)
    closer = threading.Thread(target=watcher.close)
    closer.start()
    while len(receiver.bodies) < 3:
        assert closer.is_alive()
        threading.Event().wait(0.01)
    receiver.status = 200
    closer.join(WAIT_S)
    assert not closer.is_alive()
    assert owed_in(tmp_path / "alerts-owed.msgpack") == {}


def test_a_letter_that_nobody_took_at_the_end_is_owed(publisher, section, tmp_path, receiver):
    """The next start pays it once, together with what has come since or right before it."""
    chat = AlertsSection(webhooks=section.webhooks)
    receiver.status = 500
    with closing(desk(publisher, chat, tmp_path)):
        publisher.publish(DRIFT)
        assert receiver.arrived.wait(WAIT_S)
    the_last_try_is_over()
    (owed,) = owed_in(tmp_path / "alerts-owed.msgpack").values()
    assert [alarm.id for alarm in owed.new] == ["4"]
    receiver.status, told = 200, len(receiver.bodies)
    publisher.publish(AlarmMessage(id="5", kind="slice gap", slice_index=31, message="missing"))
    with closing(desk(publisher, chat, tmp_path)):
        while not any("slice gap" in body["text"] for body in receiver.bodies[told:]):
            threading.Event().wait(0.01)
    letters = [body["text"] for body in receiver.bodies[told:]]
    assert [sum(kind in letter for letter in letters) for kind in ("drift thicker", "slice gap")] == [1, 1]
    assert not (tmp_path / "alerts-owed.msgpack").exists()


def test_only_the_receiver_that_missed_a_letter_gets_it_again(
    publisher, section, tmp_path, mailbox, receiver
):
    """The mail was taken, the chat was away: the chat is tried again, and nobody is mailed twice."""
    receiver.status = 500
    with closing(Desk(publisher, section, tmp_path, now, Rhythm(0.02, 0.05, 0.05, last_words_s=2.0))):
        publisher.publish(DRIFT)
        assert mailbox.arrived.wait(WAIT_S)
        while len(receiver.bodies) < 3:
            threading.Event().wait(0.01)
        receiver.status = 200
    assert len(mailbox.letters) == 1
    assert not (tmp_path / "alerts-owed.msgpack").exists()


def test_a_file_name_that_is_no_text_and_a_chart_that_fails_keep_no_letter(
    section, mailbox, receiver, monkeypatch
):
    """Lone surrogates in the words, an error in the picture: both receivers are told all the same."""
    monkeypatch.setattr("daemon.alerts.delivery.thickness_png", lambda _view: 1 / 0)
    strange = AlarmMessage(id="6", kind="file quarantined", slice_index=1, message="b\udcff.tif")
    assert deliver(section, Notice(new=(strange,)), RunView())
    (letter,) = mailbox.letters
    assert "b?.tif" in letter.get_payload(decode=True).decode()
    assert "b?.tif" in receiver.bodies[0]["text"]
