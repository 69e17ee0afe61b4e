"""The sockets: free to bind, and not open to other machines without keys."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import zmq

from daemon.checks.finding import Finding, fail, ok, warn
from daemon.client import Client
from daemon.config import Configuration
from daemon.endpoints import bind, require_loopback
from daemon.errors import ConfigurationError, WireError
from daemon.keys import listed_keys, open_keys

_ANSWER_WITHIN_S = 1.0


def check_endpoint(configuration: Configuration, name: str, endpoint: str) -> Finding:
    """An endpoint of [publish] can be bound now."""
    line = f"publish.{name}"
    try:
        with zmq.Context() as context, context.socket(zmq.PUB) as probe:
            bind(probe, endpoint, open_keys(configuration.publish.curve_keys))
    except ConfigurationError as error:
        return fail(line, f"{endpoint}: {error.what}", error.remedy)
    except WireError as error:
        if _daemon_answers(configuration.publish.control):
            text = f"{endpoint} is in use: a daemon is running already"
            return fail(line, text, "'slicewatch status' says what it does; stop it, or choose other ports.")
        return fail(line, f"{endpoint}: {error.what}", error.remedy)
    return ok(line, f"{endpoint} is free")


def check_monitor(configuration: Configuration) -> Finding:
    """The dashboard's port is free."""
    host, port = configuration.monitor.host, configuration.monitor.port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            text = f"http://{host}:{port} cannot be served: {error.strerror or error}"
            return warn("monitor", text, "A monitor may be running already; else choose monitor.port.")
    return ok("monitor", f"http://{host}:{port} is free")


def check_keys(configuration: Configuration) -> Finding:
    """Endpoints that other machines can reach need keys; those of this machine do not."""
    section = configuration.publish
    open_to_others = [
        e for e in (section.events, section.control) if not _holds(lambda e=e: require_loopback(e))
    ]
    if section.curve_keys:
        return _check_key_folder(section.curve_keys)
    if open_to_others:
        text = f"{', '.join(open_to_others)} could be reached by anyone who reaches this machine"
        return fail(
            "keys", text, "Use tcp://127.0.0.1:PORT, or 'slicewatch keys make' and publish.curve_keys."
        )
    return ok("keys", "none needed: all endpoints are on this machine only")


def _check_key_folder(folder: str) -> Finding:
    try:
        open_keys(folder)
        allowed = listed_keys(Path(folder))
    except ConfigurationError as error:
        return fail("keys", f"{error.where}: {error.what}", error.remedy)
    names = ", ".join(f"{key.name} ({key.role})" for key in allowed)
    if not allowed:
        return warn("keys", f"{folder} lets nobody in", "Make a key with 'slicewatch keys make'.")
    return ok("keys", f"{folder} lets in {names}")


def _holds(requirement: Callable[[], None]) -> bool:
    try:
        requirement()
    except ConfigurationError:
        return False
    return True


def _daemon_answers(control: str) -> bool:
    with Client(control=control, timeout_s=_ANSWER_WITHIN_S) as client:
        try:
            client.latest("run")
        except WireError:
            return False
    return True
