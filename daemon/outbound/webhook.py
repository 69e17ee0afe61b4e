"""One JSON object to a web hook: HTTPS (plain HTTP only to this machine), no redirections, a short answer.

The address of a web hook is its password: it is read from a file or the environment, and stands in no error.
A proxy that the environment names (``https_proxy``) is used, through a tunnel that it cannot look into, and
never on the way to this machine itself.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import urlsplit

from daemon.config import WebhookTarget
from daemon.endpoints import is_loopback
from daemon.errors import ConfigurationError, DeliveryError
from daemon.outbound.deadline import Deadline
from daemon.outbound.secret import read_secret

_LONGEST_ANSWER: Final = 64 * 1024


def post(target: WebhookTarget, body: dict[str, Any]) -> str:
    """Send ``body``; the text that was answered. All of it takes no longer than the target's ``timeout_s``.

    Raises
    ------
    DeliveryError
        The receiver is away, refuses (any status but 2xx), redirects, speaks no HTTP, or takes too long.
    ConfigurationError
        The address cannot be read, or is no address that may be used.
    """
    url = check_address(target)
    request = urllib.request.Request(  # noqa: S310 (the scheme has been checked)
        url,
        data=json.dumps(body, ensure_ascii=False).encode(errors="replace"),
        headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "slicewatch"},
        method="POST",
    )
    with Deadline(target.timeout_s) as deadline:
        try:
            with _opener(target, url, deadline).open(request, timeout=target.timeout_s) as answer:
                said = answer.read(_LONGEST_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                raise _undelivered(target, f"status {error.code}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _undelivered(target, _late(deadline) or _reason(error)) from None
        if deadline.is_over:  # what was cut off looks like an answer that has ended
            raise _undelivered(target, _late(deadline))
    return said.decode(errors="replace")


def _late(deadline: Deadline) -> str:
    return f"no whole answer within {deadline.limit_s:g} s" if deadline.is_over else ""


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    """What we have to say is meant for one receiver."""

    def redirect_request(self, *_args: object, **_named: object) -> None:
        """Make of a redirection what it is to us: a refusal."""
        return


def _opener(target: WebhookTarget, url: str, deadline: Deadline) -> urllib.request.OpenerDirector:
    """Opens connections that the deadline holds, from before the first word of a proxy or the receiver on."""
    context = ssl.create_default_context(cafile=str(target.ca_file) if target.ca_file else None)

    def held(address: tuple[str, int], *options: Any) -> socket.socket:
        connection = socket.create_connection(address, *options)
        try:
            deadline.hold(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    class Plain(http.client.HTTPConnection):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self._create_connection = held  # connect() asks the proxy for a tunnel before it returns

    class Sealed(http.client.HTTPSConnection, Plain):
        pass

    class HttpHandler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, req)

    class HttpsHandler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Sealed, req, context=context)

    handlers: list[urllib.request.BaseHandler] = [_NoRedirection(), HttpHandler(), HttpsHandler()]
    if is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))  # it would get the address in the clear
    return urllib.request.build_opener(*handlers)


def check_address(target: WebhookTarget) -> str:
    """The address, checked: a file:// would read our disk, plain HTTP would show the token to everybody.

    Raises
    ------
    ConfigurationError
        The address cannot be read, or is no address that may be used.
    """
    where = f"web hook {target.name!r}: url_file"
    url = read_secret(target.url_file, target.url_env, where=where)
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        raise ConfigurationError(
            "a web hook's address begins with https:// (http:// only to this machine)",
            where=where,
            remedy="Put the whole address into the file, on one line.",
        )
    return url


def _undelivered(target: WebhookTarget, reason: str) -> DeliveryError:
    return DeliveryError(
        f"the receiver did not take it: {reason}",
        where=f"web hook {target.name!r}",
        remedy="Check the address in its file, and whether this machine can reach it.",
    )


def _reason(error: BaseException) -> str:
    """Why, without the address: some errors quote what they were given."""
    inner = getattr(error, "reason", error)
    if isinstance(inner, OSError):
        return inner.strerror or type(inner).__name__
    return type(error).__name__
