"""Who asks: the way back to a peer of the request socket, and the connection that it asked over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import zmq

from daemon.flood_guard import source
from daemon.operating_system import hang_up, peer_of


@dataclass(frozen=True, slots=True)
class Caller:
    """``route`` begins with the peer's address within ZeroMQ; ``connection`` is None where nobody tells."""

    route: tuple[bytes, ...]
    connection: tuple[int, str] | None

    @property
    def peer(self) -> bytes:
        """One per connection."""
        return self.route[0]

    @property
    def has_gone(self) -> bool:
        """Whether nobody would hear an answer, as far as can be told."""
        return self.connection is not None and peer_of(self.connection[0]) != self.connection[1]

    def hang_up(self) -> None:
        """End the connection, if it is known and still there."""
        if self.connection is not None:
            hang_up(*self.connection)


def caller_of(frames: Sequence[zmq.Frame]) -> Caller:
    """Of a whole request as it came from the socket: addresses first, the request last."""
    descriptor = source(frames[-1])
    address = peer_of(descriptor) if descriptor is not None else None
    known = None if descriptor is None or address is None else (descriptor, address)
    return Caller(tuple(frame.bytes for frame in frames[:-1]), known)
