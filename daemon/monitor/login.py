"""Who may use the dashboard: a password, sessions in cookies, and a brake on guessing.

How the pages use it::

    guard = Guard(password)                       # daemon.passwords.read_password(path), or None
    app.add_middleware(Gate, guard=guard)         # daemon.monitor.gate: HTTP and WebSocket both pass it

    @ui.page("/")
    def index(request: Request) -> None:
        Page(feed, acknowledge if guard.may_control(request) else None)

With a password nothing is shown without a login. Without one the dashboard is served on this machine only
(``require_login``) and is for reading; whoever sees the terminal logs in by the link that is printed there
(``guard.link``) and may then also command. A page holds on to its request, so what it does at a click should
ask ``guard.may_control(request)`` again: a session that has ended since then is found out.
Sessions live in this process: a restart of the monitor ends them all.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from starlette.requests import HTTPConnection

from daemon.endpoints import is_loopback
from daemon.errors import ConfigurationError
from daemon.passwords import PasswordHash

SESSION_S: Final = 12 * 3600.0
FREE_FAILURES: Final = 5
LONGEST_WAIT_S: Final = 300.0
FREE_FAILURES_OF_ALL: Final = 20
LONGEST_WAIT_OF_ALL_S: Final = 30.0
"""Shorter, because strangers can make everybody wait who has no session."""
_SESSIONS: Final = 1000
_ADDRESSES: Final = 1000

Clock = Callable[[], float]


def require_login(host: str, password: PasswordHash | None) -> None:
    """Refuse to serve other machines without a password.

    Raises
    ------
    ConfigurationError
        ``host`` can be reached from other machines and there is no password.
    """
    if password is None and not is_loopback(host):
        raise ConfigurationError(
            f"the dashboard on {host!r} could be seen by anyone who reaches this machine",
            where="--host",
            remedy="Set a password ('slicewatch keys password FILE') and give it with --password, or use "
            "127.0.0.1 and an SSH tunnel.",
        )


class Guard:
    """Knows the password and the sessions; for one thread (the server's loop). ``clock``: monotonic, s."""

    def __init__(self, password: PasswordHash | None, clock: Clock = time.monotonic) -> None:
        self._brake = Brake(clock)
        self._brake_of_all = Brake(clock, FREE_FAILURES_OF_ALL, LONGEST_WAIT_OF_ALL_S)
        self._password = password
        self._clock = clock
        self._link = secrets.token_urlsafe(32)
        self._sessions: OrderedDict[str, float] = OrderedDict()

    @property
    def asks_for_password(self) -> bool:
        """Whether nothing is shown without a login."""
        return self._password is not None

    def link(self, address: str) -> str:
        """Where the person at the terminal logs in, at an address like ``http://127.0.0.1:8050``."""
        return f"{address}/login?link={self._link}"

    def fits(self, password: str) -> bool:
        """Whether this is the password; takes 0.1 s of a core, so it belongs on a thread."""
        return self._password is not None and self._password.fits(password)

    def wait_s(self, connection: HTTPConnection) -> float:
        """How long this browser must wait before it may guess the password; 0: not at all."""
        return max(brake.wait_s(name) for brake, name in self._brakes(connection))

    def guesses(self, connection: HTTPConnection) -> None:
        """It tries a password; counted as wrong until it ``knew``, so that many at once gain nothing."""
        for brake, name in self._brakes(connection):
            brake.failed(name)

    def knew(self, connection: HTTPConnection) -> None:
        """It was the password."""
        for brake, name in self._brakes(connection):
            brake.succeeded(name)

    def _brakes(self, connection: HTTPConnection) -> list[tuple[Brake, str]]:
        """One for its address, and one for all addresses together, as one person may have many.

        A browser that is logged in is held up by its own address alone: strangers cannot lock it out.
        """
        own = (self._brake, connection.client.host if connection.client else "")
        return [own] if self.may_control(connection) else [own, (self._brake_of_all, "")]

    def is_link(self, given: str) -> bool:
        """Whether this is the link of the terminal; where there is a password, there is no such link."""
        fits = hmac.compare_digest(given.encode("utf-8", "replace"), self._link.encode("ascii"))
        return fits and self._password is None

    def open_session(self) -> str:
        """A new session's token, for the cookie; the oldest of a thousand makes way."""
        token = secrets.token_urlsafe(32)
        self._sessions[_digest(token)] = self._clock() + SESSION_S
        if len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)
        return token

    def end_session(self, connection: HTTPConnection) -> None:
        """Log out."""
        self._sessions.pop(_digest(connection.cookies.get(cookie(connection), "")), None)

    def may_control(self, connection: HTTPConnection) -> bool:
        """Whether this browser is logged in."""
        ends = self._sessions.get(_digest(connection.cookies.get(cookie(connection), "")))
        return ends is not None and self._clock() < ends

    def may_read(self, connection: HTTPConnection) -> bool:
        """Whether this browser may look."""
        return self._password is None or self.may_control(connection)


class Brake:
    """After some wrong guesses (five) an address waits 2 s, then 4 s, … up to the longest (five minutes)."""

    def __init__(
        self, clock: Clock, free_failures: int = FREE_FAILURES, longest_wait_s: float = LONGEST_WAIT_S
    ) -> None:
        self._clock = clock
        self._free = free_failures
        self._longest_wait_s = longest_wait_s
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """How long this address must wait before it may guess; 0: not at all."""
        return max(0.0, self._failures.get(address, (0, 0.0))[1] - self._clock())

    def failed(self, address: str) -> None:
        """It guessed wrong, or has begun to guess: counted first, taken back by ``succeeded``."""
        count = self._failures.pop(address, (0, 0.0))[0] + 1
        wait_s = min(2.0 ** min(count - self._free, 30), self._longest_wait_s) if count > self._free else 0.0
        self._failures[address] = (count, self._clock() + wait_s)
        if len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """It knew the password."""
        self._failures.pop(address, None)


def cookie(connection: HTTPConnection) -> str:
    """The cookie's name: browsers share cookies between ports, and two dashboards may run on a machine."""
    server = connection.scope.get("server")
    return f"slicewatch_session_{server[1] if server else 0}"


def _digest(token: str) -> str:
    """Sessions are found by a digest, so that the time of a look-up tells nothing about a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
