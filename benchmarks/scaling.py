"""Finished runs reprocessed by one worker, by two, and by a Dask cluster of two: how well it scales.

A worker computes on one core and does not look ahead on another, so that two have twice as much as one.
Efficiency is the time that one worker takes for one run over the time that two take for two, starts of
processes and reports included. Then a process and a Dask worker are killed with SIGKILL in the middle of a
run: a change is an output that is not what it was without the kill.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

import psutil
from rich.table import Table

from benchmarks.__main__ import CannotMeasureError
from benchmarks.restart import evidence
from daemon.emulator import EmulatorSettings, configuration_table, emulate
from daemon.emulator.settings import RecordingDesign
from daemon.reprocess.attend import Tell
from daemon.reprocess.cluster import process_on_cluster
from daemon.reprocess.here import process_here
from daemon.reprocess.jobs import Job, News, Outcome, read_jobs
from daemon.toml_text import toml_text

WORKERS: Final = 2
CORES: Final = 1
Process = Callable[[Sequence[Job], Tell], Iterator[Outcome]]


@dataclass(frozen=True, slots=True)
class Effort:
    """The acquisition of every run; a kill comes after so many of its slices."""

    settings: EmulatorSettings
    kill_after: int


NO_ION_BEAM: Final = RecordingDesign(fib_every=0)
FULL: Final = Effort(
    EmulatorSettings(slices=10, height=384, width=512, seed=5, recording=NO_ION_BEAM), kill_after=5
)
QUICK: Final = Effort(
    EmulatorSettings(slices=4, height=256, width=320, seed=5, recording=NO_ION_BEAM), kill_after=2
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Dask scheduler and its workers, each a process of its own."""

    address: str
    workers: Sequence[subprocess.Popen[str]]

    def kill_worker_of(self, config: Path) -> None:
        """SIGKILL for the worker below which a run is processed."""
        for worker in self.workers:
            below = psutil.Process(worker.pid).children(recursive=True)
            if any(str(config) in child.cmdline() for child in below):
                worker.kill()


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Runs of 10 slices of 512×384 px; of 4 of 320×256 px when quick, one whole, one killed on a cluster."""
    effort = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="slicewatch-scaling-") as folder:
        root = Path(folder)
        emulate(effort.settings, root / "project", sleep=lambda _s: None)
        archive = Archive(root, effort)
        alone_s = archive.seconds("one", 1, partial(_here, 1, CORES))
        together_s = {} if quick else _together(archive)
        kills = (archive.kill_worker,) if quick else (archive.kill_worker, archive.kill_process)
        changes = sum(archive.changes("one", kill) for kill in kills)
    return _report(effort.settings, alone_s, together_s, changes)


def _together(archive: Archive) -> dict[str, float]:
    """Seconds for as many runs as workers: side by side, on a cluster that is there already, and one after
    the other by one worker that has all cores."""
    here_s = archive.seconds("two", WORKERS, partial(_here, WORKERS, CORES))
    with cluster() as dask:
        dask_s = archive.seconds("dask", WORKERS, partial(_on, dask.address))
    within_s = WORKERS * archive.seconds("within", 1, partial(_here, 1, WORKERS * CORES))
    return {"two_workers": here_s, "dask": dask_s, "cores_within_a_run": within_s}


class Archive:
    """Finished runs that are reprocessed again and again, each time into folders of their own."""

    def __init__(self, root: Path, effort: Effort) -> None:
        self._root = root
        self._effort = effort

    def seconds(self, name: str, runs: int, process: Process) -> float:
        """How long it takes to process so many runs."""
        jobs = read_jobs([self.config(name, number) for number in range(runs)])
        begun = perf_counter()
        _checked(process(jobs, _nobody))
        return perf_counter() - begun

    def config(self, name: str, number: int) -> Path:
        """The configuration of a run that writes into a folder of its own."""
        settings, path = self._effort.settings, self._root / f"{name}-{number}.toml"
        table = configuration_table(settings, self._root / "project", self._root / f"{name}-{number}")
        table["run"] |= {"look_ahead": False}
        table["segmentation"] = {"providers": ["CPUExecutionProvider"]}
        path.write_text(toml_text(table), encoding="utf-8")
        return path

    def changes(self, whole: str, kill: Callable[[Job], bool]) -> int:
        """How many outputs of a run that ``kill`` disturbs differ from those of the undisturbed ``whole``."""
        (job,) = read_jobs([self.config("killed", 0)])
        if not kill(job):
            raise CannotMeasureError("the run was over before it could be killed")
        before, after = evidence(self.config(whole, 0)), evidence(job.config)
        shutil.rmtree(job.output)
        return sum(before.get(output) != after.get(output) for output in before.keys() | after.keys())

    def kill_process(self, job: Job) -> bool:
        """Process the run, and kill its process; whether it came to that."""
        hear = Once(self._effort.kill_after, lambda: _process_of(job.config).kill())
        _checked(process_here([job], 1, CORES, hear))
        return hear.done

    def kill_worker(self, job: Job) -> bool:
        """Process the run on a cluster, and kill the worker that it was given to; whether it came to that."""
        with cluster() as dask:
            hear = Once(self._effort.kill_after, lambda: dask.kill_worker_of(job.config))
            _checked(process_on_cluster(dask.address, [job], CORES, hear))
        return hear.done


class Once:
    """Does something when a run has got so far, but only once."""

    def __init__(self, slices: int, act: Callable[[], object]) -> None:
        self._slices = slices
        self._act = act
        self.done = False

    def __call__(self, news: News) -> None:
        """A run has got on."""
        if news.done >= self._slices and not self.done:
            self.done = True
            self._act()


@contextmanager
def cluster() -> Generator[Cluster]:
    """A scheduler and two workers of one thread each on this machine."""
    with ExitStack() as stack:
        quiet = ("--no-dashboard",)
        scheduler = stack.enter_context(_dask("scheduler", "--host", "127.0.0.1", "--port", "0", *quiet))
        address = next(line.split()[-1] for line in scheduler.stderr or () if "Scheduler at:" in line)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="slicewatch-dask-"))
        options = (address, "--nthreads", "1", "--no-nanny", "--local-directory", folder, *quiet)
        workers = [stack.enter_context(_dask("worker", *options)) for _ in range(WORKERS)]
        for worker in workers:
            next(line for line in worker.stderr or () if "Registered to" in line)
        yield Cluster(address, workers)


@contextmanager
def _dask(*arguments: str) -> Generator[subprocess.Popen[str]]:
    """One of Dask's programs, until it is no longer needed."""
    command = [sys.executable, "-m", "dask", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _here(workers: int, cores: int, jobs: Sequence[Job], tell: Tell) -> Iterator[Outcome]:
    return process_here(jobs, workers, cores, tell)


def _on(address: str, jobs: Sequence[Job], tell: Tell) -> Iterator[Outcome]:
    return process_on_cluster(address, jobs, CORES, tell)


def _nobody(_news: News) -> None:
    """Hears how far a run is."""


def _checked(outcomes: Iterator[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.exit_code:
            raise CannotMeasureError(f"{outcome.name}: {outcome.why}")


def _process_of(config: Path) -> psutil.Process:
    """The process that works on a run."""
    below = psutil.Process().children(recursive=True)
    return next(child for child in below if str(config) in child.cmdline())


def _report(
    settings: EmulatorSettings, alone_s: float, together_s: Mapping[str, float], changes: int
) -> tuple[Table, dict[str, float]]:
    about = f"runs of {settings.slices} slices, {settings.width}×{settings.height}"
    table = Table("", "s", "slices/s", "efficiency", title=about, title_justify="left")
    figures = {"one_worker_s": alone_s, "killed_worker_changes": float(changes)}
    table.add_row("one run, one worker of one core", f"{alone_s:.1f}", f"{settings.slices / alone_s:.2f}", "")
    for name, seconds in together_s.items():
        figures |= {f"{name}_s": seconds, f"efficiency_{name}": alone_s / seconds}
        rate = WORKERS * settings.slices / seconds
        shown = f"two runs, {name.replace('_', ' ')}"
        table.add_row(shown, f"{seconds:.1f}", f"{rate:.2f}", f"{alone_s / seconds:.3f}")
    table.add_row("outputs that killed workers change", str(changes), "", "")
    return table, figures
