"""Watching under torn writes: truncated reads, missed files, delay until ready, and what a scan costs.

A second process writes thousands of files at once, piece by piece, while the daemon's watcher looks: with
events, with events switched off, and with the observer killed again and again. Files come from the emulated
microscope, and from a real one where ``SLICEWATCH_REAL_DATA`` names a folder of its files. Every file handed
out is read as the daemon reads it, and its hash compared with that of the whole file.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final
from unittest.mock import patch

import numpy as np
from rich.table import Table
from watchdog.observers.api import BaseObserver

from benchmarks.torn_writer import Job, Source, jobs, source_of, write
from daemon import completeness, scan
from daemon.completeness import Progress, Verdict
from daemon.config import DEFAULT_FILE_PATTERN, ChannelSection
from daemon.emulator import EmulatorSettings, emulate
from daemon.errors import FileUnreadableError
from daemon.hints import ObserverKind
from daemon.items import FileReady
from daemon.metadata.plain import Sidecar
from daemon.reader import FileChangedError, read_frame
from daemon.watch import Watcher

KILL_EVERY_S: Final = 1.5
PATIENCE_S: Final = 30.0
SIDECAR: Final = Sidecar((ChannelSection(name="2kV", voltage_kv=2.0),))
_SPAWN: Final = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Effort:
    """Torn states per kind of watching and per file; seconds in which files begin; files of the scan."""

    trials: int
    pieces: int
    span_s: float
    scanned: int


QUICK, FULL = Effort(1_000, 8, 2.0, 2_000), Effort(102_000, 50, 90.0, 20_000)


@dataclass(slots=True)
class Outcome:
    """What became of the files of one kind of watching."""

    trials: int = 0
    torn_looks: int = 0
    truncated: int = 0
    changed: int = 0
    missed: int = 0
    handed_out: int = 0
    restarts: int = 0
    delays_s: list[float] = field(default_factory=list[float])

    @property
    def delay_p99_s(self) -> float:
        """From the last byte to the watcher's hand-out, s."""
        return float(np.quantile(self.delays_s, 0.99)) if self.delays_s else float("nan")


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """The same torn writes under three kinds of watching, and the cost of scanning finished files."""
    effort = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="slicewatch-ingest-") as folder:
        root = Path(folder)
        sources = _sources(root)
        outcomes = {
            "events": _watched(root, sources, effort, "native", killed=False),
            "no events": _watched(root, sources, effort, "off", killed=False),
            "observer killed": _watched(root, sources, effort, "native", killed=True),
        }
        cost_ms = _scan_cost_ms(root / "many", effort.scanned)
    return _report(outcomes, cost_ms, effort.scanned)


def _sources(root: Path) -> list[Source]:
    """Files of an emulated slice, five times each, and one of each kind of real file if there are any."""
    emulate(
        EmulatorSettings(slices=1, height=256, width=320, seed=3), root / "emulated", sleep=lambda _s: None
    )
    emulated = sorted((root / "emulated" / "Images").rglob("*.tif"))
    real = os.environ.get("SLICEWATCH_REAL_DATA", "")
    found = sorted(Path(real).glob("*.tif"))[:2] if real else []
    return [source_of(path) for path in emulated * 12 + found]


def _watched(
    root: Path, sources: list[Source], effort: Effort, kind: ObserverKind, *, killed: bool
) -> Outcome:
    """Let a writer and a watcher loose on one folder until every file is out or patience ends."""
    folder = root / "watched"
    (folder / "SEM Image").mkdir(parents=True)
    wanted = jobs(folder, sources, effort.trials // effort.pieces, effort.pieces + 4, effort.span_s, seed=7)
    outcome = Outcome(trials=sum(len(job.cuts) for job in wanted))
    watcher = Watcher(folder, DEFAULT_FILE_PATTERN, observer=kind)
    ours, theirs = _SPAWN.Pipe(duplex=False)
    writer = _SPAWN.Process(target=write, args=(sources, wanted, theirs))
    with _counted(outcome):
        watcher.start()
        writer.start()
        _taken(watcher, ours, sources, wanted, outcome, killed=killed)
        watcher.stop()
        writer.join()
    outcome.restarts = watcher.health.observer_restarts
    shutil.rmtree(folder)
    return outcome


@contextmanager
def _counted(outcome: Outcome) -> Generator[None]:
    """Count how often the scan judged a file that was torn at that moment."""

    def judge_file(path: Path, size: int, expected: frozenset[int] = frozenset()) -> Verdict:
        verdict = completeness.judge_file(path, size, expected)
        outcome.torn_looks += verdict.progress is not Progress.COMPLETE
        return verdict

    with patch.object(scan, "judge_file", judge_file):
        yield


def _taken(
    watcher: Watcher,
    told: Connection,
    sources: list[Source],
    wanted: list[Job],
    outcome: Outcome,
    *,
    killed: bool,
) -> None:
    """Take files as the daemon does, and compare each with what it should be."""
    hashes = [hashlib.sha256(source.content).hexdigest() for source in sources]
    expected = {str(job.path): hashes[job.source] for job in wanted}
    finished: dict[str, float] = {}
    out: dict[str, float] = {}
    writing, last_s, kill_s = True, time.monotonic(), time.monotonic()
    while writing or (len(out) < len(wanted) and time.monotonic() - last_s < PATIENCE_S):
        for file in watcher.take(0.1):
            last_s = time.monotonic()
            outcome.handed_out += 1
            if _read(file, expected[str(file.path)], outcome):
                out.setdefault(str(file.path), last_s)
        while told.poll():
            message = told.recv()
            if message is None:
                writing, last_s = False, time.monotonic()
                break
            finished[message[0]] = message[1]
        if killed and time.monotonic() - kill_s > KILL_EVERY_S:
            _kill_observers()
            kill_s = time.monotonic()
    outcome.missed = len(expected.keys() - out.keys())
    outcome.delays_s = [max(0.0, out[path] - finished[path]) for path in out.keys() & finished.keys()]


def _read(file: FileReady, sha256: str, outcome: Outcome) -> bool:
    """Whether the daemon's reader got the whole file; one that is written again meanwhile comes again.

    A file of reserved size is whole before its last byte is written, if that byte is zero: it may be handed
    out twice with the same content, and the first time counts.
    """
    try:
        is_whole = read_frame(file, DEFAULT_FILE_PATTERN, SIDECAR).sha256 == sha256
    except FileChangedError:
        outcome.changed += 1
        return False
    except FileUnreadableError:
        is_whole = False
    outcome.truncated += not is_whole
    return is_whole


def _kill_observers() -> None:
    """Every observer of this process dies, as when its share goes away under it."""
    for thread in threading.enumerate():
        if isinstance(thread, BaseObserver):
            thread.stop()


def _scan_cost_ms(folder: Path, count: int) -> float:
    """Median ms per 1000 files of a look at a folder in which all are finished."""
    images = folder / "SEM Image"
    images.mkdir(parents=True)
    first = images / "SEM Image - SliceImage - 00001.tif"
    first.write_bytes(b"finished")
    status = first.stat()
    paths = [
        first,
        *(images / f"SEM Image - SliceImage - {number:05d}.tif" for number in range(2, count + 1)),
    ]
    for path in paths[1:]:
        path.hardlink_to(first)
    looking = scan.FolderScan(folder, DEFAULT_FILE_PATTERN)
    looking.know(FileReady(path, status.st_size, status.st_mtime_ns) for path in paths)
    costs: list[float] = []
    for number in range(40):
        begun = time.perf_counter()
        looking.look(float(number))
        costs.append(time.perf_counter() - begun)
    return float(np.median(costs)) * 1e6 / count


def _report(outcomes: dict[str, Outcome], cost_ms: float, scanned: int) -> tuple[Table, dict[str, float]]:
    table = Table("", *outcomes, title="torn writes under the watcher's eyes", title_justify="left")
    rows = {
        "torn states on disk": [f"{o.trials}" for o in outcomes.values()],
        "of these judged": [f"{o.torn_looks} looks" for o in outcomes.values()],
        "files handed out": [f"{o.handed_out}" for o in outcomes.values()],
        "truncated reads": [f"{o.truncated}" for o in outcomes.values()],
        "refused, written again": [f"{o.changed}" for o in outcomes.values()],
        "missed": [f"{o.missed}" for o in outcomes.values()],
        "ready after, median": [f"{np.median(o.delays_s):.2f} s" for o in outcomes.values()],
        "ready after, 99 %": [f"{o.delay_p99_s:.2f} s" for o in outcomes.values()],
        "observer restarts": [f"{o.restarts}" for o in outcomes.values()],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    table.caption = f"a look at {scanned} finished files costs {cost_ms:.2f} ms per 1000"
    figures = {
        "trials": float(sum(o.trials for o in outcomes.values())),
        "torn_looks": float(sum(o.torn_looks for o in outcomes.values())),
        "truncated_reads": float(sum(o.truncated for o in outcomes.values())),
        "refused_and_read_again": float(sum(o.changed for o in outcomes.values())),
        "missed": float(sum(o.missed for o in outcomes.values())),
        "ready_delay_p99_s": max(o.delay_p99_s for o in outcomes.values()),
        "scan_ms_per_1000_files": cost_ms,
    }
    for name, outcome in outcomes.items():
        key = name.replace(" ", "_")
        figures[f"trials_{key}"] = float(outcome.trials)
        figures[f"ready_delay_p99_s_{key}"] = outcome.delay_p99_s
    return table, figures
