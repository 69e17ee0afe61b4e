"""The gate before the dashboard, asked as a server asks it: what passes and what is turned away."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from daemon.monitor.gate import Gate
from daemon.monitor.login import Guard
from daemon.passwords import hash_password

PASSWORD = "correct horse battery"  # noqa: S105 - a test's own


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """What is behind the gate."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the dashboard"})


def ask(
    guard: Guard,
    path: str = "/",
    *,
    kind: str = "http",
    method: str = "GET",
    scheme: str = "http",
    body: bytes = b"",
    query: str = "",
    **headers: str,
) -> list[Message]:
    """Everything that a request is answered with."""
    answered: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        answered.append(message)

    named = {"host": "localhost:8050", **headers}
    scope: dict[str, Any] = {"type": kind, "method": method, "scheme": scheme, "path": path}
    scope |= {"query_string": query.encode(), "server": ("127.0.0.1", 8050), "client": ("127.0.0.1", 1)}
    scope |= {"root_path": "", "headers": [(n.encode(), v.encode("latin-1")) for n, v in named.items()]}
    asyncio.run(Gate(page, guard)(scope, receive, send))
    return answered


def headers_of(message: Mapping[str, Any]) -> dict[str, str]:
    """Of an answer's start."""
    return {name.decode(): value.decode() for name, value in message["headers"]}


@pytest.mark.parametrize("host", ["localhost:8050", "127.0.0.1:8050", "[::1]:8050", "LOCALHOST"])
def test_this_machine_reads_without_a_login(host: str) -> None:
    """Under any of its names."""
    assert ask(Guard(None), host=host)[0]["status"] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8050", ""]
)
def test_a_name_that_was_made_to_point_here_does_not(host: str) -> None:
    """DNS rebinding: the browser asks this machine under a foreign name, and gets nothing."""
    guard = Guard(None)
    assert ask(guard, host=host)[0]["status"] == 403
    assert ask(guard, kind="websocket", host=host) == [{"type": "websocket.close", "code": 4401}]


FOREIGN: list[dict[str, Any]] = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://["},
    {"origin": "http://localhost:3000"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
]
OWN: list[dict[str, Any]] = [
    {"origin": "http://localhost:8050"},
    {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
    {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
]


@pytest.mark.parametrize("named", FOREIGN)
@pytest.mark.parametrize("path", ["/m/0/face/1/labels", "/_nicegui_ws/socket.io/", "/login"])
def test_a_page_of_another_site_asks_for_nothing(path: str, named: dict[str, Any]) -> None:
    """Neither pictures nor the feed: its questions would stand before the operator's."""
    assert ask(Guard(None), path, **named)[0]["status"] == 403


@pytest.mark.parametrize("named", OWN)
def test_the_dashboard_s_own_pages_and_a_link_to_it_are_answered(named: dict[str, Any]) -> None:
    """A link in a chat or a wiki is followed by a person."""
    assert ask(Guard(None), **named)[0]["status"] == 200


@pytest.mark.parametrize("host", ["[::1", "[", "]:1", "127.0.0.1:x[", "\xff"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    """Without a trace of an error."""
    assert ask(Guard(None), host=host)[0]["status"] == 403


def test_another_site_opens_no_socket_and_changes_nothing() -> None:
    """Requests that carry another site's origin are turned away."""
    guard = Guard(hash_password(PASSWORD))
    assert ask(guard, kind="websocket", origin="http://evil.example")[0]["type"] == "websocket.close"
    form = b"password=" + PASSWORD.replace(" ", "+").encode()
    assert ask(guard, "/login", method="POST", body=form, origin="http://evil.example")[0]["status"] == 403
    assert ask(guard, "/login", method="POST", body=form, origin="http://localhost:8050")[0]["status"] == 303


def test_the_link_of_the_terminal_opens_a_session_and_nothing_like_it_does() -> None:
    """Only the printed one; its cookie then commands."""
    guard = Guard(None)
    link = guard.link("").partition("?")[2]
    (start, *_) = ask(guard, "/login", query=link)
    assert start["status"] == 303
    assert "set-cookie" in headers_of(start)
    for wrong in ("", "link=", link[:-1], link + "x"):
        assert ask(guard, "/login", query=wrong)[0]["status"] == 403


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_cookie_is_for_this_site_and_not_for_scripts(scheme: str) -> None:
    """Over HTTPS it never travels over HTTP."""
    guard = Guard(None)
    link = guard.link("").partition("?")[2]
    flags = headers_of(ask(guard, "/login", query=link, scheme=scheme)[0])["set-cookie"].lower().split("; ")
    assert {"httponly", "samesite=strict", "path=/"} <= set(flags)
    assert ("secure" in flags) == (scheme == "https")


def test_the_login_page_runs_no_script_and_is_framed_by_nobody() -> None:
    """Its policy says so, and it is not kept in a cache."""
    start, body = ask(Guard(hash_password(PASSWORD)), "/login")
    named = headers_of(start)
    assert "default-src 'none'" in named["content-security-policy"]
    assert "frame-ancestors 'none'" in named["content-security-policy"]
    assert named["cache-control"] == "no-store"
    assert b"<script" not in body["body"]
