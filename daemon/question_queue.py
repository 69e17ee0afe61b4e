"""Questions that wait for an answer: a bounded number for each peer, whose turns come round."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from daemon.caller import Caller
from daemon.requests import AnyRequest

WAITING_EACH: Final = 16
WAITING: Final = 1024


@dataclass(frozen=True, slots=True)
class Question:
    """A request for something, who wants it, and when it came, s."""

    caller: Caller
    request: AnyRequest
    came_s: float


class QuestionQueue:
    """Peers in turn, each of which has its own questions in order; for one thread."""

    def __init__(self) -> None:
        self._of_peers: OrderedDict[bytes, deque[Question]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, question: Question) -> Question | None:
        """Add a question; the one that has no place, this or the newest of who has most, None if all have."""
        own = self._of_peers.get(question.caller.peer)
        if own is not None and len(own) >= WAITING_EACH:
            return question
        self._of_peers.setdefault(question.caller.peer, deque()).append(question)
        self._count += 1
        if self._count <= WAITING:
            return None
        greediest = max(self._of_peers, key=lambda peer: len(self._of_peers[peer]))
        return self._remove(greediest, deque.pop)

    def take(self, may_have: Callable[[Caller], bool]) -> Question | None:
        """The next question of the peer whose turn it is, of those that may have an answer; None if none."""
        for peer, own in self._of_peers.items():
            if may_have(own[0].caller):
                self._of_peers.move_to_end(peer)
                return self._remove(peer, deque.popleft)
        return None

    def take_older(self, than_s: float) -> list[Question]:
        """All questions that came before ``than_s``, which wait no longer."""
        taken = list[Question]()
        for peer in list(self._of_peers):
            while peer in self._of_peers and self._of_peers[peer][0].came_s < than_s:
                taken.append(self._remove(peer, deque.popleft))
        return taken

    def _remove(self, peer: bytes, end: Callable[[deque[Question]], Question]) -> Question:
        question = end(self._of_peers[peer])
        if not self._of_peers[peer]:
            del self._of_peers[peer]
        self._count -= 1
        return question
