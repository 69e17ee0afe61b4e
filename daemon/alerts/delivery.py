"""Hands a notice to everybody who is to get it; one receiver that is away keeps it from nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import structlog

from daemon.abort.time_limit import OutOfTimeError, within
from daemon.alerts import letters
from daemon.alerts.chart import thickness_png
from daemon.alerts.policy import Notice
from daemon.config import AlertsSection, AlertWebhook, EmailSection
from daemon.errors import SlicewatchError
from daemon.outbound.mail import Letter, send_mail
from daemon.outbound.webhook import post
from daemon.view import RunView

_log = structlog.get_logger("slicewatch")
_GRACE_S: Final = 5.0
_MAIL: Final = "mail"


def receivers(section: AlertsSection) -> tuple[str, ...]:
    """The names of all who are to be told: each web hook, and the mail."""
    hooks = tuple(map(_named, section.webhooks))
    return (*hooks, _MAIL) if section.email is not None else hooks


def deliver(section: AlertsSection, notice: Notice, view: RunView) -> bool:
    """Send it to everybody; whether anybody has taken it."""
    taken = [is_taken(section, name, notice, view) for name in receivers(section)]
    return any(taken)


def is_taken(section: AlertsSection, receiver: str, notice: Notice, view: RunView) -> bool:
    """Send it to one receiver; whether it has taken it."""
    email = section.email
    if receiver == _MAIL and email is not None:
        return _tried(receiver, email.timeout_s, lambda: _mail(email, notice, view))
    hook = next(hook for hook in section.webhooks if _named(hook) == receiver)
    return _tried(receiver, hook.timeout_s, lambda: _post(hook, notice, view))


def _named(hook: AlertWebhook) -> str:
    return f"web hook {hook.name}"


def _mail(email: EmailSection, notice: Notice, view: RunView) -> str:
    return send_mail(email, Letter(letters.subject(notice, view), letters.text(notice, view), _picture(view)))


def _picture(view: RunView) -> bytes:
    """The chart; a letter without one is better than none."""
    try:
        return thickness_png(view)
    except Exception:
        _log.exception("alert.picture")
        return b""


def _post(hook: AlertWebhook, notice: Notice, view: RunView) -> str:
    body = letters.for_teams if hook.format == "teams" else letters.for_slack
    post(hook, body(notice, view))
    return "taken"


def _tried(receiver: str, limit_s: float, send: Callable[[], str]) -> bool:
    """One try; none while the one before hangs in what no time limit reaches, such as a dead share."""
    name = f"telling {receiver}"
    if any(thread.name == name for thread in threading.enumerate()):
        _log.error("alert.failed", receiver=receiver, why="the try before has not ended")
        return False
    try:
        answer = within(limit_s + _GRACE_S, send, name)
    except (SlicewatchError, OutOfTimeError) as error:
        _log.error("alert.failed", receiver=receiver, why=str(error))
        return False
    except Exception as error:
        # Whatever is wrong with one receiver or its letter is no reason to keep it from the others; what
        # nobody has named may quote a secret.
        _log.error("alert.failed", receiver=receiver, why=type(error).__name__)
        return False
    _log.info("alert.sent", receiver=receiver, answer=answer)
    return True
