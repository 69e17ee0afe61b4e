"""How much memory replies may hold that peers have asked for and do not read, and for how long.

libzmq limits how many replies wait for a peer, not how large they are nor how many peers there are. So what
is not read yet is counted in bytes, and looked at before a question is answered. A peer has its share: one
reply that it has not read, or ``FEW_REPLIES`` while all peers together hold less than ``SHARED_BYTES``; its
next question waits until then. Blocks are refused while ``BLOCKS_UNTIL_BYTES`` are held, what only tells
figures while ``FIGURES_UNTIL_BYTES`` are, which blocks alone never come to. Small replies are not counted and
not refused: what is done is always told.

Who leaves a reply unread for long is hung up on, whatever it sends meanwhile, and sooner where others wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import zmq

from daemon.caller import Caller
from daemon.wire import Multipart

COUNTED_FROM_BYTES: Final = 4096
"""Smaller replies are copied and not counted: of those, as many as may wait are 64 KiB a peer."""
FEW_REPLIES: Final = 4
"""It takes moments until a reply that was read counts as read."""
SHARED_BYTES: Final = 16 * 2**20
BLOCKS_UNTIL_BYTES: Final = 96 * 2**20
"""And one of the largest replies, 64 MiB: one that waits must not keep the next asker from its own."""
FIGURES_UNTIL_BYTES: Final = 192 * 2**20
UNREAD_WHERE_OTHERS_WAIT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    caller: Caller
    size: int
    sent_s: float
    tracker: zmq.MessageTracker


class UnreadReplies:
    """Sends the replies of one socket, which is used by one thread only; ``clock`` is monotonic, s.

    Who has not read a reply within ``unread_within_s`` is hung up on.
    """

    def __init__(self, socket: zmq.Socket[Any], unread_within_s: float, clock: Callable[[], float]) -> None:
        self._unread_within_s = unread_within_s
        self._socket = socket
        self._socket.copy_threshold = COUNTED_FROM_BYTES
        self._clock = clock
        self._waiting: list[_Waiting] = []

    def entitled(self) -> Callable[[Caller], bool]:
        """Tells of a peer whether it has read enough of what it was sent to be sent more now."""
        unread = Counter(one.caller.peer for one in self._still_waiting())
        share = FEW_REPLIES if self._held() < SHARED_BYTES else 1
        return lambda caller: unread[caller.peer] < share

    def have_room(self, until_bytes: int) -> bool:
        """Whether less is held; if not, whoever has held for longest is hung up on if that is long."""
        self._still_waiting()
        if self._held() < until_bytes:
            return True
        self._end_older(self._waiting[:1], UNREAD_WHERE_OTHERS_WAIT_S)
        return False

    def send(self, caller: Caller, reply: Multipart) -> None:
        """Send a reply; it is lost if the peer is gone or has a full queue."""
        tracker = self._socket.send_multipart((*caller.route, *reply), copy=False, track=True)
        if isinstance(tracker, zmq.MessageTracker) and not tracker.done:
            size = sum(len(part) for part in reply)
            self._waiting.append(_Waiting(caller, size, self._clock(), tracker))

    def end_overdue(self) -> None:
        """Hang up on who has not read for long."""
        self._end_older(self._still_waiting(), self._unread_within_s)

    def _still_waiting(self) -> list[_Waiting]:
        """What is not read yet, oldest first."""
        self._waiting = [one for one in self._waiting if not one.tracker.done]
        return self._waiting

    def _held(self) -> int:
        return sum(one.size for one in self._waiting)

    def _end_older(self, waiting: list[_Waiting], than_s: float) -> None:
        for one in waiting:
            if self._clock() - one.sent_s > than_s:
                one.caller.hang_up()
