"""Who sent a request, and whether it may: decided by the key that the peer has proven to hold.

Without keys the sockets are on this machine only and whoever is on it may do everything. With keys the name
and the role come from the allow-list as it is now, so a revoked key loses its rights with its next request.
"""

from __future__ import annotations

from dataclasses import dataclass

import zmq

from daemon.errors import WireError
from daemon.keys import AllowList, DaemonKeys, Role
from daemon.requests import AnyRequest, Command


@dataclass(frozen=True, slots=True)
class Peer:
    """The holder of a key; ``name`` is empty where no keys are asked for."""

    name: str
    role: Role


class ForbiddenError(WireError):
    """The peer's key does not allow what it asks for."""


class Access:
    """Names peers by the allow-list; for one thread."""

    def __init__(self, keys: DaemonKeys | None) -> None:
        self._allowed = AllowList(keys.folder) if keys else None

    def sender(self, frame: zmq.Frame) -> Peer:
        """Whose connection a received frame came over.

        Raises
        ------
        ForbiddenError
            Its key has been revoked.
        """
        if self._allowed is None:
            return Peer("", Role.CONTROL)
        key = self._allowed.find(_proven_key(frame))
        if key is None:
            raise _forbidden("this key is not allowed any more", "Ask for a new one: 'slicewatch keys make'.")
        return Peer(key.name, key.role)


def require_right(peer: Peer, request: AnyRequest) -> None:
    """Refuse a command by the holder of a key that is for reading only.

    Raises
    ------
    ForbiddenError
        It may not.
    """
    if isinstance(request, Command) and peer.role is not Role.CONTROL:
        raise _forbidden(
            f"the key {peer.name!r} is for reading only",
            "Use a key made with 'slicewatch keys make --control'.",
        )


def _proven_key(frame: zmq.Frame) -> str:
    """The Z85 public key that the authenticator vouched for; empty if nobody did."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""


def _forbidden(what: str, remedy: str) -> ForbiddenError:
    return ForbiddenError(what, where="control", remedy=remedy)
