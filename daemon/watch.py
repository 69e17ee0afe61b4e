"""The watcher: a thread that looks at the acquisition folder and hands out complete files, each version once.

It never blocks the pipeline: looking happens in its own thread, and ``take`` gives what is there.
"""

from __future__ import annotations

import bisect
import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daemon.back_pressure import EVERYTHING, Window
from daemon.completeness import Progress
from daemon.hints import Hints, ObserverKind
from daemon.items import FileReady
from daemon.scan import Finding, FolderScan
from daemon.watched_file import WaitingFile

_BETWEEN_LOOKS_S: Final = 0.2
"""How soon an unfinished file is looked at again, and the least time between full looks in a storm of events;
without events a full look comes every ``scan_interval_s``."""
_LIVELY_S: Final = 35.0
"""A file that has not changed for this long is not about to be read: writes over a slow share pause less, and
an image with a black bottom is read after 30 s."""
_JOIN_S: Final = 10.0

_Ready = tuple[int, int, str, FileReady]


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A version that stopped changing before it was complete, or that is MISNAMED."""

    file: FileReady
    reason: str
    progress: Progress = Progress.INCOMPLETE


@dataclass(frozen=True, slots=True)
class WatchHealth:
    """How watching goes; ``scanned_s_ago`` is infinite before the first look.

    ``found_s_ago`` is the time since the newest file was found, infinite before the first one.
    ``mismatch`` says that images lie there and none matches the pattern, ``hidden`` which sub-folders cannot
    be listed; both are empty otherwise.
    """

    share_present: bool
    observer_alive: bool
    observer_restarts: int
    scanned_s_ago: float
    scan_cost_s: float
    trouble: str
    mismatch: str = ""
    hidden: str = ""
    found_s_ago: float = math.inf


class Watcher:
    """Looks until it is stopped; files come out of ``take`` in the order of their slices.

    ``known`` are versions that an earlier process has dealt with. Always ``seen`` = handed out + ``waiting``.
    """

    def __init__(
        self,
        folder: Path,
        pattern: str,
        *,
        observer: ObserverKind = "auto",
        scan_interval_s: float = 1.0,
        sentinel: str = "",
        stall_s: float = 120.0,
        known: Iterable[FileReady] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scan = FolderScan(folder, pattern, sentinel, stall_s=stall_s)
        self._scan.know(known)
        self._interval_s = scan_interval_s
        self._clock = clock
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._hints = Hints(folder, observer, self._hint)
        self._hinted: set[str] = set()
        self._ready: list[_Ready] = []
        self._given_up: list[GivenUp] = []
        self._returned: list[FileReady] = []
        self._waiting: tuple[WaitingFile, ...] = ()
        self._seen = self._scan.seen
        self._scanned_s = float("-inf")
        self._found_s = float("-inf")
        self._cost_s = 0.0
        self._trouble = ""
        self._mismatch = ""
        self._hidden = ""
        self._present = False

    def start(self) -> None:
        """Begin to look; a folder that is not there yet is waited for."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; what was found can still be taken."""
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)
        self._hints.stop()

    def take(
        self, timeout_s: float, limit: int | None = None, wanted: Window = EVERYTHING
    ) -> list[FileReady]:
        """Complete files in the order of slice number, then time written; waits for the first one.

        At most ``limit`` of those ``wanted`` are taken: the rest stays, and later files of an earlier slice
        overtake it. Files that are plainly no TIFF are among them: the reader says what is wrong with them.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._next(wanted) is not None or self._stopping.is_set(), timeout_s
            )
            taken: list[FileReady] = []
            while (limit is None or len(taken) < limit) and (item := self._next(wanted)) is not None:
                self._ready.remove(item)
                taken.append(item[3])
            return taken

    def peek(self, limit: int, wanted: Window = EVERYTHING) -> list[FileReady]:
        """What ``take`` would give now, left where it is."""
        with self._changed:
            return [item[3] for item in self._ready if wanted.admits(item[0])][:limit]

    def take_given_up(self) -> list[GivenUp]:
        """Versions that will not become complete by waiting; a later version of such a file is new."""
        with self._changed:
            given_up, self._given_up = self._given_up, []
            return given_up

    def put_back(self, file: FileReady) -> None:
        """A file that was taken and cannot be reached: it waits again, until it is there or is given up."""
        with self._changed:
            self._returned.append(file)
        self._wake.set()

    def look_at_all(self) -> None:
        """After ``stop``: every file is asked once more, and what is unfinished then is given up."""
        findings: list[Finding] = []
        self._scan.take_back(self._returned, self._clock())
        try:
            findings += self._scan.look(self._clock(), self._scan.paths)
            threading.Event().wait(self._scan.settle_s)
            findings += self._scan.look_at_unfinished(self._clock())
        except OSError as error:
            self._trouble = f"the folder cannot be listed: {error.strerror or error}"
        self._publish([*findings, *self._scan.give_up_all()], returned=len(self._returned))

    @property
    def counts(self) -> tuple[int, int]:
        """``seen`` and ``waiting`` at one moment."""
        with self._changed:
            untaken = len(self._waiting) + len(self._ready) + len(self._given_up)
            return self._seen, untaken + len(self._returned)

    @property
    def seen(self) -> int:
        """Versions of files found so far, those known from before included."""
        with self._changed:
            return self._seen

    @property
    def waiting(self) -> int:
        """Versions that nobody has taken yet, complete or not."""
        return self.counts[1]

    @property
    def unread(self) -> int:
        """Of those, the ones that may be read soon: files that have not changed for long do not count."""
        now_s = self._clock()
        with self._changed:
            lively = sum(now_s - file.since_s < _LIVELY_S for file in self._waiting)
            returned = 0 if self._stopping.is_set() else len(self._returned)
            return lively + len(self._ready) + len(self._given_up) + returned

    @property
    def unfinished(self) -> tuple[WaitingFile, ...]:
        """Files that are not complete, and what they lack."""
        with self._changed:
            return self._waiting

    @property
    def health(self) -> WatchHealth:
        """How watching goes right now."""
        with self._changed:
            return WatchHealth(
                self._present,
                self._hints.alive,
                self._hints.restarts,
                self._clock() - self._scanned_s,
                self._cost_s,
                self._trouble or self._hidden or self._hints.trouble,
                self._mismatch,
                self._hidden,
                self._clock() - self._found_s,
            )

    def look(self) -> None:
        """One full look, as the thread does; for callers that bring their own loop."""
        with self._changed:
            hinted, self._hinted = self._hinted, set()
            returned = tuple(self._returned)
        begun_s = self._clock()
        self._scan.take_back(returned, begun_s)
        try:
            findings = self._scan.look(begun_s, hinted)
        except OSError as error:
            with self._changed:
                self._hinted |= hinted
                self._present = False
                self._trouble = f"the folder cannot be listed: {error.strerror or error}"
            self._publish((), returned=len(returned))
            return
        self._publish(findings, looked_s=begun_s, returned=len(returned))

    def takeable(self, wanted: Window) -> int:
        """The unread ones without those that are complete and not ``wanted``."""
        with self._changed:
            kept_out = sum(not wanted.admits(item[0]) for item in self._ready)
        return self.unread - kept_out

    @property
    def left(self) -> bool:
        """Whether there is anything to take, wanted or not."""
        with self._changed:
            return bool(self._ready or self._given_up)

    def _next(self, wanted: Window) -> _Ready | None:
        return next((item for item in self._ready if wanted.admits(item[0])), None)

    def _hint(self, path: str) -> None:
        with self._changed:
            self._hinted.add(path)
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._hints.keep_alive()
            self.look()
            self._linger(self._clock())
            self._wake.clear()

    def _linger(self, since_s: float) -> None:
        """Until the next full look, watch unfinished files closely; an event ends the wait."""
        while not self._stopping.is_set():
            left_s = since_s + self._interval_s - self._clock()
            busy = self._present and bool(self._waiting)
            if left_s <= 0.0:
                return
            if self._wake.wait(min(left_s, _BETWEEN_LOOKS_S) if busy else left_s):
                self._stopping.wait(max(0.0, since_s + _BETWEEN_LOOKS_S - self._clock()))
                return
            if busy:
                self._publish(self._scan.look_at_unfinished(self._clock()))

    def _publish(self, findings: Iterable[Finding], looked_s: float | None = None, returned: int = 0) -> None:
        with self._changed:
            del self._returned[:returned]
            for finding in findings:
                file = finding.file
                if finding.progress in (Progress.COMPLETE, Progress.DAMAGED):
                    order = (finding.slice_number, file.mtime_ns, str(file.path))
                    bisect.insort(self._ready, (*order, file))
                else:
                    self._given_up.append(GivenUp(file, finding.reason, finding.progress))
            self._found_s = self._clock() if self._scan.seen > self._seen else self._found_s
            self._waiting, self._seen = self._scan.waiting, self._scan.seen
            self._mismatch, self._hidden = self._scan.mismatch, self._scan.trouble
            if looked_s is not None:
                self._scanned_s, self._present, self._trouble = looked_s, True, ""
                self._cost_s = self._clock() - looked_s
            self._changed.notify_all()
