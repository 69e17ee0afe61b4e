"""Runs side by side on this machine, each by a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

import psutil

from daemon.operating_system import usable_cores
from daemon.reprocess.attend import Processes, Tell, attend
from daemon.reprocess.jobs import Job, Outcome
from daemon.signals import stopping_on_signals

_MEMORY_PER_RUN: Final = 4 * 2**30
"""What a run of three 3072×2048 images a slice may take at most (``python -m benchmarks latency``)."""


def workers_for(runs: int) -> int:
    """How many runs to work on at once, if nobody says: as many as there are cores for, and memory."""
    by_memory = psutil.virtual_memory().available // _MEMORY_PER_RUN
    return max(1, min(runs, usable_cores(), by_memory))


def process_here(jobs: Sequence[Job], workers: int, cores: int, tell: Tell) -> Iterator[Outcome]:
    """Outcomes as they come, the longest runs first, so that the last one to end is a short one.

    SIGINT and SIGTERM stop every run after the slice in hand; begun again, all of them go on from there.
    """
    processes = Processes()
    longest_first = sorted(jobs, key=lambda job: job.expected_slices, reverse=True)
    with stopping_on_signals(processes.stop), ThreadPoolExecutor(workers) as pool:
        for ended in as_completed(
            [pool.submit(attend, job, cores, tell, processes) for job in longest_first]
        ):
            yield ended.result()
