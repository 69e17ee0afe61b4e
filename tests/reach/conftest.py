"""Real peers a mail server with TLS and log-in, a web hook receiver, a program that obeys."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from daemon.config import AlertsSection, AlertWebhook, EmailSection

PASSWORD = "correct horse battery staple"  # noqa: S105 (of the mail server below, which lives for one test)


@dataclass(frozen=True)
class Certificate:
    """A certificate for localhost that signs itself; clients trust ``file``."""

    file: Path
    key: Path

    @property
    def context(self) -> ssl.SSLContext:
        """For a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> Certificate:
    """Made anew for every session of tests."""
    folder = tmp_path_factory.mktemp("tls")
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(made.key), "-out", str(made.file)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return made


@dataclass
class Mailbox:
    """What a mail server has taken; ``refuse`` answers instead of taking."""

    port: int = 0
    letters: list[Message] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    refuse: str = ""

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """aiosmtpd calls this with a whole letter."""
        if self.refuse:
            return self.refuse
        self.letters.append(message_from_bytes(envelope.content))
        self.arrived.set()
        return "250 taken"


def _log_in(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
    right = isinstance(given, LoginPassword) and given.password == PASSWORD.encode()
    return AuthResult(success=right, handled=False)


@pytest.fixture
def mailbox(certificate) -> Iterator[Mailbox]:
    """A mail server that insists on STARTTLS and on the password."""
    box = Mailbox()
    controller = Controller(
        box, hostname="127.0.0.1", port=0, tls_context=certificate.context, require_starttls=True,
        authenticator=_log_in, auth_required=True,
    )  # fmt: skip
    controller.port = _free_port()
    controller.start()
    box.port = controller.port
    yield box
    controller.stop()


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Finds ports that nobody listens on right now."""
    return _free_port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def password_file(tmp_path) -> Path:
    """Holds the mail server's password, for its owner only."""
    path = tmp_path / "smtp-password"
    path.write_text(PASSWORD + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def email_table(mailbox, certificate, password_file) -> dict[str, Any]:
    """[alerts.email] for the mail server."""
    return {
        "host": "127.0.0.1", "port": mailbox.port, "user": "slicewatch", "password_file": str(password_file),
        "sender": "slicewatch@example.org", "to": ["ada@example.org"], "ca_file": str(certificate.file),
        "timeout_s": 20.0,
    }  # fmt: skip


@dataclass
class Receiver:
    """A web hook receiver: what came, and what it answers (status, body)."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    status: int = 200
    answer: bytes = b"ok"
    location: str = ""
    hold: threading.Event | None = None


@pytest.fixture
def receiver(certificate) -> Iterator[Receiver]:
    """An HTTPS server at an address that nobody should read in a log."""
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            told.bodies.append(json.loads(self.rfile.read(length)))
            told.arrived.set()
            if told.hold is not None:
                told.hold.wait(60.0)
            self.send_response(told.status)
            if told.location:
                self.send_header("Location", told.location)
            self.send_header("Content-Length", str(len(told.answer)))
            self.end_headers()
            self.wfile.write(told.answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = certificate.context.wrap_socket(server.socket, server_side=True)
    told.url = f"https://localhost:{server.server_port}/services/T0/SECRETTOKEN"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield told
    if told.hold is not None:
        told.hold.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def hook_table(receiver, certificate, tmp_path) -> dict[str, Any]:
    """The keys of a web hook for the receiver."""
    path = tmp_path / "hook-url"
    path.write_text(receiver.url)
    path.chmod(0o600)
    return {"name": "lab-chat", "url_file": str(path), "ca_file": str(certificate.file), "timeout_s": 20.0}


@pytest.fixture
def section(email_table, hook_table) -> AlertsSection:
    """Mail and chat."""
    hook = AlertWebhook(**hook_table)
    return AlertsSection(email=EmailSection(**email_table), webhooks=(hook,))


@dataclass
class LinePeer:
    """A program beside the microscope: the lines that it was told."""

    port: int
    lines: list[str] = field(default_factory=list)


Answering = Callable[[socket.socket, str], None]


@pytest.fixture
def line_peer() -> Callable[[Answering], Any]:
    """Serves one connection after the other; ``answering`` decides what each line gets."""

    @contextmanager
    def serve(answering: Answering) -> Generator[LinePeer]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            told = LinePeer(server.getsockname()[1])

            def run() -> None:
                while True:
                    try:
                        connection, _ = server.accept()
                    except OSError:
                        return
                    with connection:
                        line = connection.makefile().readline()
                        if line:
                            told.lines.append(line.rstrip("\n"))
                            answering(connection, line)

            thread = threading.Thread(target=run, daemon=True)
            thread.start()
            yield told
            server.shutdown(socket.SHUT_RDWR)
        thread.join(60.0)

    return serve
