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
    _pictured: dict[str, tuple[Subject, int]] = field(default_factory=dict[str, tuple[Subject, int]])

    def remember(self, message: Message, seq: int, parts: Multipart) -> None:
        """Add the message numbered ``seq``; numbers are consecutive."""
        if message.arrays:
            self._strip_older(message.topic)
            self._pictured[message.topic] = ((message.topic, message.key), seq)
        self._recent.append((seq, parts))
        if len(self._recent) > self.capacity:
            self._recent.popleft()
        self._record((message.topic, message.key), seq, parts)

    def restore(self, message: Message, parts: Multipart) -> None:
        """Take over what was known before this epoch: it is in ``latest`` but cannot be replayed."""
        if message.arrays:
            self._strip_older(message.topic)
            self._pictured[message.topic] = ((message.topic, message.key), 0)
        self._record((message.topic, message.key), 0, parts)

    def latest(self) -> list[Multipart]:
        """The last message on every subject, oldest first."""
        return [parts for _, parts in self._latest.values()]

    def since(self, seq: int) -> list[Multipart] | None:
        """The messages numbered ``seq`` and later; None when some of them are forgotten."""
        if not self._recent or seq < self._recent[0][0]:
            return None
        return [parts for _, parts in list(self._recent)[seq - self._recent[0][0] :]]

    def _record(self, subject: Subject, seq: int, parts: Multipart) -> None:
        self._latest.pop(subject, None)  # so that the dictionary's order stays the order of the messages
        self._latest[subject] = (seq, parts)

    def _strip_older(self, topic: str) -> None:
        """Drop the arrays of the last message of ``topic`` that had any."""
        subject, seq = self._pictured.pop(topic, ((topic, None), -1))
        kept = self._latest.get(subject)
        if kept is not None and kept[0] == seq:
            self._latest[subject] = (seq, without_arrays(kept[1]))
        position = seq - self._recent[0][0] if self._recent else -1
        if 0 <= position < len(self._recent):
            self._recent[position] = (seq, without_arrays(self._recent[position][1]))
