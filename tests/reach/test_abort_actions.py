"""Each abort action against a real peer: that obeys, that hangs, that refuses, that answers nonsense."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import traceback
import tracemalloc
from contextlib import closing

import psutil
import pytest

from daemon.abort.act import Means, carry_out
from daemon.abort.autoscript import halt, stop_microscope
from daemon.abort.orders import Order, Outcome, Request
from daemon.abort.pace import Pace
from daemon.config import (
    AutoscriptAction,
    CommandAction,
    EmailAction,
    EmailSection,
    FileAction,
    TcpAction,
    WebhookAction,
)
from daemon.errors import ConfigurationError
from daemon.items import Alarm
from daemon.outbound.secret import read_secret

CAUSE = Alarm("drift thicker", 31, "slices have become thicker", 13.25, 11.0)
STOP = Order(Request.STOP, "run-1", "7", CAUSE)
PAUSE = Order(Request.PAUSE, "run-1", "7", CAUSE)


def carried_out(action, order=STOP, email=None, attempts=1):
    """The steps of one action."""
    return list(carry_out(Means([action], email, attempts), order, pace=Pace(sleep=lambda _s: None)))


def result(action, order=STOP, email=None):
    """What became of one attempt."""
    (step,) = carried_out(action, order, email)
    return step.result


# file


def test_the_file_says_why_and_is_read_back(tmp_path):
    """The microscope's script finds the request, the cause and the measurement."""
    path = tmp_path / "to the microscope" / "STOP"
    told = result(FileAction(kind="file", path=path))
    assert told.confirmed
    assert json.loads(path.read_text()) == {
        "slice": 31, "kind": "drift thicker", "message": "slices have become thicker", "request": "STOP",
        "order": "run-1/STOP/7", "measurement": 13.25, "limit": 11.0,
    }  # fmt: skip


def test_repeating_a_file_changes_nothing(tmp_path):
    """A restart in the middle of an abort may do it again."""
    action = FileAction(kind="file", path=tmp_path / "STOP")
    first = result(action)
    content = (tmp_path / "STOP").read_bytes()
    assert result(action) == first
    assert (tmp_path / "STOP").read_bytes() == content
    assert os.listdir(tmp_path) == ["STOP"]


def test_a_promised_answer_confirms_and_its_absence_does_not(tmp_path):
    """With ``answer`` the script must write the order back; an old answer is none."""
    answer = tmp_path / "STOPPED"
    answer.write_text("run-0/STOP/3")
    action = FileAction(kind="file", path=tmp_path / "STOP", answer=answer, timeout_s=0.3)
    assert result(action).outcome is Outcome.DELIVERED
    answer.write_text(STOP.identifier)
    assert result(action).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("run-1/STOP/7", Outcome.CONFIRMED),
        ('{"done": "run-1/STOP/7"}', Outcome.CONFIRMED),
        ("stopped for run-1/STOP/7.\n", Outcome.CONFIRMED),
        ("run-1/STOP/77", Outcome.DELIVERED),
        ("my-run-1/STOP/7", Outcome.DELIVERED),
        ("x" * 5000 + " run-1/STOP/7", Outcome.DELIVERED),
    ],
    ids=["alone", "in JSON", "in a sentence", "a longer one", "another run", "beyond what is read"],
)
def test_only_the_whole_identifier_is_an_answer(tmp_path, said, outcome):
    """Order 77 has been answered, not order 7."""
    answer = tmp_path / "STOPPED"
    answer.write_text(said)
    action = FileAction(kind="file", path=tmp_path / "STOP", answer=answer, timeout_s=0.2)
    assert result(action).outcome is outcome


def test_a_file_that_cannot_be_written_is_a_failure(tmp_path):
    """And says why."""
    (tmp_path / "file").write_text("in the way")
    told = result(FileAction(kind="file", path=tmp_path / "file" / "STOP"))
    assert told.outcome is Outcome.FAILED
    assert "file" in told.detail


# command


def program(*lines: str, timeout_s: float = 60.0) -> CommandAction:
    """A Python program as an action."""
    return CommandAction(kind="command", argv=(sys.executable, "-c", "\n".join(lines)), timeout_s=timeout_s)


def test_a_program_is_told_the_order_and_confirms_by_its_status():
    """In its environment, and as JSON on its input."""
    told = result(
        program(
            "import json, os, sys",
            "o = json.load(sys.stdin)",
            "print(os.environ['SLICEWATCH_REQUEST'], o['order'], o['measurement'])",
        )
    )
    assert told.confirmed
    assert "STOP run-1/STOP/7 13.25" in told.detail


def test_there_is_no_shell(tmp_path):
    """What looks like shell syntax is an argument."""
    proof = tmp_path / "proof"
    told = result(CommandAction(kind="command", argv=(sys.executable, "-c", "", f"; touch {proof}", "$(id)")))
    assert told.confirmed
    assert not proof.exists()


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (program("import sys", "sys.exit(3)"), "exit status 3"),
        (program("import threading", "threading.Event().wait()", timeout_s=0.5), "killed after 0.5 s"),
        (CommandAction(kind="command", argv=("/nowhere/at all",)), "cannot be started"),
    ],
    ids=["fails", "hangs", "missing"],
)
def test_a_program_that_does_not_obey_is_a_failure(action, why):
    """It failed, it was killed when its time was up, it is not there."""
    told = result(action)
    assert told.outcome is Outcome.FAILED
    assert why in told.detail


def test_a_program_that_talks_without_end_fills_no_memory():
    """Its words are read and let go; it is killed when its time is up."""
    tracemalloc.start()
    try:
        told = result(program("import sys", "while True: sys.stdout.write('x' * 65536)", timeout_s=1.5))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (told.outcome, told.detail) == (Outcome.FAILED, "killed after 1.5 s")
    assert peak_bytes < 8 * 2**20


BACKGROUND = (
    "import subprocess, sys",
    "child = subprocess.Popen([sys.executable, '-c', 'import threading; threading.Event().wait()'])",
    "print(child.pid, flush=True)",
)


def test_a_program_is_over_when_it_is_over_itself():
    """It leaves something in the background that holds its output: confirmed at once, and left alone."""
    told = result(program(*BACKGROUND))
    assert told.confirmed
    child = psutil.Process(int(told.detail.rpartition(" ")[2]))
    assert child.is_running()
    child.kill()


def test_what_a_killed_program_has_started_is_killed_with_it(tmp_path):
    """Nothing of it goes on beside the daemon."""
    lines = (*BACKGROUND, f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))", "child.wait()")
    told = result(program(*lines, timeout_s=3.0))
    assert told.detail == "killed after 3 s"
    pid = int((tmp_path / "pid").read_text())
    gone, alive = psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10.0)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE], gone


# tcp


@pytest.mark.parametrize(
    ("order", "say", "line", "outcome"),
    [
        (STOP, "", "STOP run-1/STOP/7", Outcome.CONFIRMED),
        (PAUSE, "", "PAUSE run-1/PAUSE/7", Outcome.CONFIRMED),
        (PAUSE, "STOP", "STOP run-1/PAUSE/7", Outcome.CONFIRMED),
        (STOP, "PAUSE", "PAUSE run-1/STOP/7", Outcome.DELIVERED),
        (STOP, "THICKNESS", "THICKNESS 13.250 run-1/STOP/7", Outcome.DELIVERED),
        (PAUSE, "THICKNESS", "THICKNESS 13.250 run-1/PAUSE/7", Outcome.DELIVERED),
    ],
    ids=["stop", "pause", "stop for a pause", "pause for a stop", "thickness", "thickness for a pause"],
)
def test_a_line_is_obeyed(line_peer, order, say, line, outcome):
    """The peer is told what to do and which order it is; OK confirms what was said, and no more."""
    with line_peer(lambda connection, _line: connection.sendall(b"OK standing still\r\n")) as peer:
        told = result(TcpAction(kind="tcp", host="127.0.0.1", port=peer.port, say=say), order)
    assert told.outcome is outcome
    assert peer.lines == [line]


def hang(connection: socket.socket, _line: str) -> None:
    """Read until the other side gives up."""
    connection.recv(1)


def drip(connection: socket.socket, _line: str) -> None:
    """A byte at a time and never an end of line: each read succeeds."""
    waiting = threading.Event()
    try:
        while not waiting.wait(0.05):
            connection.sendall(b"O")
    except OSError:
        return


@pytest.mark.parametrize(
    ("answering", "why"),
    [
        (lambda connection, _line: connection.sendall(b"ERR the beam is locked\n"), "the beam is locked"),
        (lambda connection, _line: connection.sendall(b"\x00\xff" * 300), "no end of line"),
        (lambda connection, _line: connection.sendall(b"OKAY\n"), "OKAY"),
        (lambda connection, _line: connection.sendall(b"OK"), "without an answer"),
        (hang, "timed out"),
        (drip, ""),
    ],
    ids=["refuses", "nonsense", "nearly", "cut short", "hangs", "drips"],
)
def test_a_peer_that_does_not_say_ok_confirms_nothing(line_peer, answering, why):
    """Whatever else it does: not confirmed, in time, with its words."""
    with line_peer(answering) as peer:
        told = result(TcpAction(kind="tcp", host="127.0.0.1", port=peer.port, timeout_s=1.0))
    assert told.outcome is Outcome.FAILED
    assert why in told.detail


def test_a_peer_that_is_away_is_tried_again_and_then_reported():
    """Every attempt is a step of its own."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    steps = carried_out(TcpAction(kind="tcp", host="127.0.0.1", port=port, timeout_s=5.0), attempts=3)
    assert [(step.attempt, step.last, step.result.outcome) for step in steps] == [
        (1, False, Outcome.FAILED), (2, False, Outcome.FAILED), (3, True, Outcome.FAILED),
    ]  # fmt: skip


def test_a_peer_that_comes_to_its_senses_is_not_asked_again(line_peer):
    """The second attempt gets through, and there is no third; the order is the same."""
    answers = iter([b"BUSY\n", b"OK\n", b"OK\n"])
    with line_peer(lambda connection, _line: connection.sendall(next(answers))) as peer:
        steps = carried_out(TcpAction(kind="tcp", host="127.0.0.1", port=peer.port), attempts=3)
    assert [step.result.outcome for step in steps] == [Outcome.FAILED, Outcome.CONFIRMED]
    assert len(set(peer.lines)) == 1


def test_an_unknown_thickness_is_not_said():
    """NaN would be a number to somebody's script."""
    order = Order(Request.STOP, "run-1", "", Alarm("abort requested", 0, "Ada asked"))
    told = result(TcpAction(kind="tcp", host="127.0.0.1", port=1, say="THICKNESS"), order)
    assert (told.outcome, told.detail) == (Outcome.FAILED, "no thickness has been measured")


# webhook


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b'{"stopped": true}', Outcome.CONFIRMED),
        (b"ok", Outcome.DELIVERED),
        (b'{"stopped": "yes"}', Outcome.DELIVERED),
        (b"[" * 100_000, Outcome.DELIVERED),
        (b"\xff\xfe{}", Outcome.DELIVERED),
    ],
    ids=["stopped", "taken", "not true", "nested", "no text"],
)
def test_a_web_hook_confirms_only_in_so_many_words(receiver, hook_table, answer, outcome):
    """A receiver that takes the message has not stopped anything yet."""
    receiver.answer = answer
    told = result(WebhookAction(kind="webhook", **hook_table))
    assert told.outcome is outcome
    (body,) = receiver.bodies
    assert body["order"] == STOP.identifier
    assert "STOP the microscope" in body["text"]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_web_hook_that_refuses_is_a_failure_and_its_address_stays_secret(receiver, hook_table, status):
    """Redirections too: what we say is meant for one receiver."""
    receiver.status, receiver.location = status, receiver.url
    told = result(WebhookAction(kind="webhook", **hook_table))
    assert told.outcome is Outcome.FAILED
    assert f"status {status}" in told.detail
    assert "SECRETTOKEN" not in str(told)
    assert len(receiver.bodies) == 1


def test_a_web_hook_that_hangs_is_left(receiver, hook_table):
    """In time."""
    receiver.hold = threading.Event()
    told = result(WebhookAction(kind="webhook", **hook_table | {"timeout_s": 0.5}))
    assert told.outcome is Outcome.FAILED
    assert "SECRETTOKEN" not in str(told)


def test_a_stranger_s_certificate_is_not_trusted(receiver, hook_table):
    """Without our certificate authority the receiver is nobody; nothing was sent."""
    told = result(WebhookAction(kind="webhook", **hook_table | {"ca_file": None}))
    assert told.outcome is Outcome.FAILED
    assert receiver.bodies == []


@pytest.mark.parametrize("url", ["http://example.org/x", "file:///etc/passwd", "not an address", "https://"])
def test_only_https_addresses_are_used(tmp_path, url):
    """Plain HTTP would show the token to everybody, file:// would read our disk."""
    path = tmp_path / "url"
    path.write_text(url)
    path.chmod(0o600)
    told = result(WebhookAction(kind="webhook", url_file=path))
    assert told.outcome is Outcome.FAILED
    assert "https://" in told.detail
    assert url not in told.detail or url == "https://"


# email


def test_a_mail_is_delivered_but_never_a_confirmation(mailbox, email_table):
    """A mail server took it over TLS; nobody has stopped anything yet."""
    told = result(EmailAction(kind="email"), email=EmailSection(**email_table))
    assert told.outcome is Outcome.DELIVERED
    (letter,) = mailbox.letters
    assert letter["Subject"] == "slicewatch: STOP the microscope"
    assert letter["X-Slicewatch-Order"] == STOP.identifier


@pytest.mark.parametrize("how", ["refuses", "password", "stranger", "away"])
def test_a_mail_that_is_not_taken_is_a_failure_and_the_password_stays_secret(
    mailbox, email_table, password_file, how
):
    """The server refuses, the password is wrong, the certificate is a stranger's, nobody is there."""
    changes = {"stranger": {"ca_file": None}, "away": {"port": 1}}.get(how, {})
    if how == "refuses":
        mailbox.refuse = "554 no thanks"
    if how == "password":
        password_file.write_text("hunter2")
    told = result(EmailAction(kind="email"), email=EmailSection(**email_table | changes))
    assert told.outcome is Outcome.FAILED
    assert "hunter2" not in str(told)
    assert "battery" not in str(told)
    assert mailbox.letters == []


def test_a_secret_that_others_can_read_is_refused(password_file):
    """With the remedy."""
    password_file.chmod(0o644)
    with pytest.raises(Exception, match="chmod 600"):
        read_secret(password_file, "", where="test")


@pytest.mark.skipif(os.name != "posix", reason="Windows follows links")
def test_a_secret_is_not_read_through_a_link(password_file, tmp_path):
    """Nor is what is no text told by the complaint."""
    (tmp_path / "link").symlink_to(password_file)
    with pytest.raises(ConfigurationError, match="link"):
        read_secret(tmp_path / "link", "", where="test")
    password_file.write_bytes(b"hunter2\xff")
    with pytest.raises(ConfigurationError, match="no text") as caught:
        read_secret(password_file, "", where="test")
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


# autoscript: OpenFIBSEM's Demo microscope


@pytest.fixture(scope="module")
def demo_microscope():
    """A Demo microscope, connected."""
    connected = pytest.importorskip("daemon.abort.autoscript").connected
    pytest.importorskip("fibsem")
    return connected("Demo", "localhost", None)


@pytest.mark.filterwarnings("default")
def test_the_demo_microscope_stops_milling_and_imaging(demo_microscope):
    """Milling and live imaging run; afterwards neither does, and doing it twice changes nothing."""
    from fibsem.structures import BeamType

    demo_microscope.start_milling()
    demo_microscope.start_acquisition(BeamType.ELECTRON)
    assert demo_microscope.get_milling_state().name == "RUNNING"
    assert halt(demo_microscope, Request.STOP) == "milling IDLE, imaging stopped"
    assert demo_microscope.get_milling_state().name == "IDLE"
    assert halt(demo_microscope, Request.STOP) == "milling IDLE, imaging stopped"


@pytest.mark.filterwarnings("default")
def test_the_demo_microscope_pauses(demo_microscope):
    """A pause can be taken back; a stop cannot."""
    demo_microscope.start_milling()
    assert halt(demo_microscope, Request.PAUSE) == "milling PAUSED, imaging stopped"
    demo_microscope.resume_milling()
    assert halt(demo_microscope, Request.STOP) == "milling IDLE, imaging stopped"


@pytest.mark.slow
def test_the_whole_autoscript_action_works_in_its_own_process():
    """Connected, stopped, read back; the daemon's process has not imported fibsem for it."""
    told = stop_microscope(AutoscriptAction(kind="autoscript", manufacturer="Demo", timeout_s=120.0), STOP)
    assert (told.outcome, told.detail) == (Outcome.CONFIRMED, "milling IDLE, imaging stopped")


@pytest.mark.slow
def test_a_microscope_that_is_away_is_a_failure():
    """AutoScript's own client is not installed here: its words, and no confirmation."""
    told = stop_microscope(AutoscriptAction(kind="autoscript", manufacturer="Thermo", timeout_s=120.0), STOP)
    assert told.outcome is Outcome.FAILED
    assert told.detail


def test_a_microscope_that_hangs_is_left():
    """Its process is ended with its time."""
    told = stop_microscope(AutoscriptAction(kind="autoscript", manufacturer="Demo", timeout_s=0.01), STOP)
    assert (told.outcome, told.detail) == (Outcome.FAILED, "no answer within 0.01 s")


# all of them


def test_one_of_them_must_get_through(tmp_path):
    """An action that fails is reported, and the next one is tried all the same; done ones can be skipped."""
    (tmp_path / "file").write_text("in the way")
    means = Means([
        FileAction(kind="file", path=tmp_path / "file" / "STOP"),
        FileAction(kind="file", path=tmp_path / "STOP"),
        FileAction(kind="file", path=tmp_path / "STOP2"),
    ])  # fmt: skip
    steps = list(carry_out(means, STOP, frozenset({2})))
    assert [(step.action, step.result.confirmed) for step in steps] == [(0, False), (1, True)]
    assert not (tmp_path / "STOP2").exists()
