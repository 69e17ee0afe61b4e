"""What a late client needs: the last messages in order, and the last word on every subject.

Two views of the same stream. ``recent`` is a bounded run of consecutive messages, for a client that missed a
few. ``latest`` holds the last message per topic and key, for a client that comes new; of topics that are on
record (in the journal) only while ``recent`` holds it too, so that neither grows with the run. Only the
newest message of a topic keeps its arrays: pictures of earlier slices are not history. Not thread-safe; its
owner holds a lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field

import msgspec

from daemon.messages import Message
from daemon.wire import Multipart, without_arrays

Subject = tuple[str, Hashable]


class _Told(msgspec.Struct, frozen=True, eq=False):
    """A message with its number and what it is about: one per message, quicker than a dataclass."""

    seq: int
    subject: Subject
    parts: Multipart


@dataclass(slots=True)
class History:
    """At most ``capacity`` consecutive messages, and the last one on every subject.

    ``on_record`` are the topics whose last words somebody else keeps.
    """

    capacity: int
    on_record: Collection[str] = ()
    _recent: deque[_Told] = field(default_factory=deque[_Told])
    _latest: dict[Subject, _Told] = field(default_factory=dict[Subject, _Told])
    _pictured: dict[str, _Told] = field(default_factory=dict[str, _Told])

    def remember(self, message: Message, seq: int, parts: Multipart) -> None:
        """Add the message numbered ``seq``; numbers are consecutive."""
        told = _Told(seq, (message.topic, message.key), parts)
        if message.arrays:
            self._picture(told)
        self._recent.append(told)
        self._latest.pop(told.subject, None)  # so that the order is that of the telling
        self._latest[told.subject] = told
        if len(self._recent) > self.capacity:
            self._forget(self._recent.popleft())

    def latest(self) -> dict[Subject, Multipart]:
        """The last message on every subject, oldest first; of what is on record, the recent ones."""
        return {subject: told.parts for subject, told in self._latest.items()}

    def since(self, seq: int) -> list[Multipart] | None:
        """The messages numbered ``seq`` and later; None when some of them are forgotten."""
        if not self._recent or seq < self._recent[0].seq:
            return None
        return [told.parts for told in list(self._recent)[seq - self._recent[0].seq :]]

    def _forget(self, told: _Told) -> None:
        """A message leaves ``recent``; what is on record need not be kept, but for its arrays."""
        topic = told.subject[0]
        if topic in self.on_record and self._pictured.get(topic) is not told:
            self._drop(told)

    def _picture(self, told: _Told) -> None:
        """From now on this message is the one of its topic that keeps its arrays."""
        older = self._pictured.get(told.subject[0])
        self._pictured[told.subject[0]] = told
        if older is not None:
            self._strip(older)

    def _strip(self, told: _Told) -> None:
        """Drop the arrays of a message wherever it is kept."""
        stripped = _Told(told.seq, told.subject, without_arrays(told.parts))
        position = told.seq - self._recent[0].seq if self._recent else -1
        is_recent = 0 <= position < len(self._recent)
        if is_recent:
            self._recent[position] = stripped
        if self._latest.get(told.subject) is told:
            self._latest[told.subject] = stripped
        if not is_recent:
            self._forget(stripped)

    def _drop(self, told: _Told) -> None:
        kept = self._latest.get(told.subject)
        if kept is not None and kept.seq == told.seq:
            del self._latest[told.subject]
