"""What a late client needs: the last messages in order, and the last word on every subject.

Two views of the same stream. ``recent`` is a bounded run of consecutive messages, for a client that missed a
few. ``latest`` holds one message per topic and key and so stays as large as the run's tables, for a client
that comes new. Only the newest message of a topic keeps its arrays: pictures of earlier slices are not
history. Not thread-safe; its owner holds a lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from operator import itemgetter

from daemon.messages import Message
from daemon.wire import Multipart, without_arrays

Subject = tuple[str, Hashable]


@dataclass(slots=True)
class History:
    """At most ``capacity`` consecutive messages, and the last one on every subject."""

    capacity: int
    _recent: deque[tuple[int, Multipart]] = field(default_factory=deque[tuple[int, Multipart]])
    _latest: dict[Subject, tuple[int, Multipart]] = field(
        default_factory=dict[Subject, tuple[int, Multipart]]
    )
    _pictured: dict[str, tuple[Subject, int, Multipart]] = field(
        default_factory=dict[str, tuple[Subject, int, Multipart]]
    )

    def remember(self, message: Message, seq: int, parts: Multipart) -> None:
        """Add the message numbered ``seq``; numbers are consecutive."""
        subject = (message.topic, message.key)
        if message.arrays:
            self._picture(subject, seq, parts)
        numbered = (seq, parts)
        self._recent.append(numbered)
        if len(self._recent) > self.capacity:
            self._recent.popleft()
        self._latest[subject] = numbered

    def restore(self, message: Message, parts: Multipart) -> None:
        """Take over what was known before this epoch: it is in ``latest`` but cannot be replayed."""
        subject = (message.topic, message.key)
        if message.arrays:
            self._picture(subject, 0, parts)
        self._latest.pop(subject, None)  # so that those without a number stay in the order of the telling
        self._latest[subject] = (0, parts)

    def latest(self) -> list[Multipart]:
        """The last message on every subject, oldest first."""
        return [parts for _, parts in sorted(self._latest.values(), key=itemgetter(0))]

    def since(self, seq: int) -> list[Multipart] | None:
        """The messages numbered ``seq`` and later; None when some of them are forgotten."""
        if not self._recent or seq < self._recent[0][0]:
            return None
        return [parts for _, parts in list(self._recent)[seq - self._recent[0][0] :]]

    def _picture(self, subject: Subject, seq: int, parts: Multipart) -> None:
        """From now on this message is the one of its topic that keeps its arrays."""
        older = self._pictured.get(subject[0])
        if older is not None:
            self._strip(*older)
        self._pictured[subject[0]] = (subject, seq, parts)

    def _strip(self, subject: Subject, seq: int, parts: Multipart) -> None:
        """Drop the arrays of a message wherever it is kept."""
        stripped = (seq, without_arrays(parts))
        if self._latest[subject][0] == seq:
            self._latest[subject] = stripped
        position = seq - self._recent[0][0] if self._recent else -1
        if 0 <= position < len(self._recent):
            self._recent[position] = stripped
