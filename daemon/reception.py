"""Who asks is sent to a clerk and gets the answer back, in turn and as far as there is room for it.

One clerk tells figures, one reads blocks: a disk that hangs under the volume holds up no snapshot. Whether
there is room is looked at before the work. Everything here is for the one thread that owns the socket.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import zmq

from daemon.caller import Caller
from daemon.clerk import Bell, Clerk
from daemon.errors import WireError
from daemon.question_queue import Question
from daemon.requests import AnyRequest, ReadFace, ReadPlanes, refused
from daemon.unread_replies import BLOCKS_UNTIL_BYTES, FIGURES_UNTIL_BYTES, UnreadReplies
from daemon.wire import Multipart

WAITS_AT_MOST_S: Final = 30.0


class Reception:
    """Questions to one socket and their answers; ``bell`` rings when there is one to be sent."""

    def __init__(
        self,
        socket: zmq.Socket[Any],
        answer: Callable[[AnyRequest], Multipart],
        bell: Bell,
        unread_within_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._replies = UnreadReplies(socket, unread_within_s, clock)
        self._figures = Clerk("figures", answer, bell)
        self._blocks = Clerk("blocks", answer, bell)
        self._room = ((self._figures, FIGURES_UNTIL_BYTES), (self._blocks, BLOCKS_UNTIL_BYTES))

    @property
    def is_busy(self) -> bool:
        """Whether a question is in hand or waits."""
        return any(not clerk.is_idle or clerk.waiting for clerk, _ in self._room)

    @property
    def is_held_up(self) -> bool:
        """Whether a clerk has nothing in hand while questions wait for their askers to read."""
        return any(clerk.is_idle and clerk.waiting for clerk, _ in self._room)

    def reply(self, caller: Caller, reply: Multipart) -> None:
        """Send a small reply, whatever else waits to be read."""
        self._replies.send(caller, reply)

    def ask(self, caller: Caller, request: AnyRequest) -> None:
        """Take a question; it is answered, or refused, by and by."""
        clerk = self._blocks if isinstance(request, ReadPlanes | ReadFace) else self._figures
        left_over = clerk.waiting.put(Question(caller, request, self._clock()))
        if left_over is not None:
            self._refuse(left_over, _too_many())

    def turn(self) -> None:
        """Send what is answered and hand out what waits."""
        for clerk, until_bytes in self._room:
            done = clerk.answered()
            if done is not None:
                question, answer = done
                self._replies.send(question.caller, answer)
            for question in clerk.waiting.take_older(self._clock() - WAITS_AT_MOST_S):
                self._refuse(question, _waited())
            if clerk.is_idle:
                self._hand_out(clerk, until_bytes)
        self._replies.end_overdue()

    def close(self) -> None:
        """Let the clerks go."""
        for clerk, _ in self._room:
            clerk.close()

    def _hand_out(self, clerk: Clerk, until_bytes: int) -> None:
        while (question := clerk.waiting.take(self._replies.entitled())) is not None:
            if question.caller.has_gone:
                continue
            if self._replies.have_room(until_bytes):
                clerk.give(question)
                return
            self._refuse(question, _unread())

    def _refuse(self, question: Question, error: WireError) -> None:
        self._replies.send(question.caller, refused(question.request, error))


def _unread() -> WireError:
    return WireError(
        "too many replies wait to be read",
        where="control",
        remedy="Ask again: those that nobody reads are let go after half a minute at most.",
    )


def _too_many() -> WireError:
    return WireError(
        "too many questions wait", where="control", remedy="Wait for an answer before asking again."
    )


def _waited() -> WireError:
    return WireError(
        f"the question has waited for {WAITS_AT_MOST_S:g} s",
        where="control",
        remedy="Read the replies to earlier ones; see whether the disk under the volume or the images hangs.",
    )
