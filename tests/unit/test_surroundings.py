"""Situations around a run: each is told once when it begins, and again only after it has ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from daemon import space
from daemon.errors import DiskFullError
from daemon.growing_array import unwritable
from daemon.ledger import Ledger
from daemon.surroundings import Surroundings
from daemon.watch import WatchHealth

PRESENT = WatchHealth(True, True, 0, 0.1, 0.01, "")
BOOKS = Ledger(9, 6, 1, 1, 1)
AWAY = WatchHealth(False, False, 0, 5.0, 0.01, "the folder cannot be listed: Host is down")


class Clock:
    """A monotonic clock that only the test moves."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def around(tmp_path: Path, clock: Clock, quiet_after_s: float = 0.0) -> Surroundings:
    """The surroundings of a run of 100 slices of three images."""
    return Surroundings(tmp_path, 100, 3, quiet_after_s, clock)


def test_a_share_that_is_away_is_told_once(tmp_path, clock):
    """While it is away once, and once more when it goes again."""
    surroundings = around(tmp_path, clock)
    told = [
        [alarm.kind for alarm in surroundings.look(health, BOOKS, 0, (), arrived=False)]
        for health in (PRESENT, AWAY, AWAY, PRESENT, AWAY)
    ]
    assert told == [[], ["acquisition folder unreachable"], [], [], ["acquisition folder unreachable"]]


def test_a_sub_folder_that_cannot_be_listed_is_told_once(tmp_path, clock):
    """Though the folder itself is there and its other files go on."""
    surroundings = around(tmp_path, clock)
    health = replace(PRESENT, hidden="the sub-folder SEM cannot be listed: Stale file handle")
    told = [surroundings.look(health, BOOKS, 0, (), arrived=False) for _ in range(3)]
    assert [[alarm.kind for alarm in alarms] for alarms in told] == [
        ["acquisition folder unreachable"],
        [],
        [],
    ]


def test_images_that_no_pattern_matches_are_told_once(tmp_path, clock):
    """With what the watcher says of them, and the key to correct."""
    surroundings = around(tmp_path, clock)
    health = replace(PRESENT, mismatch="none of 12 TIFF files matches")
    told = [surroundings.look(health, BOOKS, 0, (), arrived=False) for _ in range(3)]
    assert [len(alarms) for alarms in told] == [1, 0, 0]
    assert (told[0][0].kind, told[0][0].message) == ("no file matches", "none of 12 TIFF files matches")
    assert "run.file_pattern" in told[0][0].remedy


def test_standing_still_is_measured_by_the_runs_own_rhythm(tmp_path, clock):
    """Three intervals without a file, and not before, however late files are read; a file ends it."""
    surroundings = around(tmp_path, clock)
    rhythm_s = (500.0, 560.0, 600.0)
    assert surroundings.look(PRESENT, BOOKS, 3, rhythm_s, arrived=True) == []
    clock.now_s += 3 * 560.0 - 1.0
    assert surroundings.look(PRESENT, BOOKS, 3, rhythm_s, arrived=False) == []
    clock.now_s += 2.0
    (alarm,) = surroundings.look(PRESENT, BOOKS, 3, rhythm_s, arrived=True)
    assert alarm.kind == "acquisition stands still"
    assert alarm.limit == pytest.approx(1680.0)
    assert surroundings.look(PRESENT, BOOKS, 3, rhythm_s, arrived=False) == []
    found = replace(PRESENT, found_s_ago=3.0)
    assert surroundings.look(found, BOOKS, 4, rhythm_s, arrived=False) == []
    assert [alarm.kind for alarm in surroundings.look(PRESENT, BOOKS, 4, rhythm_s, arrived=False)] == [
        "acquisition stands still"
    ]


@pytest.mark.parametrize(("waiting", "kinds"), [(276, []), (275, ["acquisition stands still"])])
def test_a_microscope_that_has_written_all_slices_does_not_stand_still(tmp_path, clock, waiting, kinds):
    """Working off the last of them may take long; one image short of them it does stand still."""
    surroundings = around(tmp_path, clock)
    books = Ledger(seen=26 + waiting, processed=24, quarantined=1, ignored=1, waiting=waiting)
    surroundings.look(PRESENT, books, 8, (2.0, 2.0, 2.0), arrived=False)
    clock.now_s += 100.0
    told = surroundings.look(replace(PRESENT, found_s_ago=100.0), books, 8, (2.0, 2.0, 2.0), arrived=False)
    assert [alarm.kind for alarm in told] == kinds


def test_a_disk_that_will_be_full_is_told_in_time(tmp_path, clock, monkeypatch):
    """10 slices took a tenth of the room each percent: 90 are left and there is room for 40."""
    room = {"free": 100_000}
    monkeypatch.setattr(space, "free_bytes", lambda _folder: room["free"])
    surroundings = around(tmp_path, clock)
    assert surroundings.look(PRESENT, BOOKS, 0, (), arrived=True) == []
    room["free"] = 80_000
    (alarm,) = surroundings.look(PRESENT, BOOKS, 10, (), arrived=True)
    assert (alarm.kind, alarm.measurement, alarm.limit) == ("output disk fills up", 40.0, 90.0)
    assert surroundings.look(PRESENT, BOOKS, 10, (), arrived=True) == []


def test_enough_room_is_no_news(tmp_path, clock, monkeypatch):
    """Consumption that fits with a fifth to spare raises nothing; nor does a guess from a few slices."""
    room = {"free": 10**9}
    monkeypatch.setattr(space, "free_bytes", lambda _folder: room["free"])
    surroundings = around(tmp_path, clock)
    surroundings.look(PRESENT, BOOKS, 0, (), arrived=True)
    room["free"] -= 10**6
    assert surroundings.look(PRESENT, BOOKS, 50, (), arrived=True) == []
    assert space.Consumption(1000, 0).lasts_for(10, 4) == float("inf")


def test_books_that_do_not_balance_are_one_alarm(tmp_path, clock):
    """It says how many files and of how many, once for as long as they are unaccounted for."""
    off = Ledger(seen=10, processed=5, quarantined=2, ignored=1, waiting=1)
    surroundings = around(tmp_path, clock)
    told = [
        surroundings.look(PRESENT, books, 0, (), arrived=False) for books in (BOOKS, off, off, BOOKS, off)
    ]
    assert [len(alarms) for alarms in told] == [0, 1, 0, 0, 1]
    assert off.imbalance == told[1][0].measurement == 1
    assert "+1 of 10" in told[1][0].message


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError(122, "Disk quota exceeded"),
        ValueError('RESOURCE_EXHAUSTED: Error writing "x" [OS error 28: ENOSPC No space left on device]'),
    ],
    ids=["full", "quota", "tensorstore"],
)
def test_no_space_is_told_from_other_errors(error):
    """Only what room would mend pauses a run."""
    assert isinstance(unwritable(Path("out"), error), DiskFullError)
    assert not isinstance(unwritable(Path("out"), OSError(30, "Read-only file system")), DiskFullError)
