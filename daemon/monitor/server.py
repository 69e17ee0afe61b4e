"""The web server of the dashboard: a feed for each microscope, shared by all browsers, and the pages."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from fastapi import Request
from nicegui import app, ui

from daemon.client import CONTROL, Client
from daemon.endpoints import is_loopback
from daemon.errors import ConfigurationError, WireError
from daemon.keys import ClientKey
from daemon.monitor.commands import Commands
from daemon.monitor.feed import Feed
from daemon.monitor.gate import Gate
from daemon.monitor.login import Guard, require_login
from daemon.monitor.microscope import Microscope
from daemon.monitor.page import Page
from daemon.monitor.resources import serve_resources
from daemon.monitor.tiles import tiles_page
from daemon.operating_system import output_is_logged
from daemon.passwords import PasswordHash

REPLAYED_MESSAGES = 20  # a browser that missed more reloads; a history of charts would fill the memory
RECONNECT_WITHIN_S = 30.0
_log = structlog.get_logger("slicewatch")
FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" '
    'fill="#151c24"/><path d="M6 11l10-5 10 5-10 5zM6 16l10 5 10-5M6 21l10 5 10-5" fill="none" '
    'stroke="#E69F00" stroke-width="2.4"/></svg>'
)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where one daemon listens."""

    events: str
    control: str


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificate and private key, PEM files, with which the page is served as HTTPS."""

    certificate: Path
    key: Path


def daemons_at(control: Sequence[str], events: Sequence[str]) -> list[Endpoints]:
    """Pairs of endpoints; where no events are given, they are one port below control, as by default.

    Raises
    ------
    ConfigurationError
        There are not as many of one as of the other.
    """
    control = control or [CONTROL]
    events = events or [_port_below(endpoint) for endpoint in control]
    if len(events) != len(control):
        raise ConfigurationError(
            f"{len(control)} --connect and {len(events)} --events",
            where="the command line",
            remedy="Give one --events for each --connect, in the same order, or none.",
        )
    return [Endpoints(*pair) for pair in zip(events, control, strict=True)]


def run_monitor(
    daemons: Sequence[Endpoints],
    host: str,
    port: int,
    *,
    key: ClientKey | None = None,
    password: PasswordHash | None = None,
    tls: Tls | None = None,
) -> None:
    """Serve the dashboard of these daemons until interrupted.

    Nothing is commanded without a login (``daemon.monitor.login``); ``key`` is what the daemons know it by.

    Raises
    ------
    ConfigurationError, WireError
        An endpoint is none, or the page cannot be served there, or not without a password.
    """
    require_login(host, password)
    port = _free(host, port)
    microscopes = [_microscope(number, one, key) for number, one in enumerate(daemons)]
    guard = Guard(password)
    app.add_middleware(Gate, guard=guard)
    serve_resources(microscopes)
    _serve_pages(microscopes, guard)
    for microscope in microscopes:
        app.on_startup(microscope.start)
        app.on_shutdown(microscope.close)
    _say_where(guard, host, port, tls)
    ui.run(
        host=host,
        port=port,
        title="slicewatch",
        favicon=FAVICON,
        reload=False,
        show=False,
        show_welcome_message=False,
        # It would scan the page for classes at each change of it, and keep two records of each scan for ever.
        tailwind=False,
        message_history_length=REPLAYED_MESSAGES,
        reconnect_timeout=RECONNECT_WITHIN_S,
        proxy_headers=False,  # else anyone on this machine names the address that the brake on guessing sees
        **_certified(tls),
    )


def _serve_pages(microscopes: Sequence[Microscope], guard: Guard) -> None:
    """``/`` is the overview of several microscopes, or the only one's page; ``/m/NUMBER/`` is one's."""

    @ui.page("/", title="slicewatch")
    def index(request: Request, view: str = "") -> None:
        if len(microscopes) > 1:
            tiles_page(microscopes, request.cookies)
        else:
            one(request, 0, view)

    @ui.page("/m/{number}/", title="slicewatch")
    def one(request: Request, number: int, view: str = "") -> None:
        microscope = microscopes[min(number, len(microscopes) - 1)]
        commands = Commands(microscope, partial(_require_session, guard, request))
        Page(microscope, commands if guard.may_control(request) else None, view, request.cookies, "/")


def _microscope(number: int, endpoints: Endpoints, key: ClientKey | None) -> Microscope:
    connect = partial(Client, endpoints.events, endpoints.control, key=key)
    connect().close()  # so that a mistyped endpoint is told at once
    return Microscope(number, Feed(endpoints.events, endpoints.control, key), connect)


def _port_below(endpoint: str) -> str:
    address, _, port = endpoint.rpartition(":")
    return f"{address}:{int(port) - 1}" if port.isdigit() else endpoint


def _say_where(guard: Guard, host: str, port: int, tls: Tls | None) -> None:
    """On the terminal, for the one who sits there; the link to log in by is no text for a log."""
    scheme = "https" if tls else "http"
    address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    link = address if guard.asks_for_password or output_is_logged() else guard.link(address)
    print(f"dashboard: {link}", flush=True)  # noqa: T201 - the result of the command
    if guard.asks_for_password and not tls and not is_loopback(host):
        _log.warning("monitor.plain_http", host=host, remedy="Give --certificate.")


def _certified(tls: Tls | None) -> dict[str, Any]:
    """What the web server wants to know, tried beforehand: its own complaint is a traceback without a name.

    Raises
    ------
    ConfigurationError
        They cannot be read, or are no pair.
    """
    if tls is None:
        return {}
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(tls.certificate, tls.key)
    except OSError as error:  # that of a pair that does not fit is one
        raise ConfigurationError(
            f"certificate and key cannot be used: {error.strerror or error}",
            where=f"{tls.certificate}, {tls.key}",
            remedy="Give a certificate and its private key as PEM files that this user may read.",
        ) from error
    return {"ssl_certfile": str(tls.certificate), "ssl_keyfile": str(tls.key)}


def _require_session(guard: Guard, request: Request) -> None:
    """A page outlives the session that opened it; what it may do does not."""
    if not guard.may_control(request):
        raise ConfigurationError("the login has ended", where="the dashboard", remedy="Log in again.")


def _free(host: str, port: int) -> int:
    """The port; for 0 one that is free. The web server's own complaint would come late and without a remedy.

    Raises
    ------
    WireError
        The page cannot be served there.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            return int(probe.getsockname()[1])
        except OSError as error:
            raise WireError(
                f"the page cannot be served: {error.strerror or error}",
                where=f"{host}:{port}",
                remedy="Give another --port, or a --host that this machine has.",
            ) from error
