"""The order as a message to people and to web services."""

from __future__ import annotations

import json

from daemon.abort.orders import ActionResult, Order, Outcome, Request
from daemon.config import EmailAction, EmailSection, WebhookAction
from daemon.errors import SlicewatchError
from daemon.outbound.mail import Letter, send_mail
from daemon.outbound.webhook import post

_DONE = {Request.PAUSE: "paused", Request.STOP: "stopped"}


def post_order(action: WebhookAction, order: Order) -> ActionResult:
    """Post the order as JSON; an answer ``{"stopped": true}`` (or ``"paused"``) confirms."""
    try:
        answer = post(action, {"text": sentence(order), **order.as_json()})
    except SlicewatchError as error:
        return ActionResult("webhook", action.name, Outcome.FAILED, f"{error.what} ({error.where})")
    if _says_done(answer, order.request):
        return ActionResult("webhook", action.name, Outcome.CONFIRMED, f"says {_DONE[order.request]}")
    return ActionResult("webhook", action.name, Outcome.DELIVERED, "taken, but it does not say that it has")


def mail_order(action: EmailAction, section: EmailSection, order: Order) -> ActionResult:
    """Mail the order; a person has to act on it, so it is delivered at most."""
    to = action.to or section.to
    letter = Letter(f"slicewatch: {order.request} the microscope", _text(order), identifier=order.identifier)
    try:
        taken = send_mail(section, letter, to)
    except SlicewatchError as error:
        return ActionResult("email", ", ".join(to), Outcome.FAILED, f"{error.what} ({error.where})")
    return ActionResult("email", ", ".join(to), Outcome.DELIVERED, taken)


def sentence(order: Order) -> str:
    """What is asked and why, in one line."""
    wish = "pause" if order.request is Request.PAUSE else "STOP"
    return (
        f"slicewatch asks to {wish} the microscope: {order.cause.message} (slice {order.cause.slice_index})"
    )


def _text(order: Order) -> str:
    return f"{sentence(order)}\n\n{order.cause.remedy}\n\nOrder {order.identifier}\n"


def _says_done(answer: str, request: Request) -> bool:
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get(_DONE[request]) is True
