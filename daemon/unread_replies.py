"""How much memory replies may hold that peers have asked for and do not read.

libzmq limits how many replies wait for a peer, not how large they are nor how many peers there are. So what
is not read yet is counted in bytes, for all peers together: above ``SHARED_BYTES`` a peer of which
``FEW_REPLIES`` still wait gets no other one, and above ``MOST_BYTES`` nobody does, until replies are read or
the heartbeat hangs up on those who do not. A peer that reads before it asks again is answered all the while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import zmq

from daemon.wire import Multipart

SHARED_BYTES: Final = 16 * 2**20
COUNTED_FROM_BYTES: Final = 4096
"""Smaller replies are copied and not counted: of those, as many as may wait are 64 KiB a peer."""
FEW_REPLIES: Final = 4
"""It takes moments until a reply that was read counts as read: who asks again at once must be answered."""
MOST_BYTES: Final = 160 * 2**20
"""Two of the largest replies and a margin: one that waits must not keep the next asker from its own."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    peer: bytes
    size: int
    tracker: zmq.MessageTracker


class UnreadReplies:
    """Sends the replies of one socket, which is used by one thread only."""

    def __init__(self, socket: zmq.Socket[Any]) -> None:
        self._socket = socket
        self._socket.copy_threshold = COUNTED_FROM_BYTES
        self._waiting: list[_Waiting] = []

    def has_room(self, peer: bytes, reply: Multipart) -> bool:
        """Whether the peer may be sent this reply now."""
        self._waiting = [one for one in self._waiting if not one.tracker.done]
        held = sum(one.size for one in self._waiting) + _size(reply)
        reads = sum(one.peer == peer for one in self._waiting) < FEW_REPLIES
        return held <= (MOST_BYTES if reads else SHARED_BYTES)

    def send(self, route: Sequence[bytes], reply: Multipart) -> None:
        """Send to the peer at the beginning of ``route``; it is lost if that is gone or has a full queue."""
        tracker = self._socket.send_multipart((*route, *reply), copy=False, track=True)
        if isinstance(tracker, zmq.MessageTracker) and not tracker.done:
            self._waiting.append(_Waiting(route[0], _size(reply), tracker))


def _size(reply: Multipart) -> int:
    return sum(len(part) for part in reply)
