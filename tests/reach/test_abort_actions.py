"""Abort actions by a file and by a line against real peers: that obey, hang, refuse, or answer nonsense."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import closing

import pytest

from daemon.abort.act import Means, carry_out
from daemon.abort.orders import Order, Outcome, Request
from daemon.config import FileAction, TcpAction
from daemon.items import Alarm

from .orders import PAUSE, STOP, carried_out, result


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
