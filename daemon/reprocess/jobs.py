"""What there is to process, what is heard of it on the way, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.config import load
from daemon.errors import ConfigurationError, FolderError
from daemon.project import read_project


@dataclass(frozen=True, slots=True)
class Job:
    """A finished run: its configuration, the acquisition, where it writes.

    ``expected_slices`` is what configuration or project say, 0 if they do not.
    """

    config: Path
    folder: Path
    output: Path
    expected_slices: int
    images_per_slice: int

    @property
    def name(self) -> str:
        """What people call it: the path of its configuration, as they gave it."""
        return str(self.config)


@dataclass(frozen=True, slots=True)
class News:
    """How far a run is: the slice indices it is through with, and how many there will be; 0: not known."""

    name: str
    done: int
    expected: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    ``exit_code`` is that of ``slicewatch reprocess`` of this run alone, ``reason`` its finish reason or
    ``failed``, ``why`` what went wrong; ``starts`` counts its processes, more than one if any was killed.
    """

    name: str
    exit_code: int
    reason: str
    slices: int = 0
    gaps: int = 0
    alarms: int = 0
    seconds: float = 0.0
    starts: int = 0
    where: str = ""
    why: str = ""


def read_jobs(configs: Sequence[Path]) -> list[Job]:
    """A job for each configuration; all of them are right before any is begun.

    Raises
    ------
    ConfigurationError
        One cannot be used, or two would write into one folder.
    """
    jobs = [_job(config) for config in configs]
    writers = Counter(job.output.resolve() for job in jobs)
    shared = [job.name for job in jobs if writers[job.output.resolve()] > 1]
    if shared:
        raise ConfigurationError(
            "several configurations write into one folder",
            where=", ".join(shared),
            remedy="Give each of them its own run.output.",
        )
    return jobs


def _job(config: Path) -> Job:
    configuration = load(config)
    section = configuration.run
    expected = section.expected_slices or _said_by_the_project(section.folder)
    return Job(config, section.folder, section.output, expected, len(configuration.channels))


def _said_by_the_project(folder: Path) -> int:
    """0 where the folder cannot be seen from here: on a cluster it may be there all the same."""
    try:
        return read_project(folder).expected_slices
    except FolderError:
        return 0
