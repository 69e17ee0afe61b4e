"""A daemon killed with SIGKILL at random moments, started again until it is done: are all outputs the same?

A finished acquisition with faults in it is processed once without a kill, and then again and again by daemons
that die after a random time, which falls anywhere from their start to the writing of the report. When a run
is through, its tables, every chunk of volume and faces, and all that its journal tells a late client
(messages, file versions with their hashes) are compared with those of the uninterrupted run.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.table import Table

from daemon.config import as_toml_table, load
from daemon.emulator import EmulatorSettings, configuration_table, emulate, parse_fault
from daemon.journal import open_journal
from daemon.logs import configure_logs
from daemon.outputs import Outputs
from daemon.records import KEPT
from daemon.service import run_daemon
from daemon.toml_text import toml_text

FAULTS: Final = ("corrupt@2", "duplicate@3", "torn@5", "missing@6")
REGION_PX: Final = 96
"""Side of the region of interest: kills are aimed at the journal and the stores, not at the network."""
WORKERS: Final = 2
KILLS_PER_RUN: Final = 5
"""Then a run may go to its end, so that as many kills fall late in a run as early."""
LONGEST_S: Final = 300.0
_FORKS: Final = multiprocessing.get_context("forkserver")
"""Daemons are forked from a server that has imported them: a kill costs the run's time, not the imports'."""

Evidence = dict[str, str]


@dataclass(slots=True)
class Count:
    """What came of the kills, and what the daemon had said last before each."""

    kills: int = 0
    identical: int = 0
    runs: int = 0
    differing: set[str] = field(default_factory=set[str])
    moments: Counter[str] = field(default_factory=Counter[str])


@dataclass(frozen=True, slots=True)
class Effort:
    """How many daemons are killed, over how many slices, and within which share of an uninterrupted run.

    Most of a short run goes into its report, which is killed less often than its time has it when quick.
    """

    kills: int
    slices: int
    share: float

    @property
    def settings(self) -> EmulatorSettings:
        """The acquisition, with the faults for which it is long enough."""
        faults = [fault for fault in map(parse_fault, FAULTS) if fault.slice_number < self.slices]
        return EmulatorSettings(slices=self.slices, height=256, width=320, seed=23, faults=tuple(faults))


QUICK, FULL = Effort(10, 5, 0.3), Effort(200, 9, 1.0)


@dataclass(frozen=True, slots=True)
class Bench:
    """An acquisition, what an uninterrupted run of ``seconds`` makes of it, and how late a kill may come."""

    root: Path
    settings: EmulatorSettings
    whole: Evidence
    seconds: float
    kill_s: float

    @property
    def project(self) -> Path:
        """Where the acquisition lies."""
        return self.root / "project"


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """200 kills, 10 when quick; ``identical`` counts those after which every output was the same."""
    effort = QUICK if quick else FULL
    _FORKS.set_forkserver_preload(["benchmarks.restart"])
    with tempfile.TemporaryDirectory(prefix="slicewatch-restart-") as folder:
        bench = _prepared(Path(folder), effort)
        shares = [effort.kills // WORKERS + (number < effort.kills % WORKERS) for number in range(WORKERS)]
        with ThreadPoolExecutor(WORKERS) as pool:
            counts = list(pool.map(partial(_killed, bench), range(WORKERS), shares))
    return _report(counts, bench.seconds)


def _prepared(root: Path, effort: Effort) -> Bench:
    """The acquisition, and the uninterrupted run once the server has imported everything."""
    settings = effort.settings
    emulate(settings, root / "project", sleep=lambda _s: None)
    first = _FORKS.Process(target=_nothing)
    first.start()
    first.join()
    begun = time.monotonic()
    config = _configured(root / "whole", settings, root / "project")
    _one_run(config, np.random.default_rng(0), 0, Count())
    seconds = time.monotonic() - begun
    return Bench(root, settings, evidence(config), seconds, effort.share * seconds)


def _configured(folder: Path, settings: EmulatorSettings, project: Path) -> Path:
    """A configuration that writes to ``folder``, with a small region of interest and ports of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    table = configuration_table(settings, project, folder / "output")
    roi = table["geometry"]["roi"]
    table["geometry"]["roi"] = roi | {"width": REGION_PX, "height": REGION_PX}
    table["segmentation"] = {"providers": ["CPUExecutionProvider"], "threads": 1}
    table["publish"] = dict.fromkeys(("events", "control"), "tcp://127.0.0.1:0")
    config = folder / "run.toml"
    config.write_text(toml_text(table), encoding="utf-8")
    return config


def _killed(bench: Bench, number: int, wanted: int) -> Count:
    """Run after run in a folder of its own until ``wanted`` daemons were killed."""
    rng, count = np.random.default_rng(1000 + number), Count()
    while count.kills < wanted:
        before = count.kills
        config = _configured(bench.root / f"worker{number}", bench.settings, bench.project)
        _one_run(config, rng, min(wanted, before + KILLS_PER_RUN), count, bench.kill_s)
        told = evidence(config)
        differing = {
            name for name in bench.whole.keys() | told.keys() if bench.whole.get(name) != told.get(name)
        }
        count.differing |= differing
        count.identical += 0 if differing else count.kills - before
        count.runs += 1
    return count


def _one_run(config: Path, rng: np.random.Generator, wanted: int, count: Count, seconds: float = 0.0) -> None:
    """Start daemons until one ends by itself; kill each at a random moment while kills are wanted."""
    while True:
        process = _FORKS.Process(target=_daemon, args=(str(config),))
        process.start()
        process.join(rng.uniform(0.0, seconds) if count.kills < wanted else LONGEST_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            count.kills += 1
            count.moments[_last_word(config)] += 1
            if count.kills > wanted:
                raise TimeoutError(f"a run took more than {LONGEST_S:g} s: {config}")
        elif process.exitcode != 0:
            raise RuntimeError(f"a daemon ended with {process.exitcode}: {_log(config).read_text()[-2000:]}")
        else:
            return


def _nothing() -> None:
    """Makes the server start."""


def _daemon(config: str) -> None:
    """In the forked process: its log goes to a file."""
    log = os.open(_log(Path(config)), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 2)
    configure_logs()
    raise SystemExit(run_daemon(Path(config), follow=True))


def _log(config: Path) -> Path:
    return config.with_suffix(".log")


def _last_word(config: Path) -> str:
    """The last whole line that the daemon said."""
    log = _log(config)
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.exists() else []
    whole = [line for line in lines if line.endswith("\n") and line.startswith("{")]
    return str(json.loads(whole[-1])["event"]) if whole else "(starting)"


def evidence(config: Path) -> Evidence:
    """A hash of everything that has to be the same after any number of restarts."""
    configuration = load(config)
    outputs = Outputs(configuration.run.output)
    stores = (outputs.volume, outputs.faces, outputs.certainty)
    # The root's metadata carry the run's random identity; the chunks and shapes are below it.
    inner = (path for store in stores for path in store.rglob("*") if path.parent != store or path.is_dir())
    tables = (outputs.slices, outputs.slices_parquet, outputs.metrics, outputs.ligaments)
    files = [path for path in chain(tables, inner) if path.is_file()]
    found = {str(path.relative_to(outputs.folder)): _hash(path.read_bytes()) for path in files}
    with closing(open_journal(outputs.journal, as_toml_table(configuration), _now)) as journal:
        for topic in KEPT:
            found[f"messages: {topic}"] = _hash(_canonical(journal.latest(topic)))
        found["files"] = _hash(_canonical(sorted(map(str, journal.files()))))
    return found


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC)


def _report(counts: list[Count], seconds: float) -> tuple[Table, dict[str, float]]:
    table = Table("killed after the daemon's last word", "times", title="kill -9 at random moments")
    moments = sum((count.moments for count in counts), Counter[str]())
    for word, times in moments.most_common():
        table.add_row(word, str(times))
    figures = {
        "kills": float(sum(count.kills for count in counts)),
        "identical": float(sum(count.identical for count in counts)),
        "runs": float(sum(count.runs for count in counts)),
        "uninterrupted_s": seconds,
    }
    differing = sorted(set[str]().union(*(count.differing for count in counts)))
    table.add_section()
    table.add_row("identical afterwards", f"{figures['identical']:.0f} of {figures['kills']:.0f}")
    table.add_row("runs", f"{figures['runs']:.0f}")
    table.add_row("differing", ", ".join(differing) or "nothing")
    return table, figures
