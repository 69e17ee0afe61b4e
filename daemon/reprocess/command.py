"""``slicewatch reprocess`` of several runs: processed side by side, then told in one table."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from daemon.command_options import EXIT_CODES
from daemon.items import FinishReason
from daemon.operating_system import usable_cores
from daemon.reprocess.attend import Tell
from daemon.reprocess.cluster import process_on_cluster
from daemon.reprocess.here import process_here, workers_for
from daemon.reprocess.jobs import Job, Outcome, read_jobs
from daemon.reprocess.progress import Display, in_words


def reprocess_many(
    configs: Sequence[Path], *, workers: int, cores: int, scheduler: str | None, as_json: bool
) -> int:
    """Process all runs and print how they ended; the exit code, the worst of theirs.

    ``workers`` 0: as many as fit; ``cores`` 0: an equal share for each. ``scheduler``: the address of a Dask
    cluster; None: on this machine.

    Raises
    ------
    ConfigurationError, WireError
        A configuration cannot be used, or there is no cluster; nothing has been begun.
    """
    jobs = read_jobs(configs)
    found: dict[str, Outcome] = {}
    with Display(jobs, Console(stderr=True), time.monotonic) as display:
        for outcome in _outcomes(jobs, workers, cores, scheduler, display.hear):
            found[outcome.name] = outcome
            display.end(outcome)
    outcomes = [found[job.name] for job in jobs]
    console = Console(highlight=False)
    console.print(table_of(outcomes))
    for one in outcomes:
        if one.why:
            console.print(f"{one.name}: {one.why}", style="red", markup=False, soft_wrap=True)
    if as_json:
        print(json.dumps({"runs": [asdict(outcome) for outcome in outcomes]}))  # noqa: T201 - the command's result
    return exit_code(outcomes)


def _outcomes(
    jobs: Sequence[Job], workers: int, cores: int, scheduler: str | None, tell: Tell
) -> Iterator[Outcome]:
    if scheduler is not None:
        return process_on_cluster(scheduler, jobs, cores, tell)
    workers = workers or workers_for(len(jobs))
    return process_here(jobs, workers, cores or max(1, usable_cores() // workers), tell)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """1 if a run failed, else 3 if one had ended in a drift abort, else 0."""
    aborted = EXIT_CODES[FinishReason.DRIFT_ABORT]
    codes = {outcome.exit_code for outcome in outcomes}
    return 1 if codes - {0, aborted} else max(codes)


def table_of(outcomes: Sequence[Outcome]) -> Table:
    """A row for each run."""
    table = Table(Column("run", overflow="fold"), "ended", "slices", "gaps", "alarms", "time", "starts", "on")
    for one in outcomes:
        counted = (str(count) for count in (one.slices, one.gaps, one.alarms))
        table.add_row(Text(one.name), one.reason, *counted, in_words(one.seconds), str(one.starts), one.where)
    return table
