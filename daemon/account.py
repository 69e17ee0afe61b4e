"""What is known of one connection of a socket: how much it sent, was sent, and leaves unread."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.operating_system import Traffic


@dataclass(slots=True)
class Account:
    """A connection as it was last looked at; bytes, and seconds of a monotonic clock.

    ``received`` came from the peer, ``settled`` of that was taken or forgiven. What is unread is followed by
    milestones: the peer's kernel must have taken everything up to ``milestone`` some time after it was set.
    ``behind_since_s`` is since when something has been unread at every look.
    """

    peer: str
    received: float
    settled: float = 0.0
    acknowledged: int = 0
    milestone: int = 0
    milestone_s: float = 0.0
    behind_since_s: float | None = None

    @property
    def unfinished(self) -> float:
        """What the peer has sent and nobody could take."""
        return max(0.0, self.received - self.settled)

    def see(self, seen: Traffic, now_s: float) -> None:
        """The connection as it is now."""
        self.received, self.acknowledged = seen.received, seen.acknowledged
        if seen.unread == 0:
            self.behind_since_s = None
        elif self.behind_since_s is None:
            self.behind_since_s = now_s
        if seen.unread == 0 or seen.acknowledged >= self.milestone:
            self.milestone, self.milestone_s = seen.acknowledged + seen.unread, now_s

    def forgive(self, amount: float) -> None:
        """Take so much of what is unfinished for settled."""
        self.settled += min(self.unfinished, amount)

    def unread_for_s(self, now_s: float) -> float:
        """How long the oldest unread byte has been waiting at least."""
        return now_s - self.milestone_s if self.behind_since_s is not None else 0.0
