"""A thread that answers questions one after another, so that who asks holds up nobody but those who ask too.

Sockets of ZeroMQ are used by one thread only, so answers go back to the one that owns the socket: it is woken
by a bell, and hands out the next question.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

from daemon.question_queue import Question, QuestionQueue
from daemon.requests import AnyRequest
from daemon.wire import Multipart

_LEAVES_WITHIN_S: Final = 2.0
"""A question over a disk that hangs holds up the end for no longer."""


class Bell:
    """Wakes a thread that waits for sockets; rung by any other."""

    def __init__(self) -> None:
        self._far_end, self._near_end = socket.socketpair()
        self._far_end.setblocking(False)
        self._near_end.setblocking(False)

    def fileno(self) -> int:
        """What to wait for."""
        return self._near_end.fileno()

    def ring(self) -> None:
        """Wake; a bell that rings already goes on ringing, and one that is taken down is silent."""
        with suppress(OSError):
            self._far_end.send(b"!")

    def hush(self) -> None:
        """It has been heard."""
        with suppress(OSError):
            self._near_end.recv(4096)

    def close(self) -> None:
        """Take it down."""
        self._far_end.close()
        self._near_end.close()


class Clerk:
    """One question at a time; all methods are for the thread that owns the socket."""

    def __init__(self, name: str, answer: Callable[[AnyRequest], Multipart], bell: Bell) -> None:
        self.waiting = QuestionQueue()
        self._answer = answer
        self._bell = bell
        self._in_hand: Question | None = None
        self._given: SimpleQueue[AnyRequest | None] = SimpleQueue()
        self._answers: SimpleQueue[Multipart] = SimpleQueue()
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether no question is in hand."""
        return self._in_hand is None

    def give(self, question: Question) -> None:
        """Let an idle clerk answer this."""
        self._in_hand = question
        self._given.put(question.request)

    def answered(self) -> tuple[Question, Multipart] | None:
        """The question in hand and its answer, once there is one; the clerk is idle then."""
        try:
            answer = self._answers.get_nowait()
        except Empty:
            return None
        question, self._in_hand = self._in_hand, None
        return None if question is None else (question, answer)

    def close(self) -> None:
        """Let the thread go, after the question in hand; one that hangs is left behind."""
        self._given.put(None)
        self._thread.join(_LEAVES_WITHIN_S)

    def _work(self) -> None:
        while (request := self._given.get()) is not None:
            self._answers.put(self._answer(request))
            self._bell.ring()
