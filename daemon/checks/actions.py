"""The abort without aborting: what an alarm would do, and whether each action could."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from daemon.abort.act import describe
from daemon.abort.autoscript import REMEDY
from daemon.checks.finding import Finding, attempt, fail, ok, warn
from daemon.config import (
    AnyAction,
    AutoscriptAction,
    CommandAction,
    Configuration,
    EmailAction,
    EmailSection,
    FileAction,
    TcpAction,
    WebhookAction,
)
from daemon.outbound.mail import try_server
from daemon.outbound.webhook import check_address


def check_abort(configuration: Configuration) -> Finding:
    """What an alarm of sustained drift would set in motion."""
    section = configuration.abort
    if section.armed and not section.actions:
        text = "armed, but there is no action: drift would end the run here and leave the microscope milling"
        return warn("abort", text, "Configure actions in [abort].")
    if section.pause_actions and not section.grace_s:
        text = "pause_actions are never carried out: with grace_s = 0 the stop comes at once"
        return warn("abort", text, "Give abort.grace_s a time to answer in, or remove pause_actions.")
    if section.armed and not any(map(_can_confirm, section.actions)):
        text = "armed, but no action can confirm a stop: every abort would end as NOT CONFIRMED"
        return warn("abort", text, "Add an action that stops the microscope and is answered for.")
    count = f"{len(section.actions)} action{'s' * (len(section.actions) != 1)}"
    if not section.armed:
        return ok("abort", f"not armed: drift only alarms; {count} when armed")
    grace = f"{section.grace_s:g} s after the alarm, unless acknowledged" if section.grace_s else "at once"
    text = f"armed: sustained drift stops the microscope {grace}, by {count}"
    return ok("abort", f"{text}; under 'slicewatch run' only, reprocessing never acts")


def _can_confirm(action: AnyAction) -> bool:
    """A mail stops nothing, nor does a line that says something else than STOP."""
    match action:
        case EmailAction():
            return False
        case TcpAction():
            return action.say in ("", "STOP")
        case _:
            return True


def rehearse(configuration: Configuration) -> Iterator[Finding]:
    """A line for each action, in the order in which they would be tried; nothing is stopped."""
    email = configuration.alerts.email
    section = configuration.abort
    for name, group in (("pause", section.pause_actions), ("abort", section.actions)):
        for number, action in enumerate(group, start=1):
            yield attempt(f"{name} {number}", lambda a=action, n=f"{name} {number}": _could(n, a, email))


def _could(name: str, action: AnyAction, email: EmailSection | None) -> Finding:
    """Whether the action could be carried out now, as far as this can be seen without doing it."""
    told = describe(action, email)
    match action:
        case FileAction():
            return _writable(name, action.path, told)
        case CommandAction():
            if shutil.which(action.argv[0]) is None:
                return fail(name, f"{told}: no such program", "Give its whole path, and the right to run it.")
            return ok(name, told)
        case TcpAction():
            return _listening(name, action, told)
        case WebhookAction():
            check_address(action)
            return ok(name, told)
        case EmailAction():
            return ok(name, f"{told}; {try_server(email) if email else 'no server'}")
        case AutoscriptAction():
            if importlib.util.find_spec("fibsem") is None:
                return fail(name, f"{told}: it is not installed", REMEDY)
            return ok(name, told)


def _writable(name: str, path: Path, told: str) -> Finding:
    folder = next(candidate for candidate in path.parents if candidate.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return fail(name, f"no right to write {path}", "Give this user the right, or correct [abort].")
    return ok(name, told)


def _listening(name: str, action: TcpAction, told: str) -> Finding:
    """Somebody accepts a connection; nothing is said to him."""
    try:
        socket.create_connection((action.host, action.port), timeout=min(action.timeout_s, 5.0)).close()
    except OSError as error:
        problem = f"{told}: {error.strerror or error}"
        return fail(name, problem, "Start the program beside the microscope, or correct host and port.")
    return ok(name, told)
