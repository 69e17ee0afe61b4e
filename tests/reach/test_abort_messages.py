"""Abort actions over other people's servers, a web hook and a mail, and the secrets that they need."""

from __future__ import annotations

import os
import threading
import traceback

import pytest

from daemon.abort.orders import Outcome
from daemon.config import EmailAction, EmailSection, WebhookAction
from daemon.errors import ConfigurationError
from daemon.outbound.secret import read_secret

from .orders import STOP, result


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
