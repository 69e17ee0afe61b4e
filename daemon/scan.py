"""One look at the acquisition folder: what is new, what has changed, what is complete.

Scanning is the truth; events only say when to look. A scan lists names (cheap) and asks the size and time of
those files that may have changed: unfinished ones, those an event named, and a share of the finished ones, so
that every finished file is asked again within ``_FULL_ROUND`` scans. The microscope's clock is never compared
with ours: times are only compared with themselves.

A *version* of a file is its (size, mtime, inode). A version is reported once, when two looks ``settle_s``
apart found the same version and its content is complete.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from daemon.completeness import FEI_INI, ZEISS, Progress, Verdict, judge_file
from daemon.folder_listing import Listing, listed, printable
from daemon.items import FileReady
from daemon.naming import mismatch, slice_number
from daemon.watched_file import GONE, WaitingFile, Watched, is_same, version_of

_FULL_ROUND: Final = 32
_READ_AGAIN_S: Final = 5.0
"""Network caches can show an old size and time for seconds: an unfinished file is judged again after this."""
_BLACK_S: Final = 30.0
"""An image that ends in zeros and has not changed for this long is taken for black at its bottom."""
_TELLING_TAGS: Final = frozenset({FEI_INI, ZEISS})
_MISNAMED: Final = "not opened, for its name is not UTF-8: mount the share with iocharset=utf8, or rename it"


@dataclass(frozen=True, slots=True)
class Finding:
    """A version that was judged: COMPLETE is ready, DAMAGED past mending, others are given up, and why."""

    slice_number: int
    file: FileReady
    progress: Progress
    reason: str = ""


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
    _watched: dict[str, Watched] = field(default_factory=dict[str, Watched])
    _strangers: set[str] = field(default_factory=set[str])
    _unfinished: set[str] = field(default_factory=set[str])
    _vendor_tags: dict[str, frozenset[int]] = field(default_factory=dict[str, frozenset[int]])
    _round: int = 0
    _away: bool = False
    _trouble: str = ""

    def know(self, files: Iterable[FileReady]) -> None:
        """Versions that an earlier process has dealt with: counted, but not reported again."""
        for file in files:
            number = slice_number(file.path, self.pattern)
            version = (file.size, file.mtime_ns, -1)
            entry = Watched(number or 0, version, 0.0, turn=self.seen % _FULL_ROUND, reported=True)
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
        listing = self._listed(now_s)
        self._round = (self._round + 1) % _FULL_ROUND
        asked = self._unfinished.union(hinted)
        found: list[Finding] = []
        for path in listing.paths:
            name = printable(path)
            if name in self._strangers:
                continue
            entry = self._watched.get(name)
            if name != path:
                found += self._misnamed(path, name, now_s) if entry is None else ()
            elif entry is None or entry.turn == self._round or path in asked:
                self._ask(path, now_s)
        gone = self._given_up(self._unfinished.difference(listing.paths), listing, now_s)
        return self._judged(now_s) + found + gone

    def look_at_unfinished(self, now_s: float) -> list[Finding]:
        """Look only at files that are known to be unfinished: between full looks, while one is written."""
        for path in tuple(self._unfinished):
            self._ask(path, now_s)
        return self._judged(now_s)

    def take_back(self, files: Iterable[FileReady], now_s: float) -> None:
        """Versions that were given out and could not be reached: they wait as if they had just been found.

        One that another has taken the place of meanwhile was never read: the two are one version, as they are
        of a file that changes before it is complete.
        """
        for file in files:
            entry = self._watched[str(file.path)]
            self.reported -= 1
            if entry.reported and entry.version[:2] == (file.size, file.mtime_ns):
                entry.reported, entry.since_s, entry.judged_s = False, now_s, float("-inf")
                self._unfinished.add(str(file.path))
            else:
                self.seen -= 1

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

    @property
    def trouble(self) -> str:
        """Which sub-folders could not be listed in the last look, and why; empty if all could."""
        return self._trouble

    def _listed(self, now_s: float) -> Listing:
        """All files; the first after the share was away grants every unfinished file its time again."""
        try:
            listing = listed(self.folder)
            self._refuse_emptied(listing)
        except OSError:
            self._away = True
            raise
        if self._away:
            self._away = False
            for path in self._unfinished:
                self._watched[path].since_s = now_s
        self._trouble = listing.trouble
        return listing

    def _refuse_emptied(self, listing: Listing) -> None:
        """The mount point of an unmounted share is a folder without a single image: that is no deletion.

        Raises
        ------
        OSError
            There were images, and there is none any more.
        """
        if any(path in self._watched for path in listing.paths):
            return
        names = {printable(path) for path in listing.paths} - self._strangers
        if any(slice_number(Path(name), self.pattern) is not None for name in names):
            return
        known = sum(entry.version != GONE for entry in self._watched.values())
        if known:
            raise OSError(
                errno.ENOENT, f"none of its {known} images is there, as in a share's empty mount point"
            )

    def _given_up(self, gone: Iterable[str], listing: Listing, now_s: float) -> list[Finding]:
        """Unfinished files that are no longer in the folder, though the folder is."""
        findings: list[Finding] = []
        for path in gone:
            entry = self._watched[path]
            if listing.hides(path):
                entry.since_s = now_s
                continue
            entry.reason = "it vanished before it was complete"
            if now_s - entry.since_s >= self.stall_s:
                file = FileReady(Path(path), entry.version[0], entry.version[1])
                findings.append(self._reported(path, file, Progress.INCOMPLETE))
                entry.version = GONE
        return findings

    def _reported(self, path: str, file: FileReady, progress: Progress) -> Finding:
        entry = self._watched[path]
        entry.reported = True
        self._unfinished.discard(path)
        self.reported += 1
        return Finding(entry.slice_number, file, progress, entry.reason)

    def _misnamed(self, path: str, name: str, now_s: float) -> list[Finding]:
        """A file whose path cannot be recorded: reported once, under a name that can, and not looked into."""
        number = slice_number(Path(name), self.pattern)
        if number is None:
            self._strangers.add(name)
            return []
        try:
            version = version_of(os.stat(path, follow_symlinks=False))
        except OSError:
            return []
        self._watched[name] = Watched(number, version, now_s, self.seen % _FULL_ROUND, reason=_MISNAMED)
        self.seen += 1
        return [self._reported(name, FileReady(Path(name), version[0], version[1]), Progress.MISNAMED)]

    def _ask(self, path: str, now_s: float) -> None:
        """Size, time and inode of a file; a changed one is a new version."""
        try:
            status = os.stat(path, follow_symlinks=False)
        except OSError:
            return
        version = version_of(status)
        entry = self._watched.get(path)
        if entry is None:
            number = slice_number(Path(path), self.pattern)
            if number is None:
                self._strangers.add(path)
                return
            self._watched[path] = Watched(number, version, now_s, self.seen % _FULL_ROUND)
        elif is_same(entry.version, version):
            entry.version = version
            return
        else:
            fresh = Watched(entry.slice_number, version, now_s, entry.turn)
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

    def _progress(self, path: str, entry: Watched, now_s: float) -> Progress | None:
        """What to report of a version; None while it may still become complete."""
        age_s = now_s - entry.since_s
        stalled, black = age_s >= self.stall_s, age_s >= min(_BLACK_S, self.stall_s)
        ripe = stalled or (black and entry.unproven)
        if age_s < self.settle_s or (now_s - entry.judged_s < _READ_AGAIN_S and not ripe):
            return None
        if self.sentinel and not os.path.exists(path + self.sentinel):
            entry.reason = f"its sentinel file *{self.sentinel} is not there"
            return None
        entry.judged_s = now_s
        verdict = self._verdict(path, entry)
        if verdict is None:
            return None
        entry.reason, entry.unproven = verdict.reason, verdict.progress is Progress.UNPROVEN
        # A sentinel vouches for the whole file, a black bottom too.
        black = black or bool(self.sentinel)
        believed = (stalled and verdict.progress is Progress.DOUBTFUL) or (black and entry.unproven)
        if verdict.progress is Progress.COMPLETE or believed:
            self._learn(path, verdict)
            return Progress.COMPLETE
        return verdict.progress if stalled or verdict.progress is Progress.DAMAGED else None

    def _verdict(self, path: str, entry: Watched) -> Verdict | None:
        """The judgement of exactly this version; None if it cannot be read now or changed meanwhile."""
        expected = self._vendor_tags.get(os.path.dirname(path), frozenset[int]())
        try:
            verdict = judge_file(Path(path), entry.version[0], expected)
            status = os.stat(path, follow_symlinks=False)
        except OSError as error:
            entry.reason = f"it cannot be read now: {error.strerror or error}"
            return None
        return verdict if version_of(status) == entry.version else None

    def _learn(self, path: str, verdict: Verdict) -> None:
        """Files of one folder come from one microscope: what one carries, all carry."""
        folder = os.path.dirname(path)
        carried = verdict.vendor_tags & _TELLING_TAGS
        self._vendor_tags[folder] = self._vendor_tags.get(folder, carried) & carried
