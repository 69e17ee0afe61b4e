"""The web server of the dashboard: one feed for all browsers, the page, and the pictures."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from fastapi import Request, Response
from nicegui import app, run, ui

from daemon.client import Client
from daemon.endpoints import is_loopback
from daemon.errors import ConfigurationError, WireError
from daemon.keys import ClientKey
from daemon.monitor.feed import Feed
from daemon.monitor.gate import Gate
from daemon.monitor.login import Guard, require_login
from daemon.monitor.page import Page
from daemon.monitor.pictures import PictureStore
from daemon.passwords import PasswordHash

CATCH_UP_S = 0.1
_log = structlog.get_logger("slicewatch")
FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" '
    'fill="#151c24"/><path d="M6 11l10-5 10 5-10 5zM6 16l10 5 10-5M6 21l10 5 10-5" fill="none" '
    'stroke="#E69F00" stroke-width="2.4"/></svg>'
)


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificate and private key, PEM files, with which the page is served as HTTPS."""

    certificate: Path
    key: Path


def run_monitor(
    events: str,
    control: str,
    host: str,
    port: int,
    *,
    key: ClientKey | None = None,
    password: PasswordHash | None = None,
    tls: Tls | None = None,
) -> None:
    """Serve the dashboard of the daemon at these endpoints until interrupted.

    Nothing is commanded without a login (``daemon.monitor.login``); ``key`` is what the daemon knows it by.

    Raises
    ------
    ConfigurationError, WireError
        The page cannot be served there, or not without a password.
    """
    require_login(host, password)
    _require_free(host, port)
    Client(events, control, key=key).close()
    guard, feed, pictures = Guard(password), Feed(events, control, key), PictureStore()
    app.add_middleware(Gate, guard=guard)
    _say_where(guard, host, port, tls)

    def catch_up() -> None:
        feed.catch_up()
        pictures.show(feed.view.preview, feed.view.preview_seq)

    @ui.page("/", title="slicewatch")
    def index(request: Request) -> None:
        async def acknowledge(alarm: str, by: str) -> None:
            _require_session(guard, request)
            await run.io_bound(_acknowledge, Client(events, control, key=key), alarm, by)

        Page(feed, acknowledge if guard.may_control(request) else None)

    @app.get("/picture/{number}/{name:path}")
    def picture(number: str, name: str) -> Response:
        png = pictures.png(name)
        if png is None:
            return Response(status_code=404)
        return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=600"})

    app.timer(CATCH_UP_S, catch_up)
    app.on_shutdown(feed.close)
    ui.run(
        host=host,
        port=port,
        title="slicewatch",
        favicon=FAVICON,
        reload=False,
        show=False,
        show_welcome_message=False,
        **_certified(tls),
    )


def _say_where(guard: Guard, host: str, port: int, tls: Tls | None) -> None:
    """On the terminal, for the one who sits there: a log is read by others too."""
    scheme = "https" if tls else "http"
    address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    link = address if guard.asks_for_password else guard.link(address)
    print(f"dashboard: {link}", flush=True)  # noqa: T201 - the result of the command
    if guard.asks_for_password and not tls and not is_loopback(host):
        _log.warning("monitor.plain_http", host=host, remedy="Give --certificate.")


def _certified(tls: Tls | None) -> dict[str, Any]:
    return {"ssl_certfile": str(tls.certificate), "ssl_keyfile": str(tls.key)} if tls else {}


def _require_session(guard: Guard, request: Request) -> None:
    """A page outlives the session that opened it; what it may do does not."""
    if not guard.may_control(request):
        raise ConfigurationError("the login has ended", where="the dashboard", remedy="Log in again.")


def _require_free(host: str, port: int) -> None:
    """The web server's own complaint would come late and without a remedy.

    Raises
    ------
    WireError
        The page cannot be served there.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise WireError(
                f"the page cannot be served: {error.strerror or error}",
                where=f"{host}:{port}",
                remedy="Give another --port, or a --host that this machine has.",
            ) from error


def _acknowledge(client: Client, alarm: str, by: str) -> None:
    with client:
        client.acknowledge(alarm, by)
