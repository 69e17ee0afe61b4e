"""Carries out abort actions: in order, each with its attempts and time limit, telling every step.

Whether to abort is decided elsewhere, from verdicts. Every action is tried even if one before it got through:
a mail to the operator belongs to the stop as much as the stop itself. All of them may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from daemon.abort.autoscript import stop_microscope
from daemon.abort.line import send_line
from daemon.abort.messages import mail_order, post_order
from daemon.abort.orders import ActionResult, Order, Outcome
from daemon.abort.pace import REAL, Pace
from daemon.abort.program import run_program
from daemon.abort.sentinel import write_sentinel
from daemon.abort.time_limit import OutOfTimeError, within
from daemon.config import (
    AnyAction,
    AutoscriptAction,
    CommandAction,
    EmailAction,
    EmailSection,
    FileAction,
    TcpAction,
    WebhookAction,
)

_GRACE_S: Final = 5.0
"""An action keeps its own time limit; when it does not, this much later it is left behind."""


@dataclass(frozen=True, slots=True)
class Means:
    """What the actions of one request may use: ``attempts`` each, ``retry_wait_s`` between two of them."""

    actions: Sequence[AnyAction]
    email: EmailSection | None = None
    attempts: int = 1
    retry_wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One attempt at the action numbered ``action``, from 0; ``last``: there will be no other."""

    action: int
    attempt: int
    last: bool
    result: ActionResult


def carry_out(
    means: Means,
    order: Order,
    skip: frozenset[int] = frozenset(),
    pace: Pace = REAL,
) -> Iterator[Step]:
    """Every attempt as it ends; ``skip`` are the actions that an earlier process has been through."""
    for number, action in enumerate(means.actions):
        if number not in skip:
            yield from _attempts(means, number, action, order, pace)


def describe(action: AnyAction, email: EmailSection | None = None) -> str:
    """The action as a person reads it, without secrets."""
    match action:
        case FileAction():
            answer = f", then waits for {action.answer}" if action.answer else ""
            return f"file: writes {action.path}{answer}"
        case CommandAction():
            return f"command: runs {action.argv[0]} with {len(action.argv) - 1} arguments"
        case TcpAction():
            return f"tcp: says {action.say or 'PAUSE or STOP'} to {action.host}:{action.port}, wants OK"
        case WebhookAction():
            return f"webhook: posts to {action.name} (address from {action.url_file or '$' + action.url_env})"
        case EmailAction():
            to = action.to or (email.to if email else ())
            return f"email: to {', '.join(to)}{f' through {email.host}:{email.port}' if email else ''}"
        case AutoscriptAction():
            return f"autoscript: stops the {action.manufacturer} microscope at {action.host} through fibsem"


def _attempts(means: Means, number: int, action: AnyAction, order: Order, pace: Pace) -> Iterator[Step]:
    for attempt in range(1, means.attempts + 1):
        result = _limited(means, action, order, pace)
        last = result.outcome is not Outcome.FAILED or attempt == means.attempts
        yield Step(number, attempt, last, result)
        if last:
            return
        pace.sleep(means.retry_wait_s)


def _limited(means: Means, action: AnyAction, order: Order, pace: Pace) -> ActionResult:
    try:
        return within(action.timeout_s + _GRACE_S, lambda: _once(means, action, order, pace))
    except OutOfTimeError as error:
        return ActionResult(action.kind, describe(action, means.email), Outcome.FAILED, str(error))
    except Exception as error:
        # An action that breaks in a way nobody has named must not keep the next one from being tried.
        problem = f"{type(error).__name__}: {error}"[:200]
        return ActionResult(action.kind, describe(action, means.email), Outcome.FAILED, problem)


def _once(means: Means, action: AnyAction, order: Order, pace: Pace) -> ActionResult:
    match action:
        case FileAction():
            return write_sentinel(action, order, pace)
        case CommandAction():
            return run_program(action, order, pace)
        case TcpAction():
            return send_line(action, order, pace)
        case WebhookAction():
            return post_order(action, order)
        case AutoscriptAction():
            return stop_microscope(action, order, pace)
        case EmailAction():
            if means.email is None:
                return ActionResult("email", "", Outcome.FAILED, "there is no [alerts.email]")
            return mail_order(action, means.email, order)
