"""Receivers of alerts, and what lies on the way to them, that drip, hang or look into what is not theirs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from daemon.alerts.delivery import deliver, is_taken
from daemon.alerts.policy import Notice
from daemon.config import AlertsSection, AlertWebhook
from daemon.messages import AlarmMessage
from daemon.view import RunView

DRIFT = AlarmMessage(id="4", kind="drift thicker", slice_index=30, message="slices have become thicker")
WAIT_S = 60.0


@contextmanager
def dripping(first: bytes, drop: bytes) -> Iterator[int]:
    """A server that says ``first``, and then a drop twenty times a second for as long as anybody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=drip, args=(connection,), daemon=True).start()

        def drip(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                connection.sendall(first)
                while True:
                    connection.sendall(drop)
                    threading.Event().wait(0.05)

        listener = threading.Thread(target=serve, daemon=True)
        listener.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    listener.join(WAIT_S)


LONG_TLS_RECORD = b"\x16\x03\x03\x40\x00"
DRIPS = {
    "header of an answer": ("http", b"HTTP/1.1 200 OK\r\n", b"X"),
    "body of an answer": ("http", b"HTTP/1.1 200 OK\r\n\r\n", b"X"),
    "handshake of a web hook": ("https", LONG_TLS_RECORD, b"\x02"),
    "header of a proxy": ("proxy", b"HTTP/1.1 200 OK\r\n", b"X"),
    "handshake through a proxy": ("proxy", b"HTTP/1.1 200 OK\r\n\r\n" + LONG_TLS_RECORD, b"\x02"),
    "greeting of a mail server": ("starttls", b"220-", b"x"),
    "handshake of a mail server": ("tls", LONG_TLS_RECORD, b"\x02"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", DRIPS)
def test_a_receiver_that_drips_its_answer_is_left_when_its_time_is_up(case, section, monkeypatch):
    """Every read brings a byte in time; all together they take for ever. No try leaves a thread behind."""
    how, first, drop = DRIPS[case]
    with dripping(first, drop) as port:
        if how == "proxy":
            going_through(monkeypatch, port)
            monkeypatch.setenv("DRIPPING", "https://hooks.example.org/")
        else:
            monkeypatch.setenv("DRIPPING", f"{how}://127.0.0.1:{port}/")
        if how in ("http", "https", "proxy"):
            hook = AlertWebhook(name="drip", url_env="DRIPPING", timeout_s=0.5)
            receivers = AlertsSection(webhooks=(hook,))
        else:
            email = section.email.model_copy(update={"port": port, "security": how, "timeout_s": 0.5})
            receivers = AlertsSection(email=email)
        for _ in range(3):
            began_s = time.monotonic()
            assert not deliver(receivers, Notice(new=(DRIFT,)), RunView())
            assert (
                time.monotonic() - began_s < 4.5
            )  # the limit of the thread is 5 s later than that of the try
            assert not [thread for thread in threading.enumerate() if thread.name.startswith("telling")]


def going_through(monkeypatch, port: int) -> None:
    """The environment names a proxy on this machine, for everything."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.timeout(60)
def test_a_web_hook_is_reached_through_a_proxy_that_cannot_look_into_it(
    section, receiver, certificate, monkeypatch
):
    """The proxy is told the name of the receiver and nothing else; what goes through is for the receiver."""
    heard: list[bytes] = []
    with tunnelling(int(receiver.url.split(":")[2].split("/")[0]), heard) as port:
        going_through(monkeypatch, port)
        monkeypatch.setattr("daemon.outbound.webhook.is_loopback", lambda _host: False)
        assert deliver(AlertsSection(webhooks=section.webhooks), Notice(new=(DRIFT,)), RunView())
    assert len(receiver.bodies) == 1
    assert heard[0].startswith(b"CONNECT localhost:")
    assert b"SECRETTOKEN" not in b"".join(heard)


@contextmanager
def tunnelling(to: int, heard: list[bytes]) -> Iterator[int]:
    """A proxy that connects whoever asks to a port of this machine; ``heard`` is all that it was sent."""

    def serve() -> None:
        with suppress(OSError):
            connection, _ = server.accept()
            with connection, socket.create_connection(("127.0.0.1", to)) as far:
                heard.append(connection.recv(65_536))
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=pass_on, args=(far, connection), daemon=True)
                back.start()
                while said := connection.recv(65_536):
                    heard.append(said)
                    far.sendall(said)
                far.shutdown(socket.SHUT_WR)
                back.join(WAIT_S)

    def pass_on(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while said := source.recv(65_536):
                sink.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = threading.Thread(target=serve, daemon=True)
        proxy.start()
        yield server.getsockname()[1]
    proxy.join(WAIT_S)


@pytest.mark.timeout(60)
def test_a_web_hook_of_this_machine_is_told_to_no_proxy(section, receiver, monkeypatch):
    """Its address is a secret, and plain HTTP is allowed there: the proxy of the environment is left out."""
    with dripping(b"", b"X") as port:
        going_through(monkeypatch, port)
        assert deliver(AlertsSection(webhooks=section.webhooks), Notice(new=(DRIFT,)), RunView())
    assert len(receiver.bodies) == 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("receiver_name", ["web hook lab-chat", "mail"])
def test_a_name_server_that_does_not_answer_holds_up_nobody_and_sends_nothing_late(
    section, receiver, mailbox, monkeypatch, receiver_name
):
    """The system looks names up without a time limit: the try is left, and is over when the name comes."""
    asked, answered = threading.Event(), threading.Event()
    look_up = socket.getaddrinfo

    def slow(*arguments, **named):
        asked.set()
        answered.wait(WAIT_S)
        return look_up(*arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr("daemon.alerts.delivery._GRACE_S", 1.0)
    hook = section.webhooks[0].model_copy(update={"timeout_s": 0.5})
    email = section.email.model_copy(update={"timeout_s": 0.5})
    impatient = AlertsSection(webhooks=(hook,), email=email)
    began_s = time.monotonic()
    assert not is_taken(impatient, receiver_name, Notice(new=(DRIFT,)), RunView())
    assert asked.is_set()
    assert time.monotonic() - began_s < 4.5
    trying = [thread for thread in threading.enumerate() if thread.name == f"telling {receiver_name}"]
    answered.set()
    for thread in trying:
        thread.join(WAIT_S)
    assert (len(trying), receiver.bodies, mailbox.letters) == (1, [], [])


@pytest.mark.timeout(60)
def test_a_receiver_is_tried_once_at_a_time(section, receiver, monkeypatch):
    """A try that no time limit reaches (an address on a dead share) is not joined by a second one."""
    tried, let_go = [], threading.Event()
    monkeypatch.setattr("daemon.alerts.delivery._GRACE_S", 0.0)
    monkeypatch.setattr("daemon.alerts.delivery.post", lambda *_: tried.append(1) or let_go.wait(WAIT_S))
    hook = section.webhooks[0].model_copy(update={"timeout_s": 0.1})
    for _ in range(3):
        assert not deliver(AlertsSection(webhooks=(hook,)), Notice(new=(DRIFT,)), RunView())
    let_go.set()
    assert tried == [1]
