"""Runs on the workers of a Dask cluster; files are where their configurations say, on every machine.

A run is one task. On its worker it has a process of its own, as on this machine. When the worker dies, so
does that process, and the scheduler gives the task to another worker, which goes on from the journal.
"""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from daemon.errors import ConfigurationError, WireError
from daemon.operating_system import usable_cores
from daemon.reprocess.attend import FAILED, Processes, Tell, attend
from daemon.reprocess.jobs import Job, News, Outcome

_CONNECT_S: Final = 10.0
ADDRESS: Final = re.compile(r"([a-z]+://)?[^\s/]+:\d+/?")


def process_on_cluster(address: str, jobs: Sequence[Job], cores: int, tell: Tell) -> Iterator[Outcome]:
    """Outcomes as they come; ``cores`` 0: as many as a worker has for each of its threads.

    Raises
    ------
    ConfigurationError
        Dask is not installed.
    WireError
        No scheduler answers at ``address``.
    """
    distributed, topic = _library(), f"slicewatch-{uuid.uuid4()}"
    with _connected(distributed, address) as client:
        client.subscribe_topic(topic, partial(_pass_on, tell))
        tasks = {
            client.submit(attend_on_worker, job, cores, topic, key=f"{topic}-{number}", pure=False): job
            for number, job in enumerate(sorted(jobs, key=lambda job: -job.expected_slices))
        }
        for ended in distributed.as_completed(list(tasks), loop=client.loop):
            yield _outcome(ended, tasks[ended])


def attend_on_worker(job: Job, cores: int, topic: str) -> Outcome:
    """In a thread of a worker: one run, whose news goes to whoever listens to ``topic``."""
    worker = _library().get_worker()
    share = cores or max(1, usable_cores() // worker.state.nthreads)

    def tell(news: News) -> None:
        worker.log_event(topic, (news.name, news.done, news.expected))

    return attend(job, share, tell, Processes())


def _pass_on(tell: Callable[[News], object], event: tuple[float, Any]) -> None:
    _stamp, (name, done, expected) = event
    tell(News(name, done, expected))


def _outcome(ended: Any, job: Job) -> Outcome:
    """What a task has given; its worker, or those that it was given to in turn, may have died of it."""
    if ended.cancelled():
        return Outcome(job.name, 1, FAILED, where=socket.gethostname(), why="the scheduler is gone")
    error = ended.exception()
    if error is None:
        return ended.result()
    return Outcome(job.name, 1, FAILED, where=socket.gethostname(), why=f"{type(error).__name__}: {error}")


def _connected(distributed: Any, address: str) -> Any:
    """A client of the scheduler; one that cannot be reached for its address is not tried, for Dask's client
    waits for it even when it is taken down."""
    if not ADDRESS.fullmatch(address):
        raise WireError(
            "this is no address of a Dask scheduler",
            where=f"--scheduler {address}",
            remedy="Give HOST:PORT, or the address that `dask scheduler` prints, e.g. tcp://10.0.0.5:8786.",
        )
    try:
        return distributed.Client(
            address, name="slicewatch-reprocess", set_as_default=False, timeout=_CONNECT_S
        )
    except (OSError, ValueError) as error:
        raise WireError(
            f"no Dask scheduler answers: {error}",
            where=f"--scheduler {address}",
            remedy="Start one with `dask scheduler`, and give the address that it prints.",
        ) from error


def _library() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ConfigurationError(
            "Dask is not installed",
            where=str(error),
            remedy="Install slicewatch with its extra 'batch', here and on every worker.",
        ) from error
    return distributed
