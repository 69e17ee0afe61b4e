"""The gate before the dashboard: every HTTP request and WebSocket passes it, and it has the login page.

An ASGI middleware, because a page is alive over its WebSocket and that must be closed to strangers too.
Requests of other sites are turned away by their ``Origin``; where no password is asked for, so are requests
to a foreign ``Host``: a site whose name is made to point at 127.0.0.1 must not read the dashboard.
"""

from __future__ import annotations

import asyncio
from html import escape
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.endpoints import is_loopback
from daemon.monitor.login import SESSION_S, Guard, cookie
from daemon.passwords import LONGEST

_LONGEST_FORM: Final = 16 * LONGEST
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>slicewatch: log in</title>
<style>
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #10161d; color: #e6edf3;
  font: 16px/1.5 system-ui, sans-serif }
form { display: grid; gap: .75rem; width: min(20rem, 86vw); padding: 2rem; border-radius: 8px;
  background: #18212b }
h1 { margin: 0; font-size: 1.25rem } p { margin: 0 } [role=alert] { color: #ffb454; min-height: 1.5em }
input, button { font: inherit; padding: .5rem .75rem; border-radius: 4px; border: 1px solid #6b7a89 }
input { background: #10161d; color: inherit } button { background: #e69f00; color: #10161d; border: 0 }
:focus-visible { outline: 2px solid #56b4e9; outline-offset: 2px }
</style></head><body><main><form method="post" action="login">
<h1>slicewatch</h1><label for="password">Password of the dashboard</label>
<input id="password" name="password" type="password" autocomplete="current-password" autofocus required>
<button type="submit">Log in</button><p role="alert">%s</p></form></main></body></html>"""


class Gate:
    """Lets through what the guard allows; ``/login`` and ``/logout`` are its own."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard
        self._guessing = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        refusal = self._refusal(connection)
        if refusal is None and scope["type"] == "http" and connection.url.path in ("/login", "/logout"):
            refusal = await self._door(Request(scope, receive))
        if refusal is None and self._guard.may_read(connection):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4401})
        else:
            await (refusal or _to_login(connection))(scope, receive, send)

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        """Why a request is not even looked at."""
        host = connection.headers.get("host", "")
        is_rebound = not self._guard.asks_for_password and not is_loopback(_name(host))
        if is_rebound or _is_foreign(connection, host):
            return PlainTextResponse("not from there", HTTPStatus.FORBIDDEN, _HEADERS)
        return None

    async def _door(self, request: Request) -> Response:
        """Log in, log out, or the page that asks."""
        match (request.url.path, request.method):
            case ("/logout", "POST"):
                self._guard.end_session(request)
                return _gone_out(request)
            case ("/login", "POST") if self._guard.asks_for_password:
                return await self._guessed(request)
            case ("/login", "GET") if self._guard.is_link(request.query_params.get("link", "")):
                return self._welcome(request)
            case ("/login", "GET") if self._guard.asks_for_password:
                return _asking("")
            case ("/login", "GET"):
                return PlainTextResponse(
                    "This is not the link that the monitor has printed.", HTTPStatus.FORBIDDEN, _HEADERS
                )
            case _:
                return PlainTextResponse("no such way", HTTPStatus.METHOD_NOT_ALLOWED, _HEADERS)

    async def _guessed(self, request: Request) -> Response:
        """One guess at a time, each counted before it is looked at: many at once gain nothing."""
        password = await _password(request)  # before the lock: a peer that sends it slowly holds up itself
        async with self._guessing:
            wait_s = self._guard.wait_s(request)
            if wait_s > 0:
                return _asking(
                    f"Too many wrong passwords: wait {wait_s:.0f} s.", HTTPStatus.TOO_MANY_REQUESTS
                )
            self._guard.guesses(request)
            if password is None or not await asyncio.to_thread(self._guard.fits, password):
                return _asking("This is not the password.", HTTPStatus.UNAUTHORIZED)
            self._guard.knew(request)
        return self._welcome(request)

    def _welcome(self, request: Request) -> Response:
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER, _HEADERS)
        response.set_cookie(
            cookie(request),
            self._guard.open_session(),
            max_age=int(SESSION_S),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response


async def _password(request: Request) -> str | None:
    """The password of the form; None if it is no form or far too long."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_FORM:
            return None
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=4, errors="strict")
    except ValueError:
        return None
    return fields.get("password", [None])[0]


def _to_login(connection: HTTPConnection) -> Response:
    if connection.scope.get("method") == "GET" and "text/html" in connection.headers.get("accept", ""):
        return RedirectResponse("/login", HTTPStatus.SEE_OTHER, _HEADERS)
    return PlainTextResponse("log in first", HTTPStatus.UNAUTHORIZED, _HEADERS)


def _asking(why: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return HTMLResponse(_PAGE.replace("%s", escape(why)), status, _HEADERS)


def _gone_out(request: Request) -> Response:
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER, _HEADERS)
    response.delete_cookie(cookie(request), httponly=True, samesite="strict")
    return response


def _is_foreign(connection: HTTPConnection, host: str) -> bool:
    """Whether another site asks; a link on its page that somebody follows is no question of that site."""
    named = connection.headers
    origin, site = named.get("origin", ""), named.get("sec-fetch-site", "none")
    if origin and origin.partition("://")[2] != host:
        return True
    is_followed_link = (
        connection.scope.get("method") == "GET"
        and named.get("sec-fetch-mode") == "navigate"
        and named.get("sec-fetch-dest") == "document"
    )
    return site not in ("none", "same-origin") and not is_followed_link


def _name(host: str) -> str:
    """The name in a ``Host`` header, its port and brackets taken off; empty if it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
