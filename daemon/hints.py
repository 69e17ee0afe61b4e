"""Change events of a folder, as hints only: they say "look now" and which files to ask again.

Events are lost when the kernel's queue overflows, never come from other machines on a network share, and an
observer can die with its share. None of that costs more than a little delay, because scanning is the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from daemon.filesystem import Locality, locality
from daemon.operating_system import has_inotify

ObserverKind = Literal["auto", "native", "polling", "off"]
_POLL_S = 5.0
"""The polling observer asks every file each time; our own scan is cheaper and looks oftener."""
_JOIN_S = 5.0
_INOTIFY_EVENTS: Final[list[type[FileSystemEvent]]] = [
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
]
"""Not every single write, and not our own reading: the scan watches a file that grows anyway, and under a
thousand writes a second the observer's threads kept it from running."""


class _Forward(FileSystemEventHandler):
    def __init__(self, hint: Callable[[str], None]) -> None:
        self._hint = hint

    def on_any_event(self, event: FileSystemEvent) -> None:
        # Our own reading shows up as opened and closed_no_write: reacting to it would never end.
        if event.event_type in ("created", "modified", "moved", "closed", "deleted"):
            self._hint(str(event.dest_path or event.src_path))


class Hints:
    """An observer that is started when the folder is there, and again when it died.

    ``hint(path)`` is called from the observer's thread.
    """

    def __init__(self, folder: Path, kind: ObserverKind, hint: Callable[[str], None]) -> None:
        self._folder = folder
        self._kind = kind
        self._forward = _Forward(hint)
        self._observer: BaseObserver | None = None
        self._inode = -1
        self.restarts = 0
        self.trouble = ""

    @property
    def alive(self) -> bool:
        """Whether events can be coming in."""
        observer = self._observer
        return (
            observer is not None
            and observer.is_alive()
            and bool(observer.emitters)
            and all(emitter.is_alive() for emitter in observer.emitters)
        )

    def keep_alive(self) -> None:
        """Start the observer if it should run and does not, or watches a folder that was replaced."""
        if self._kind == "off":
            return
        try:
            inode = self._folder.stat().st_ino
        except OSError:
            self.stop()
            return
        if self.alive and inode == self._inode:
            return
        self.stop()
        self._start(inode)

    def stop(self) -> None:
        """Stop the observer; harmless when there is none."""
        observer, self._observer = self._observer, None
        if observer is not None and observer.ident is not None:
            observer.stop()
            observer.join(_JOIN_S)

    def _start(self, inode: int) -> None:
        kind = self._kind
        if kind == "auto":
            kind = "native" if locality(self._folder) is Locality.LOCAL else "polling"
        observer = Observer() if kind == "native" else PollingObserver(timeout=_POLL_S)
        try:
            wanted = _INOTIFY_EVENTS if kind == "native" and has_inotify() else None
            observer.schedule(self._forward, str(self._folder), recursive=True, event_filter=wanted)
            observer.start()
        except OSError as error:
            # Typically the limit on inotify watches; scanning goes on without events.
            self.trouble = f"no change events: {error.strerror or error}"
            return
        self.restarts += self._inode != -1
        self._observer, self._inode, self.trouble = observer, inode, ""
