"""Files on their way into the loop, with a real folder and a clock that is a number: none is lost or held."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from daemon.arrivals import Arrivals
from daemon.assemble import initial, step
from daemon.assembly import Event, Outcome, Quarantined, Refusal, SliceComplete
from daemon.assembly_state import AssemblyRules, AssemblyState, ChannelRule
from daemon.codec import pack, unpack
from daemon.config import DEFAULT_FILE_PATTERN
from daemon.frame_shelf import FrameShelf
from daemon.intake import read_event
from daemon.items import SliceGap
from daemon.journal import open_journal
from daemon.metadata.plain import Sidecar
from daemon.resume import known_files
from daemon.spool import Spool
from daemon.watch import Watcher
from tests.conftest import WriteFei

RULES = AssemblyRules((ChannelRule("1kV", 1.0), ChannelRule("2kV", 2.0)))


def image_path(folder: Path, volts: int, index: int) -> Path:
    """Where the acquisition software puts an image."""
    return folder / f"SEM {volts}" / f"SEM Image - SliceImage - {index:03d}.tif"


@dataclass
class Loop:
    """The daemon's loop without its pipeline: each turn is one look of the watcher and one second."""

    project: Path
    spool: Path
    rules: AssemblyRules = RULES
    follow: bool = True
    now_s: float = 0.0
    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    def __post_init__(self) -> None:
        self.watcher = Watcher(self.project, DEFAULT_FILE_PATTERN, observer="off", clock=lambda: self.now_s)
        shelf = FrameShelf(DEFAULT_FILE_PATTERN, Sidecar(()), Spool(self.spool))
        self.arrivals = Arrivals(
            self.watcher, shelf, lambda ready: read_event(ready, shelf.pattern, shelf.sidecar)
        )
        self.state: AssemblyState = initial(self.rules)

    def turn(self, looks: bool = True) -> None:
        """Look, take what is there, let time pass; the books balance throughout."""
        if looks:
            self.watcher.look()
        for event, _ in self.arrivals.next(0.0, self.state, follow=self.follow):
            self.advance(event)
        self.now_s += 1.0

    def advance(self, event: Event) -> None:
        """One event."""
        self.state, more = step(self.state, event, self.now_s)
        self.outcomes += more
        assert self.arrivals.books(self.state.tally).imbalance == 0


def test_share_that_is_away_when_a_rewritten_file_is_read(tmp_path: Path, write_fei: WriteFei) -> None:
    """Its first version is put back when its second is already known: the books balance for good."""
    project, away = tmp_path / "project", tmp_path / "away"
    path = write_fei(image_path(project, 1000, 1), volts=1000)
    loop = Loop(project, tmp_path / "spool")
    for _ in range(2):
        loop.watcher.look()
        loop.now_s += 1.0
    write_fei(path, np.full((30, 32), 7, np.uint8), volts=1000)
    for _ in range(33):
        loop.watcher.look()
    project.rename(away)
    for _ in range(3):
        loop.turn()
    away.rename(project)
    for _ in range(12):
        loop.turn()
    books = loop.arrivals.books(loop.state.tally)
    assert (books.seen, books.waiting + books.quarantined, books.imbalance) == (1, 1, 0)


def test_a_name_that_is_not_utf8_goes_on_record(tmp_path: Path, write_fei: WriteFei) -> None:
    """It is in quarantine, the other file in its slice, and a restart knows both from the journal."""
    project = tmp_path / "project"
    write_fei(image_path(project, 1000, 3), volts=1000)
    bad = os.path.join(os.fsencode(project), b"SEM \xb5m", b"SEM Image - SliceImage - 003.tif")
    os.mkdir(os.path.dirname(bad))
    shutil.copyfile(write_fei(tmp_path / "elsewhere.tif"), bad)
    loop = Loop(project, tmp_path / "spool")
    journal = open_journal(tmp_path / "journal.sqlite", {}, lambda: datetime.now(UTC))
    for _ in range(8):
        loop.watcher.look()
        for event, version in loop.arrivals.next(0.0, loop.state, follow=True):
            loop.advance(event)
            if version is not None:
                with journal.transaction():
                    journal.append_file(version)
        loop.now_s += 1.0
    (refused,) = [o for o in loop.outcomes if isinstance(o, Quarantined)]
    assert (refused.path.parent.name, refused.slice_index) == ("SEM \\xb5m", 3)
    assert (refused.reason, "UTF-8" in refused.detail) == (Refusal.UNREADABLE, True)
    assert unpack(AssemblyState, pack(loop.state)) == loop.state
    again = Watcher(project, DEFAULT_FILE_PATTERN, observer="off", known=known_files(journal))
    for _ in range(40):
        again.look()
    assert again.counts == (2, 0)
    journal.close()


def decided(loop: Loop, kind: type[SliceComplete] | type[SliceGap]) -> list[int]:
    """Indices of slices, or of gaps."""
    return [o.index for o in loop.outcomes if isinstance(o, kind)]


def test_a_channel_that_never_comes_fills_no_memory(tmp_path: Path, write_fei: WriteFei) -> None:
    """Forty slices without their second image: eight are held, the others wait in the folder, then gaps."""
    project = tmp_path / "project"
    for index in range(1, 41):
        write_fei(image_path(project, 1000, index), volts=1000)
    loop = Loop(project, tmp_path / "spool")
    for _ in range(60):
        loop.turn()
        assert len(loop.state.waiting) <= 8
    assert (loop.arrivals.books(loop.state.tally).waiting, decided(loop, SliceGap)) == (40, [])
    loop.now_s += 1800.0
    for _ in range(400):
        loop.turn()
    assert decided(loop, SliceGap)[:30] == list(range(1, 31))
    assert len(loop.state.waiting) <= 8


def test_a_folder_that_is_only_read_once_moves_on(tmp_path: Path, write_fei: WriteFei) -> None:
    """Nothing more will come: the oldest slice is decided as it is, and the next files are read."""
    project = tmp_path / "project"
    for index in range(1, 21):
        write_fei(image_path(project, 1000, index), volts=1000)
    loop = Loop(project, tmp_path / "spool", follow=False)
    for _ in range(120):
        loop.turn()
        assert len(loop.state.waiting) <= 8
    assert loop.arrivals.exhausted
    assert decided(loop, SliceGap)[:12] == list(range(1, 13))


def test_a_project_copied_folder_by_folder_is_complete(tmp_path: Path, write_fei: WriteFei) -> None:
    """All first images, then all second ones, one each three seconds: no slice is given up."""
    project = tmp_path / "project"
    loop = Loop(project, tmp_path / "spool", AssemblyRules(RULES.channels, 20, missing_after_s=5.0))
    for volts in (1000, 2000):
        for index in range(1, 21):
            write_fei(image_path(project, volts, index), volts=volts)
            for _ in range(3):
                loop.turn()
                assert len(loop.state.waiting) <= 16
    for _ in range(60):
        loop.turn()
    assert decided(loop, SliceComplete) == list(range(1, 21))
    assert decided(loop, SliceGap) == []


def test_a_jump_of_the_numbers_with_a_channel_lost_does_not_block(
    tmp_path: Path, write_fei: WriteFei
) -> None:
    """Whole slices, then numbers far ahead without their second image: as many as may wait are no strays."""
    project = tmp_path / "project"
    for index in (1, 2):
        for volts in (1000, 2000):
            write_fei(image_path(project, volts, index), volts=volts)
    for index in range(40, 60):
        write_fei(image_path(project, 1000, index), volts=1000)
    loop = Loop(project, tmp_path / "spool")
    for _ in range(60):
        loop.turn()
    assert (decided(loop, SliceComplete), decided(loop, SliceGap)) == ([1, 2], [])
    loop.now_s += 1800.0
    for _ in range(60):
        loop.turn()
    assert decided(loop, SliceGap)[:40] == list(range(3, 43))


def test_files_in_quick_succession_hold_gaps_up_for_half_an_hour_at_most(
    tmp_path: Path, write_fei: WriteFei
) -> None:
    """A microscope with a slice a second that lost a channel is not a copy that will bring it."""
    project = tmp_path / "project"
    loop = Loop(project, tmp_path / "spool", AssemblyRules(RULES.channels, missing_after_s=60.0))
    for index in range(1, 12):
        write_fei(image_path(project, 1000, index), volts=1000)
        loop.turn()
    loop.now_s += 1700.0
    write_fei(image_path(project, 1000, 12), volts=1000)
    for _ in range(5):
        loop.turn()
    assert decided(loop, SliceGap) == []
    loop.now_s += 200.0
    write_fei(image_path(project, 1000, 13), volts=1000)
    for _ in range(5):
        loop.turn()
    assert decided(loop, SliceGap)[:2] == [1, 2]
