"""How far an analysis is, and when it will be done: on stderr, where that is a terminal."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from algorithms.slabs import OnVoxels


@dataclass(frozen=True, slots=True)
class Steps:
    """The bar of an analysis whose steps are told as they begin."""

    progress: Progress
    task: TaskID

    @contextmanager
    def step(self, name: str, visits: float) -> Generator[OnVoxels]:
        """One step that is expected to visit so many voxels; more or fewer, it ends where it should."""
        begin = self.progress.tasks[self.task].completed
        self.progress.update(self.task, description=name)

        def visited(voxels: int) -> None:
            done = self.progress.tasks[self.task].completed - begin
            self.progress.advance(self.task, min(voxels, max(0.0, visits - done)))

        yield visited
        self.progress.update(self.task, completed=begin + visits)


@contextmanager
def steps(total_visits: float) -> Generator[Steps]:
    """A bar with the time that is left."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
               TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())  # fmt: skip
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Steps(progress, progress.add_task("", total=total_visits))
