"""How far a batch of runs is, and when it will be over: bars on a terminal, lines of the log elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from types import TracebackType
from typing import Final, Self

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from daemon.reprocess.jobs import Job, News, Outcome

_BETWEEN_LINES_S: Final = 60.0
_log = structlog.get_logger("slicewatch")


@dataclass(slots=True)
class Forecast:
    """When all slices of all runs are done, if they go on as they went since ``begun_s`` (monotonic)."""

    begun_s: float
    expected: dict[str, int]
    before: dict[str, int] = field(default_factory=dict[str, int])
    done: dict[str, int] = field(default_factory=dict[str, int])

    def hear(self, news: News) -> None:
        """Take in how far a run is; what it had before it was first heard of was not done now."""
        self.before.setdefault(news.name, news.done)
        self.done[news.name] = max(news.done, self.done.get(news.name, 0))
        self.expected[news.name] = max(news.expected, self.done[news.name])

    def end(self, name: str) -> None:
        """A run is over: nothing more is to come of it."""
        self.before.setdefault(name, 0)
        self.expected[name] = self.done.setdefault(name, 0)

    def left_s(self, now_s: float) -> float | None:
        """Seconds to the end; None before the first slice and while a run's length is not known."""
        rate = sum(self.done[name] - self.before[name] for name in self.done) / max(
            now_s - self.begun_s, 1e-9
        )
        left = sum(self.expected.values()) - sum(self.done.values())
        unknown = any(not slices and name not in self.done for name, slices in self.expected.items())
        return left / rate if rate and not unknown else None


class Display:
    """Shows a batch while it is worked on; safe to tell from any thread."""

    def __init__(self, jobs: Sequence[Job], console: Console, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._forecast = Forecast(clock(), {job.name: job.expected_slices for job in jobs})
        self._said_s = clock()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._whole = self._bars.add_task("all slices", total=None, note="")
        self._runs: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def hear(self, news: News) -> None:
        """A run has got on."""
        with self._lock:
            self._forecast.hear(news)
            if news.name not in self._runs:
                self._runs[news.name] = self._bars.add_task(news.name, note="")
            self._bars.update(self._runs[news.name], completed=news.done, total=news.expected or None)
            self._show()

    def end(self, outcome: Outcome) -> None:
        """A run is over."""
        with self._lock:
            self._forecast.end(outcome.name)
            if outcome.name in self._runs:
                self._bars.remove_task(self._runs.pop(outcome.name))
            _log.info("reprocess.ended", run=outcome.name, reason=outcome.reason, why=outcome.why or None)
            self._show()

    def _show(self) -> None:
        now_s, forecast = self._clock(), self._forecast
        left_s, done, total = (
            forecast.left_s(now_s),
            sum(forecast.done.values()),
            sum(forecast.expected.values()),
        )
        self._bars.update(self._whole, completed=done, total=total or None, note=f"{in_words(left_s)} left")
        if self._bars.disable and now_s - self._said_s >= _BETWEEN_LINES_S:
            self._said_s = now_s
            _log.info("reprocess.progress", slices=done, of=total, left=in_words(left_s))


def in_words(seconds: float | None) -> str:
    """Hours and minutes, or minutes and seconds; a question mark for what is not known."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
