"""A program that is run to its end within a time limit, whatever it says and whatever it leaves behind.

It is over when it is over itself, not when nobody holds its output any more: what it has started in the
background may go on. When its time is up, all of them are ended. Only the end of what it says is kept.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import IO, Final

from daemon.abort.pace import Pace
from daemon.operating_system import end_group, start_group

_LOOK_EVERY_S: Final = 0.02
_KEPT_BYTES: Final = 4096
_LAST_WORDS_S: Final = 1.0
"""So long a program that has ended is listened to, if others still hold its output."""


class KilledError(Exception):
    """The program had not ended when its time was up, and was ended with all that it had started."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its status, and the ends of what it said."""

    returncode: int
    stdout: str
    stderr: str


class _Tail:
    """Reads a pipe to its end, so that the program never waits for a reader, and keeps the last of it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._kept = b""
        self._thread = Thread(target=self._read, name="abort output", daemon=True)
        self._thread.start()

    def text(self) -> str:
        """What was said last, as far as it has come."""
        self._thread.join(_LAST_WORDS_S)
        return self._kept.decode(errors="replace")

    def _read(self) -> None:
        with self._pipe:
            while more := os.read(self._pipe.fileno(), _KEPT_BYTES):
                self._kept = (self._kept + more)[-_KEPT_BYTES:]


def run(
    command: Sequence[str], told: str, environment: Mapping[str, str], limit_s: float, pace: Pace
) -> Ended:
    """Run a program, without a shell, with ``told`` on its input; ``environment`` is added to ours.

    Raises
    ------
    KilledError
        It had not ended after ``limit_s`` seconds.
    OSError, ValueError
        It cannot be started.
    """
    process = start_group(command, environment)
    try:
        said, moaned = (_Tail(pipe) for pipe in (process.stdout, process.stderr) if pipe)
        _tell(process, told)
        status = _waited(process, limit_s, pace)
    except BaseException:
        end_group(process)
        process.wait()
        raise
    return Ended(status, said.text(), moaned.text())


def _tell(process: subprocess.Popen[bytes], told: str) -> None:
    """An order is shorter than a pipe holds, so that this does not wait for who does not read."""
    if process.stdin is not None:
        with suppress(OSError), process.stdin as input_:
            input_.write(told.encode())


def _waited(process: subprocess.Popen[bytes], limit_s: float, pace: Pace) -> int:
    until_s = pace.clock() + limit_s
    while (status := process.poll()) is None:
        if pace.clock() >= until_s:
            raise KilledError(f"killed after {limit_s:g} s")
        pace.sleep(_LOOK_EVERY_S)
    return status
