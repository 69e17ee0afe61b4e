"""A long run at full speed with faults and subscribers: do memory, queues, open files grow, is all heard?

The emulated microscope writes as fast as it can but stays so many slices ahead: the daemon always has work,
and files that wait, each of which it remembers, do not pass for what slices leave behind. The daemon is a
process of its own and is looked at from outside at the end of each slice: its resident memory, its open
files, and the images that it holds (as counted in its spool: slices that wait, and what the network still
sees). The slope is Theil and Sen's through the medians of blocks of slices after a warm-up; its standard
error is the jackknife's over the blocks, because neighbouring samples are not independent.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import Final

import numpy as np
import psutil
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.daemon_log import told
from benchmarks.soak_audience import Audience
from daemon.assembly_state import AssemblyState
from daemon.codec import unpack
from daemon.config import load
from daemon.emulator import EmulatorSettings, configuration_table, emulate, parse_fault
from daemon.journal import open_journal
from daemon.journal_bodies import read_records
from daemon.outputs import Outputs
from daemon.toml_text import toml_text

REGION_PX: Final = (64, 96)
"""Height and width of the region of interest: time goes into slices, not into the network."""
FAULTS: Final = (
    "corrupt",
    "duplicate",
    "torn-99",
    "overwritten-3",
    "missing",
    "late-6",
    "wrong-size",
    "swapped-voltage",
    "empty",
    "lost",
)
FAULT_EVERY: Final = 12
AHEAD: Final = 24
"""Slices that the microscope may be ahead: more than an image is late by the fault of that name."""
SUBSCRIBERS: Final = 32
WARM_UP: Final = 0.3
"""Share of the run in which pools, windows and histories may still fill."""
BLOCKS: Final = 8
_SPAWN: Final = multiprocessing.get_context("spawn")

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """The daemon after a slice: ``slices`` so far, MiB, open files, images held, files not dealt with."""

    slices: int
    rss_mib: float
    descriptors: int
    held: int
    waiting: int


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """A run of 2000 slices, 36 when quick."""
    settings = _settings(36 if quick else 2000)
    with tempfile.TemporaryDirectory(prefix="slicewatch-soak-") as folder:
        config = _configured(Path(folder), settings)
        samples, heard = _soaked(config, settings)
        is_balanced = _is_balanced(Outputs(load(config).run.output))
    return _report(samples, heard, balanced=is_balanced)


def _settings(slices: int) -> EmulatorSettings:
    """A fault in every twelfth slice, none near the end: what is late must still come."""
    struck = range(FAULT_EVERY // 2, slices - FAULT_EVERY, FAULT_EVERY)
    faults = (f"{FAULTS[number % len(FAULTS)]}@{index}" for number, index in enumerate(struck))
    return EmulatorSettings(
        slices=slices, height=256, width=320, seed=41, faults=tuple(parse_fault(fault) for fault in faults)
    )


def _configured(root: Path, settings: EmulatorSettings) -> Path:
    """A configuration with a small region of interest and ports of its own."""
    table = configuration_table(settings, root / "project", root / "output")
    (root / "project").mkdir()
    roi = table["geometry"]["roi"]
    table["geometry"]["roi"] = roi | {"height": REGION_PX[0], "width": REGION_PX[1]}
    table["run"] |= {"missing_after_s": 5.0, "stalled_after_s": 3.0}
    table["segmentation"] = {"providers": ["CPUExecutionProvider"], "threads": 1}
    table["publish"] = dict.fromkeys(("events", "control"), "tcp://127.0.0.1:0")
    config = root / "run.toml"
    config.write_text(toml_text(table), encoding="utf-8")
    return config


def _soaked(config: Path, settings: EmulatorSettings) -> tuple[list[Sample], dict[str, int]]:
    """Run both to the end; a sample after every slice, and what the subscribers heard."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of the microscope's process, whose threads would only wait
    ahead = _SPAWN.Semaphore(AHEAD)
    microscope = _SPAWN.Process(target=_write, args=(settings, load(config).run.folder, ahead))
    microscope.start()
    command = [sys.executable, "-m", "daemon", "run", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as daemon:
        try:
            samples, heard = _listened(daemon, Outputs(load(config).run.output), ahead)
        finally:
            daemon.terminate()  # it has ended, unless looking at it has failed
            microscope.terminate()
    microscope.join()
    if daemon.returncode != 0:
        raise RuntimeError(f"the daemon ended with {daemon.returncode}")
    return samples, heard


def _listened(
    daemon: subprocess.Popen[str], outputs: Outputs, ahead: Semaphore
) -> tuple[list[Sample], dict[str, int]]:
    """Subscribers from the opening of the sockets to the end of the log."""
    log = iter(daemon.stderr or ())
    opened = next(iter(told(log, "sockets.open")), None)
    if opened is None:
        raise RuntimeError("the daemon has ended before it opened its sockets")
    audience = Audience(opened["events"], SUBSCRIBERS)
    try:
        return _sampled(log, psutil.Process(daemon.pid), outputs, ahead), audience.leave()
    finally:
        audience.end()


def _write(settings: EmulatorSettings, folder: Path, ahead: Semaphore) -> None:
    """In a process of its own: the microscope, which waits only when it is so far ahead."""

    def wait(_done: int, _slices: int) -> None:
        ahead.acquire()

    emulate(settings, folder, sleep=lambda _s: None, progress=wait)


def _sampled(log: Iterable[str], process: psutil.Process, outputs: Outputs, ahead: Semaphore) -> list[Sample]:
    """Look at the daemon whenever it says that a slice is done; a slice is over, too, when it is given up."""
    samples: list[Sample] = []
    for over in told(log, "slice.done", "slice.gap"):
        ahead.release()
        if over["event"] == "slice.done":
            held = sum(1 for _ in outputs.spool.iterdir()) if outputs.spool.is_dir() else 0
            rss_mib = process.memory_info().rss / 2**20
            samples.append(Sample(len(samples) + 1, rss_mib, process.num_fds(), held, int(over["waiting"])))
    return samples


def _is_balanced(outputs: Outputs) -> bool:
    """Whether the run completed and every file on record ended in exactly one place."""
    configuration, ends = read_records(outputs.journal, "finished")
    with closing(open_journal(outputs.journal, configuration, lambda: datetime.now(UTC))) as journal:
        tally = unpack(AssemblyState, journal.checkpoint("assembly") or b"").tally
        files = len(list(journal.files()))
    return ends == [{"reason": "COMPLETED"}] and tally.arrived == files and tally.waiting == 0


def slope(x: Array, y: Array, blocks: int = BLOCKS) -> tuple[float, float]:
    """Robust slope of ``y`` (n,) over ``x`` (n,) and its standard error, in units of y per x.

    Theil and Sen's through the medians of ``blocks`` equal stretches; the error by the delete-one jackknife
    (Efron & Tibshirani, An Introduction to the Bootstrap, eq. 11.5).
    """
    middles = np.array([np.median(part) for part in np.array_split(x, blocks)])
    levels = np.array([np.median(part) for part in np.array_split(y, blocks)])
    without = [_theil_sen(np.delete(middles, left), np.delete(levels, left)) for left in range(blocks)]
    return _theil_sen(middles, levels), float(np.sqrt((blocks - 1) * np.var(without)))


def _theil_sen(x: Array, y: Array) -> float:
    """Median of the slopes between all pairs of points."""
    one, other = np.triu_indices(len(x), 1)
    return float(np.median((y[other] - y[one]) / (x[other] - x[one])))


def _report(
    samples: list[Sample], heard: dict[str, int], *, balanced: bool
) -> tuple[Table, dict[str, float]]:
    warm = samples[round(WARM_UP * len(samples)) :]
    counts = np.array([sample.slices for sample in warm], dtype=np.float64)
    memory = np.array([sample.rss_mib for sample in warm])
    growth, error = slope(counts, memory)
    quarter = max(len(warm) // 4, 1)
    # The fewest of each quarter: a look at the folder opens it for a moment, what leaks stays open.
    descriptors = [min(sample.descriptors for sample in part) for part in (warm[:quarter], warm[-quarter:])]
    figures = {
        "slices": float(len(samples)),
        "rss_slope_mib_per_1000_slices": 1000.0 * growth,
        "rss_slope_sigma": 1000.0 * error,
        "rss_slope_over_error": growth / error,
        "rss_mib_warm": float(memory[0]),
        "rss_mib_last": float(memory[-1]),
        "fd_growth": float(descriptors[1] - descriptors[0]),
        "queue_max": float(max(sample.held for sample in samples)),
        "folder_ahead_max": float(max(sample.waiting for sample in samples)),
        "balanced": float(balanced),
        "heard": float(heard["heard"]),
        "lost": float(heard["lost"]),
    }
    table = Table("", "", title=f"{len(samples)} slices at full speed", title_justify="left")
    table.add_row(
        "memory, MiB per 1000 slices", f"{1000.0 * growth:.1f} ± {1000.0 * error:.1f} (standard error)"
    )
    table.add_row("memory after the warm-up, at the end", f"{memory[0]:.0f}, {memory[-1]:.0f} MiB")
    table.add_row("open files, growth", f"{figures['fd_growth']:.0f}")
    table.add_row("images held, most", f"{figures['queue_max']:.0f}")
    table.add_row("files waiting in the folder, most", f"{figures['folder_ahead_max']:.0f}")
    table.add_row(f"messages to {SUBSCRIBERS} subscribers, lost", f"{heard['heard']}, {heard['lost']}")
    table.add_row("completed, and books balanced", "yes" if balanced else "no")
    return table, figures
