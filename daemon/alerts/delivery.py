"""Hands a notice to everybody who is to get it; one receiver that is away keeps it from nobody else."""

from __future__ import annotations

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


def deliver(section: AlertsSection, notice: Notice, view: RunView) -> bool:
    """Send it by mail and to every web hook; whether anybody has taken it."""
    sent = [_tried(f"web hook {h.name}", h.timeout_s, lambda h=h: _post(h, notice, view))
            for h in section.webhooks]  # fmt: skip
    email = section.email
    if email is not None:
        sent.append(_tried("mail", email.timeout_s, lambda: _mail(email, notice, view)))
    return any(sent)


def _mail(email: EmailSection, notice: Notice, view: RunView) -> str:
    letter = Letter(letters.subject(notice, view), letters.text(notice, view), thickness_png(view))
    return send_mail(email, letter)


def _post(hook: AlertWebhook, notice: Notice, view: RunView) -> str:
    body = letters.for_teams if hook.format == "teams" else letters.for_slack
    post(hook, body(notice, view))
    return "taken"


def _tried(receiver: str, limit_s: float, send: Callable[[], str]) -> bool:
    try:
        answer = within(limit_s + _GRACE_S, send)
    except (SlicewatchError, OutOfTimeError) as error:
        _log.error("alert.failed", receiver=receiver, why=str(error))
        return False
    _log.info("alert.sent", receiver=receiver, answer=answer)
    return True
