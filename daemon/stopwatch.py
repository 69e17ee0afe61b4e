"""Where the time of a slice goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping


class Stopwatch:
    """Seconds by stage; ``clock`` is monotonic, in s."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since_s = clock()
        self._seconds: dict[str, float] = {}

    def start(self) -> None:
        """Begin anew."""
        self._since_s, self._seconds = self._clock(), {}

    def lap(self, stage: str) -> None:
        """A stage is over: it gets what has passed since the last lap, on top of what it had."""
        now_s = self._clock()
        self._seconds[stage] = self._seconds.get(stage, 0.0) + now_s - self._since_s
        self._since_s = now_s

    @property
    def seconds(self) -> Mapping[str, float]:
        """By stage, in the order in which they first ended."""
        return self._seconds
