"""The web server of the dashboard: one feed for all browsers, the page, and the pictures."""

from __future__ import annotations

import socket

from fastapi import Response
from nicegui import app, run, ui

from daemon.client import Client
from daemon.endpoints import is_loopback
from daemon.errors import WireError
from daemon.monitor.feed import Feed
from daemon.monitor.page import Page
from daemon.monitor.pictures import PictureStore

CATCH_UP_S = 0.1
FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" '
    'fill="#151c24"/><path d="M6 11l10-5 10 5-10 5zM6 16l10 5 10-5M6 21l10 5 10-5" fill="none" '
    'stroke="#E69F00" stroke-width="2.4"/></svg>'
)


def run_monitor(events: str, control: str, host: str, port: int) -> None:
    """Serve the dashboard of the daemon at these endpoints until interrupted.

    On a host that other machines can reach the page is for reading only: it has no login.
    """
    _require_free(host, port)
    Client(events, control).close()
    feed, pictures = Feed(events, control), PictureStore()
    may_control = is_loopback(host)

    async def acknowledge(alarm: str, by: str) -> None:
        await run.io_bound(_acknowledge, events, control, alarm, by)

    def catch_up() -> None:
        feed.catch_up()
        pictures.show(feed.view.preview, feed.view.preview_seq)

    @ui.page("/", title="slicewatch")
    def index() -> None:
        Page(feed, acknowledge if may_control else None)

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
    )


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


def _acknowledge(events: str, control: str, alarm: str, by: str) -> None:
    with Client(events, control) as client:
        client.acknowledge(alarm, by)
