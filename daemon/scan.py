"""One look at the acquisition folder: what is new, what has changed, what is complete.

Scanning is the truth; events only say when to look. A scan lists names (cheap) and asks the size and time of
those files that may have changed: unfinished ones, those an event named, and a share of the finished ones, so
that every finished file is asked again within ``_FULL_ROUND`` scans. The microscope's clock is never compared
with ours: times are only compared with themselves.

A *version* of a file is its (size, mtime, inode). A version is reported once, when two looks ``settle_s``
apart found the same version and its content is complete.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from daemon.completeness import FEI_INI, ZEISS, Progress, Verdict, judge_file
from daemon.items import FileReady
from daemon.naming import mismatch, slice_number

_SKIPPED_FOLDERS: Final = frozenset({"logimages"})
_FULL_ROUND: Final = 32
_READ_AGAIN_S: Final = 5.0
"""Network caches can show an old size and time for seconds: an unfinished file is judged again after this."""
_TELLING_TAGS: Final = frozenset({FEI_INI, ZEISS})
_GONE: Final = (-1, -1, -1)
"""No file has this version: whatever appears in the place of a vanished file is new."""

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """A version that was judged: COMPLETE is ready, DAMAGED past mending, INCOMPLETE given up, and why."""

    slice_number: int
    file: FileReady
    progress: Progress
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WaitingFile:
    """A file that is not complete, what it lacks, and since when (monotonic clock)."""

    path: Path
    size: int
    mtime_ns: int
    since_s: float
    reason: str


@dataclass(slots=True)
class _Watched:
    slice_number: int
    version: Version
    since_s: float
    turn: int
    judged_s: float = float("-inf")
    reason: str = "just found"
    reported: bool = False


@dataclass(slots=True)
class FolderScan:
    """The memory of a folder between looks; ``look`` is the only thing it does. One thread uses it.

    ``seen`` counts versions found, ``reported`` those given out; the others are in ``waiting``.
    ``stall_s``: a version that has not changed for so long and is not complete is given up (and reported
    as such); when it changes after all, it is a new version.
    """

    folder: Path
    pattern: str
    sentinel: str = ""
    settle_s: float = 0.1
    stall_s: float = 120.0
    seen: int = 0
    reported: int = 0
    _watched: dict[str, _Watched] = field(default_factory=dict[str, _Watched])
    _strangers: set[str] = field(default_factory=set[str])
    _unfinished: set[str] = field(default_factory=set[str])
    _vendor_tags: dict[str, frozenset[int]] = field(default_factory=dict[str, frozenset[int]])
    _round: int = 0
    _away: bool = False

    def know(self, files: Iterable[FileReady]) -> None:
        """Versions that an earlier process has dealt with: counted, but not reported again."""
        for file in files:
            number = slice_number(file.path, self.pattern)
            version = (file.size, file.mtime_ns, -1)
            entry = _Watched(number or 0, version, 0.0, turn=self.seen % _FULL_ROUND, reported=True)
            self._watched[str(file.path)] = entry
            self.seen += 1
            self.reported += 1

    def look(self, now_s: float, hinted: Iterable[str] = ()) -> list[Finding]:
        """Look once; give versions that became complete, or are given up, in the order of their slices.

        Raises
        ------
        OSError
            The folder itself cannot be listed: the share is away. Nothing is forgotten.
        """
        present = self._listed(now_s)
        self._round = (self._round + 1) % _FULL_ROUND
        asked = self._unfinished.union(hinted)
        for path in present:
            if path in self._strangers:
                continue
            entry = self._watched.get(path)
            if entry is None or entry.turn == self._round or path in asked:
                self._ask(path, now_s)
        gone = self._given_up(self._unfinished.difference(present), now_s)
        return self._judged(now_s) + gone

    def look_at_unfinished(self, now_s: float) -> list[Finding]:
        """Look only at files that are known to be unfinished: between full looks, while one is written."""
        for path in tuple(self._unfinished):
            self._ask(path, now_s)
        return self._judged(now_s)

    def take_back(self, files: Iterable[FileReady], now_s: float) -> None:
        """Versions that were given out and could not be reached: they wait as if they had just been found."""
        for file in files:
            entry = self._watched.get(str(file.path))
            if entry is not None and entry.reported and entry.version[:2] == (file.size, file.mtime_ns):
                entry.reported, entry.since_s, entry.judged_s = False, now_s, float("-inf")
                self._unfinished.add(str(file.path))
                self.reported -= 1

    def give_up_all(self) -> list[Finding]:
        """Give up every unfinished file: nothing will be written any more."""
        return [
            self._reported(
                str(file.path), FileReady(file.path, file.size, file.mtime_ns), Progress.INCOMPLETE
            )
            for file in self.waiting
        ]

    @property
    def paths(self) -> list[str]:
        """Every file that has been found."""
        return list(self._watched)

    @property
    def mismatch(self) -> str:
        """That images lie there and none matches the pattern, if so."""
        return "" if self._watched else mismatch(self._strangers, self.pattern)

    @property
    def waiting(self) -> tuple[WaitingFile, ...]:
        """Versions that are neither complete nor given up."""
        entries = ((path, self._watched[path]) for path in self._unfinished)
        return tuple(
            WaitingFile(Path(p), e.version[0], e.version[1], e.since_s, e.reason) for p, e in entries
        )

    def _listed(self, now_s: float) -> list[str]:
        """All paths; the first after the share was away grants every unfinished file its time again."""
        try:
            present = list(_images(self.folder))
        except OSError:
            self._away = True
            raise
        if self._away:
            self._away = False
            for path in self._unfinished:
                self._watched[path].since_s = now_s
        return present

    def _given_up(self, gone: Iterable[str], now_s: float) -> list[Finding]:
        """Unfinished files that are no longer in the folder, though the folder is."""
        findings: list[Finding] = []
        for path in gone:
            entry = self._watched[path]
            entry.reason = "it vanished before it was complete"
            if now_s - entry.since_s >= self.stall_s:
                file = FileReady(Path(path), entry.version[0], entry.version[1])
                findings.append(self._reported(path, file, Progress.INCOMPLETE))
                entry.version = _GONE
        return findings

    def _reported(self, path: str, file: FileReady, progress: Progress) -> Finding:
        entry = self._watched[path]
        entry.reported = True
        self._unfinished.discard(path)
        self.reported += 1
        return Finding(entry.slice_number, file, progress, entry.reason)

    def _ask(self, path: str, now_s: float) -> None:
        """Size, time and inode of a file; a changed one is a new version."""
        try:
            status = os.stat(path, follow_symlinks=False)
        except OSError:
            return
        version = _version(status)
        entry = self._watched.get(path)
        if entry is None:
            number = slice_number(Path(path), self.pattern)
            if number is None:
                self._strangers.add(path)
                return
            self._watched[path] = _Watched(number, version, now_s, self.seen % _FULL_ROUND)
        elif _same(entry.version, version):
            entry.version = version
            return
        else:
            fresh = _Watched(entry.slice_number, version, now_s, entry.turn)
            self._watched[path] = fresh
            if not entry.reported:
                return
        self.seen += 1
        self._unfinished.add(path)

    def _judged(self, now_s: float) -> list[Finding]:
        findings: list[Finding] = []
        for path in tuple(self._unfinished):
            entry = self._watched[path]
            progress = self._progress(path, entry, now_s)
            if progress is not None:
                file = FileReady(Path(path), entry.version[0], entry.version[1])
                findings.append(self._reported(path, file, progress))
        return sorted(findings, key=lambda f: (f.slice_number, f.file.mtime_ns, str(f.file.path)))

    def _progress(self, path: str, entry: _Watched, now_s: float) -> Progress | None:
        """What to report of a version; None while it may still become complete."""
        age_s = now_s - entry.since_s
        stalled = age_s >= self.stall_s
        if age_s < self.settle_s or (now_s - entry.judged_s < _READ_AGAIN_S and not stalled):
            return None
        if self.sentinel and not os.path.exists(path + self.sentinel):
            entry.reason = f"its sentinel file *{self.sentinel} is not there"
            return None
        entry.judged_s = now_s
        verdict = self._verdict(path, entry)
        if verdict is None:
            return None
        entry.reason = verdict.reason
        if verdict.progress is Progress.COMPLETE or (stalled and verdict.progress is Progress.DOUBTFUL):
            self._learn(path, verdict)
            return Progress.COMPLETE
        return verdict.progress if stalled or verdict.progress is Progress.DAMAGED else None

    def _verdict(self, path: str, entry: _Watched) -> Verdict | None:
        """The judgement of exactly this version; None if it cannot be read now or changed meanwhile."""
        expected = self._vendor_tags.get(os.path.dirname(path), frozenset[int]())
        try:
            verdict = judge_file(Path(path), entry.version[0], expected)
            status = os.stat(path, follow_symlinks=False)
        except OSError as error:
            entry.reason = f"it cannot be read now: {error.strerror or error}"
            return None
        return verdict if _version(status) == entry.version else None

    def _learn(self, path: str, verdict: Verdict) -> None:
        """Files of one folder come from one microscope: what one carries, all carry."""
        folder = os.path.dirname(path)
        carried = verdict.vendor_tags & _TELLING_TAGS
        self._vendor_tags[folder] = self._vendor_tags.get(folder, carried) & carried


def _version(status: os.stat_result) -> Version:
    return status.st_size, status.st_mtime_ns, status.st_ino


def _same(known: Version, now: Version) -> bool:
    """Inode -1 stands for a version known from a journal: inodes change when a share is mounted again."""
    return known == now or (known[2] == -1 and known[:2] == now[:2])


def _images(folder: Path) -> Iterator[str]:
    """Paths of all plain files below ``folder``, sorted within each folder.

    Symbolic links are not followed: they could lead out of the project, or in circles. A sub-folder that
    vanishes while it is listed is skipped; the folder itself must be there.
    """
    pending = [str(folder)]
    while pending:
        current = pending.pop()
        try:
            with os.scandir(current) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
                plain = [entry for entry in listed if not entry.is_symlink()]
                pending += [entry.path for entry in plain if entry.is_dir() and not _skipped(entry.name)]
                yield from (entry.path for entry in plain if entry.is_file())
        except OSError:
            if current == str(folder):
                raise


def _skipped(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _SKIPPED_FOLDERS
