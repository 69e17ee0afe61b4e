"""One mail over SMTP with TLS; the certificate is checked; plain connections only to this machine."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any

from daemon.config import EmailSection
from daemon.errors import DeliveryError
from daemon.outbound.deadline import Deadline
from daemon.outbound.secret import read_secret


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be said: ``picture`` is a PNG; ``identifier`` makes a repeated letter recognisable."""

    subject: str
    text: str
    picture: bytes = b""
    identifier: str = ""


def send_mail(section: EmailSection, letter: Letter, to: Sequence[str] = ()) -> str:
    """Hand the letter to the mail server; what it said to it. ``to``: instead of the section's own.

    Raises
    ------
    DeliveryError
        The server is away, is not who it says, refuses, or answers nonsense.
    ConfigurationError
        The password cannot be read.
    """
    recipients = tuple(to) or section.to
    message = _composed(section, letter, recipients)
    with _session(section) as server:
        refused = server.send_message(message, section.sender, list(recipients))
    taken = len(recipients) - len(refused)
    return f"{section.host} took it for {taken} of {len(recipients)}"


def try_server(section: EmailSection) -> str:
    """Connect and log in without sending anything; what to tell of it.

    Raises
    ------
    DeliveryError
        The server is away, is not who it says, or refuses.
    ConfigurationError
        The password cannot be read.
    """
    with _session(section) as server:
        server.noop()
    return f"{section.host} lets us in"


@contextmanager
def _session(section: EmailSection) -> Generator[smtplib.SMTP]:
    """A connection for ``timeout_s``, logged in where there is a user; all that can go wrong becomes one kind
    of error.
    """
    deadline = Deadline(section.timeout_s)
    try:
        with deadline, _connection(section, deadline) as server:
            if section.user:
                server.login(section.user, _password(section))
            yield server
    except (OSError, smtplib.SMTPException, ValueError) as error:
        late = f"it took longer than {section.timeout_s:g} s" if deadline.is_over else ""
        raise DeliveryError(
            f"the mail was not taken: {late or _reason(error)}",
            where=f"mail server {section.host}:{section.port}",
            remedy="Check [alerts.email]: host, port, security, user, and the password's file.",
        ) from None


def _connection(section: EmailSection, deadline: Deadline) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=str(section.ca_file) if section.ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2

    class Held(smtplib.SMTP):
        """A session whose connection the deadline holds, from before the first word on."""

        def connect(
            self, host: str = "localhost", port: int = 0, source_address: Any = None
        ) -> tuple[int, bytes]:
            channel = socket.create_connection((host, port), section.timeout_s, source_address)
            try:
                deadline.hold(channel)
                tls = section.security == "tls"
                self.sock = context.wrap_socket(channel, server_hostname=host) if tls else channel
            except BaseException:
                channel.close()
                raise
            self.file = None
            return self.getreply()

    server = Held(section.host, section.port, timeout=section.timeout_s)
    if section.security == "starttls":
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


def _password(section: EmailSection) -> str:
    return read_secret(section.password_file, section.password_env, where="alerts.email.password_file")


def _composed(section: EmailSection, letter: Letter, recipients: Sequence[str]) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = " ".join(_sendable(letter.subject).split())
    message["From"] = section.sender
    message["To"] = ", ".join(recipients)
    message["Message-ID"] = make_msgid(domain=section.sender.rpartition("@")[2] or "slicewatch")
    message["Auto-Submitted"] = "auto-generated"
    if letter.identifier:
        message["X-Slicewatch-Order"] = letter.identifier
    message.set_content(_sendable(letter.text))
    if letter.picture:
        message.add_attachment(letter.picture, maintype="image", subtype="png", filename="thickness.png")
    return message


def _sendable(words: str) -> str:
    """File names that are not UTF-8 come as lone surrogates, which no mail can carry."""
    return words.encode(errors="replace").decode()


def _reason(error: BaseException) -> str:
    """The server's own words, shortened; never what we sent."""
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"user or password refused ({error.smtp_code})"
        case smtplib.SMTPRecipientsRefused():
            return f"every recipient refused: {', '.join(error.recipients)}"
        case smtplib.SMTPResponseException():
            return f"{error.smtp_code} {error.smtp_error!r}"[:200]
        case OSError():
            return error.strerror or str(error) or type(error).__name__
        case _:
            return str(error)[:200] or type(error).__name__
