"""A backlog of slices worked off with and without looking ahead: how near is the loop to its slowest stage?

A finished acquisition is processed twice by a daemon of its own. Looking ahead, it reads, registers and
measures the next slice while the network is busy; the bound is the time of the slowest stage alone. Rates are
those from the fourth slice, when the first face has become final, to the last, by the stamps of the log. How
busy the cores are is the processor time of the whole process, start and report included, over its time.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Final

from rich.table import Table

from benchmarks.__main__ import CannotMeasureError
from benchmarks.daemon_log import Told, told
from daemon.emulator import EmulatorSettings, configuration_table, emulate
from daemon.emulator.settings import RecordingDesign
from daemon.operating_system import usable_cores
from daemon.toml_text import toml_text

FULL: Final = EmulatorSettings(slices=100, height=768, width=1024, recording=RecordingDesign(fib_every=0))
QUICK: Final = EmulatorSettings(slices=8, height=256, width=320, recording=RecordingDesign(fib_every=0))
COUNTED_AFTER: Final = 4
"""Slices: from the next one on each makes an earlier face final."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Seconds per slice, on the clock and in each stage, and the share of all cores that the process used."""

    seconds: float
    stages_s: dict[str, float]
    cores_busy: float


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """100 slices of 1024×768 px, 8 of 320×256 px when quick."""
    settings = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="slicewatch-throughput-") as folder:
        root = Path(folder)
        emulate(settings, root / "project", sleep=lambda _s: None)
        apart, ahead = (_processed(root, settings, look_ahead=ahead) for ahead in (False, True))
    return _report(settings, apart, ahead)


def _processed(root: Path, settings: EmulatorSettings, *, look_ahead: bool) -> Rate:
    """One run over the whole acquisition."""
    name = "ahead" if look_ahead else "apart"
    table = configuration_table(settings, root / "project", root / name)
    table["run"] |= {"look_ahead": look_ahead}
    table["publish"] = dict.fromkeys(("events", "control"), "tcp://127.0.0.1:0")
    config = root / f"{name}.toml"
    config.write_text(toml_text(table), encoding="utf-8")
    command = [sys.executable, "-m", "daemon", "run", str(config)]
    begun_s, before_s = perf_counter(), _processor_s()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    busy = (_processor_s() - before_s) / (perf_counter() - begun_s) / usable_cores()
    if done.returncode != 0:
        raise CannotMeasureError(f"the daemon ended with {done.returncode}: {done.stderr[-300:]}")
    return _rate(list(told(done.stderr.splitlines(), "slice.done")), busy)


def _processor_s() -> float:
    """Of processes that have ended, by all their threads."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _rate(slices: list[Told], cores_busy: float) -> Rate:
    first, *counted = slices[COUNTED_AFTER - 1 :]
    begun, ended = (datetime.fromisoformat(line["timestamp"]) for line in (first, counted[-1]))
    stages: Counter[str] = Counter()
    for line in counted:
        stages.update(line["stages_s"])
    per_slice = {stage: seconds / len(counted) for stage, seconds in stages.items()}
    return Rate((ended - begun).total_seconds() / len(counted), per_slice, cores_busy)


def _report(settings: EmulatorSettings, apart: Rate, ahead: Rate) -> tuple[Table, dict[str, float]]:
    slowest = max(apart.stages_s, key=lambda stage: apart.stages_s[stage])
    slowest_s = apart.stages_s[slowest]
    figures = {
        "slices_per_s": 1.0 / ahead.seconds,
        "slices_per_s_in_turn": 1.0 / apart.seconds,
        "speedup": apart.seconds / ahead.seconds,
        "ratio_to_sum_of_stages": sum(apart.stages_s.values()) / ahead.seconds,
        "ratio_to_slowest_stage": slowest_s / ahead.seconds,
        "cores_busy": ahead.cores_busy,
        "cores_busy_in_turn": apart.cores_busy,
    }
    title = f"{settings.slices} slices of {settings.width}×{settings.height}"
    table = Table("", "s per slice", title=title, title_justify="left")
    table.add_row("one thing after the other", f"{apart.seconds:.3f}")
    for stage, seconds in apart.stages_s.items():
        table.add_row(f"  {stage}{', the slowest stage' if stage == slowest else ''}", f"{seconds:.3f}")
    table.add_row("looking ahead", f"{ahead.seconds:.3f}")
    table.add_row("  cores busy then, and in turn", f"{ahead.cores_busy:.0%}, {apart.cores_busy:.0%}")
    return table, figures
