"""One run from its start to its outcome: its process is watched, and started again when something kills it.

The journal makes that safe: a process that follows a killed one goes on from the last slice on record, to the
same bytes. Each run has a process of its own, so that a library that crashes, or a kernel that runs out of
memory, takes one run with it and not the others.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Any, Final

from daemon.errors import SlicewatchError
from daemon.items import FinishReason
from daemon.operating_system import start_aside
from daemon.outputs import Outputs, prepare
from daemon.reprocess.jobs import Job, News, Outcome
from daemon.reprocess.log_lines import Heard, hear

LOG_NAME: Final = "reprocess.log"
FAILED: Final = "failed"
_DEATHS_IN_A_ROW: Final = 3
"""A process that is killed so often without a slice in between would be killed for ever."""
_ANYWHERE: Final = {
    "SLICEWATCH_PUBLISH__EVENTS": "tcp://127.0.0.1:0",
    "SLICEWATCH_PUBLISH__CONTROL": "tcp://127.0.0.1:0",
    "SLICEWATCH_HEALTH__PORT": "0",
}
"""Runs side by side cannot all have the configured ports; the log says which ones each has got."""

Tell = Callable[[News], object]


class Processes:
    """The runs' processes that are under way on this machine, so that all can be asked to stop."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self.stopping = False

    def stop(self) -> None:
        """Every run stops after the slice in hand, and none is begun; safe to call from a signal handler."""
        self.stopping = True
        for process in tuple(self._running):
            process.terminate()

    @contextmanager
    def started(self, job: Job, cores: int) -> Generator[subprocess.Popen[str]]:
        """A process that works on a run. It ends when this one does: its standard input closes then.

        The terminal's Ctrl-C is for this one, which asks it to stop.
        """
        command = [sys.executable, "-m", "daemon.reprocess", str(job.config), str(cores)]
        with start_aside(command, _ANYWHERE) as process:
            self._running.add(process)
            if self.stopping:
                process.terminate()
            try:
                yield process
            finally:
                self._running.discard(process)


@dataclass(frozen=True, slots=True)
class _Life:
    """What one process of a run has said, and its exit code; negative: the signal that killed it."""

    heard: Heard
    code: int

    @property
    def was_killed(self) -> bool:
        return self.code < 0


def attend(job: Job, cores: int, tell: Tell, processes: Processes) -> Outcome:
    """Process a run to its end; whatever goes wrong with it is its outcome, and nobody else's trouble."""
    begun_s, starts, deaths = time.monotonic(), 0, 0
    life = _Life(Heard(), 0)
    try:
        prepare(job.output, job.folder)
        while not processes.stopping:
            life, starts = _live(job, cores, tell, processes), starts + 1
            deaths = (0 if life.heard.got_on else deaths) + life.was_killed
            if not life.was_killed or deaths == _DEATHS_IN_A_ROW:
                break
    except (SlicewatchError, OSError) as error:
        return Outcome(job.name, 1, FAILED, where=socket.gethostname(), why=str(error))
    outcome = Outcome(job.name, life.code, life.heard.reason, starts=starts, where=socket.gethostname())
    outcome = replace(outcome, seconds=time.monotonic() - begun_s, **_counted(job.output))
    if processes.stopping and (life.was_killed or not life.heard.reason):
        return replace(outcome, exit_code=0, reason=FinishReason.STOPPED)
    if life.was_killed:
        why = f"its process was killed {deaths} times without a slice in between, last by signal {-life.code}"
        return replace(outcome, exit_code=1, reason=FAILED, why=why)
    if not life.heard.reason:
        return replace(outcome, exit_code=life.code or 1, reason=FAILED, why=life.heard.why or _see(job))
    return outcome


def _live(job: Job, cores: int, tell: Tell, processes: Processes) -> _Life:
    """One process, from its start to its end; what it says goes to the run's log."""
    heard = Heard()
    with _log_of(job) as log, processes.started(job, cores) as process:
        for line in process.stderr or ():
            with suppress(OSError):  # a run waits for room on a full disk, and goes on without what it said
                log.write(line.encode())
            before, heard = heard, hear(heard, line, job.expected_slices, job.images_per_slice)
            if (heard.done, heard.expected) != (before.done, before.expected):
                tell(News(job.name, heard.done, heard.expected))
        return _Life(heard, process.wait())


def _log_of(job: Job) -> FileIO:
    return (job.output / LOG_NAME).open("ab", buffering=0)


def _see(job: Job) -> str:
    return f"see {job.output / LOG_NAME}"


def _counted(output: Path) -> dict[str, int]:
    """What the run's summary counts; nothing where there is none."""
    try:
        summary: dict[str, Any] = json.loads(Outputs(output).summary.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: summary[key] for key in ("slices", "gaps", "alarms") if key in summary}
