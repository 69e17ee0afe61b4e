"""The state machine of slices, as a table of named cases: what comes, and what must come of it.

A case is a list of events in a small language: ``image(slice, kV)`` is a file of that slice, ``reject`` one
that could not be read, ``After`` time that passes, ``Tick`` a look at the clock, ``Finish`` the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from daemon.assemble import initial, resumed, step
from daemon.assembly import (
    ClockSetBack,
    FileRejected,
    Finish,
    FrameAccepted,
    FrameArrived,
    Held,
    Ignored,
    OtherProject,
    Outcome,
    Quarantined,
    Refusal,
    Renumbered,
    SliceComplete,
    Tick,
    as_slice,
)
from daemon.assembly_state import AssemblyRules, AssemblyState, ChannelRule
from daemon.codec import pack, unpack
from daemon.items import Frame, FrameMetadata, GapReason, SliceGap

RULES = AssemblyRules((ChannelRule("1kV", 1.0), ChannelRule("2kV", 2.0)))
START = datetime(2026, 1, 1)


@dataclass(frozen=True)
class After:
    """Seconds that pass before the next event."""

    seconds: float


Script = Sequence[FrameArrived | FileRejected | Tick | Finish | After]


def image(
    index: int, kv: float | None, *, content: str = "", folder: str = "", at_s: float | None = None,
    shape: tuple[int, int] = (4, 6), beam: str = "electron", detector: str = "TLD",
) -> FrameArrived:  # fmt: skip
    """A file of a slice; its content is its own unless given, its folder that of its voltage unless given."""
    taken = START + timedelta(seconds=index * 100.0 + (kv or 0) if at_s is None else at_s)
    path = Path(folder or f"SEM {kv}") / f"{index:03d}.tif"
    sha = hashlib.sha256((content or f"{path}").encode()).hexdigest()
    said = FrameMetadata(beam, kv, detector, 3.26, None, None, None, taken)
    written_ns = int((taken - START).total_seconds() * 1e9) + 10**18
    return FrameArrived(Frame(path, index, np.zeros(shape, np.uint8), said, sha), written_ns)


def pair(index: int) -> tuple[FrameArrived, FrameArrived]:
    """Both images of a slice."""
    return image(index, 1.0), image(index, 2.0)


def reject(
    index: int, folder: str, reason: Refusal = Refusal.UNREADABLE, written_s: float = 0.0
) -> FileRejected:
    """A file that became no frame."""
    written_ns = int(written_s * 1e9) + 10**18
    return FileRejected(Path(folder) / f"{index:03d}.tif", index, reason, "torn", written_ns)


def run(script: Script, rules: AssemblyRules = RULES) -> tuple[AssemblyState, list[Outcome]]:
    """Play a script, one second between events; at every step the books balance and the state is storable."""
    state, now_s, outcomes = initial(rules), 0.0, list[Outcome]()
    for event in script:
        if isinstance(event, After):
            now_s += event.seconds
            continue
        now_s += 1.0
        state, more = step(state, event, now_s)
        outcomes += more
        assert state.tally.waiting == len(state.waiting)
    assert unpack(AssemblyState, pack(state)) == state
    return state, outcomes


def told(outcomes: Sequence[Outcome]) -> list[str]:
    """Outcomes in words, without the acceptances."""
    words: list[str] = []
    for outcome in outcomes:
        match outcome:
            case SliceComplete(index, _):
                words.append(f"slice {index}")
            case SliceGap(index, reason, _):
                words.append(f"gap {index}: {reason}")
            case Quarantined(path, _, reason, _):
                words.append(f"{path}: {reason}")
            case Ignored(path, _, reason):
                words.append(f"{path} ignored: {reason}")
            case Held(path):
                words.append(f"{path} held")
            case Renumbered(index, number):
                words.append(f"number {number} is slice {index}")
            case OtherProject(_, folder):
                words.append(f"another project in {folder}")
            case ClockSetBack(index):
                words.append(f"clock back at {index}")
            case FrameAccepted():
                pass
    return words


@dataclass(frozen=True)
class Case:
    """Events, and what they must lead to."""

    script: Script
    expected: list[str]
    rules: AssemblyRules = field(default=RULES)


SIX = [event for index in range(1, 7) for event in pair(index)]
AGAIN_AT_1000, AGAIN_AT_2000 = (
    [
        image(index, kv, content=f"{index} {kv} {at_s}", at_s=at_s + 100.0 * index + kv)
        for index in (1, 2)
        for kv in (1.0, 2.0)
    ]
    for at_s in (1000.0, 2000.0)
)
DETECTORS = replace(RULES, channels=(ChannelRule("tld", 2.0, "TLD"), ChannelRule("icd", 2.0, "ICD")))

CASES = {
    "in order": Case([*pair(1), *pair(2)], ["slice 1", "slice 2"]),
    "channels in any order": Case([image(1, 2.0), image(1, 1.0)], ["slice 1"]),
    "voltage decides, not the folder": Case(
        [image(1, 1.0, folder="4kV"), image(1, 2.0, folder="1kV")], ["slice 1"]
    ),
    "voltage within two per cent": Case([image(1, 1.015), image(1, 1.97)], ["slice 1"]),
    "begins above one": Case([*pair(37), *pair(38)], ["slice 37", "slice 38"]),
    "begins at zero": Case([*pair(0), *pair(1)], ["slice 0", "slice 1"]),
    "waits its turn": Case(
        [*pair(1), image(2, 1.0), *pair(3), image(2, 2.0)], ["slice 1", "slice 2", "slice 3"]
    ),
    "nothing is late while files are unread": Case(
        [*pair(1), image(2, 1.0), After(1e6), Tick(unread=1)], ["slice 1"]
    ),
    "a pause is no loss": Case(
        [*SIX, image(7, 1.0), After(500.0), Tick()], [f"slice {i}" for i in range(1, 7)]
    ),
    "overtaken by three whole slices": Case(
        [*pair(1), image(2, 1.0), *pair(3), *pair(4), *pair(5)],
        ["slice 1", "SEM 1.0/002.tif: partial slice", "gap 2: incomplete", "slice 3", "slice 4", "slice 5"],
    ),
    "missing altogether": Case(
        [*pair(1), *pair(3), *pair(4), *pair(5)],
        ["slice 1", "gap 2: missing", "slice 3", "slice 4", "slice 5"],
    ),
    "missing, told by the rhythm": Case(
        [*SIX, *pair(8), After(99.0), Tick(), After(5.0), Tick()],
        [*(f"slice {i}" for i in range(1, 7)), "gap 7: missing", "slice 8"],
    ),
    "missing, as configured": Case(
        [*pair(1), image(2, 1.0), After(31.0), Tick()],
        ["slice 1", "SEM 1.0/002.tif: partial slice", "gap 2: incomplete"],
        replace(RULES, missing_after_s=30.0),
    ),
    "last expected slice lacks an image": Case(
        [*SIX, image(7, 1.0), After(301.0), Tick()],
        [*(f"slice {i}" for i in range(1, 7)), "SEM 1.0/007.tif: partial slice", "gap 7: incomplete"],
        replace(RULES, expected_slices=7),
    ),
    "late": Case(
        [*pair(1), image(2, 1.0), *pair(3), *pair(4), *pair(5), image(2, 2.0, at_s=202.0)],
        [
            "slice 1",
            "SEM 1.0/002.tif: partial slice",
            "gap 2: incomplete",
            "slice 3",
            "slice 4",
            "slice 5",
            "SEM 2.0/002.tif: late",
        ],
    ),
    "before the first": Case([*pair(5), image(4, 1.0)], ["slice 5", "SEM 1.0/004.tif: late"]),
    "touched, content unchanged": Case(
        [*pair(1), image(1, 1.0)], ["slice 1", "SEM 1.0/001.tif ignored: unchanged"]
    ),
    "touched while it waits": Case([image(1, 1.0), image(1, 1.0)], ["SEM 1.0/001.tif ignored: unchanged"]),
    "duplicate under another name": Case(
        [*pair(1), image(2, 1.0, content="SEM 1.0/001.tif")], ["slice 1", "SEM 1.0/002.tif: duplicate"]
    ),
    "duplicate while it waits": Case(
        [image(1, 1.0, content="x"), image(2, 1.0, content="x")], ["SEM 1.0/002.tif: duplicate"]
    ),
    "overwritten after it was processed": Case(
        [*pair(1), *pair(2), image(1, 1.0, content="new", at_s=101.0)],
        ["slice 1", "slice 2", "SEM 1.0/001.tif: overwritten"],
    ),
    "rewritten while it waits": Case(
        [image(1, 1.0), image(1, 1.0, content="new"), image(1, 2.0)],
        ["SEM 1.0/001.tif: superseded", "slice 1"],
    ),
    "two files claim one image": Case(
        [image(1, 1.0), image(1, 1.0, folder="other"), image(1, 2.0)], ["other/001.tif: conflict", "slice 1"]
    ),
    "a folder's habit shows which of two is astray": Case(
        [*pair(1), image(2, 2.0, folder="SEM 1.0"), image(2, 2.0), *pair(3), *pair(4), *pair(5)],
        [
            "slice 1",
            "SEM 1.0/002.tif: superseded",
            "SEM 2.0/002.tif: partial slice",
            "gap 2: incomplete",
            "slice 3",
            "slice 4",
            "slice 5",
        ],
    ),
    "wrong voltage closes the slice": Case(
        [*pair(1), image(2, 4.0, folder="SEM 1.0"), image(2, 2.0)],
        [
            "slice 1",
            "SEM 1.0/002.tif: wrong voltage",
            "SEM 2.0/002.tif: partial slice",
            "gap 2: wrong voltage",
        ],
    ),
    "voltage of no channel": Case([image(1, 5.0), *pair(1)], ["SEM 5.0/001.tif: wrong voltage", "slice 1"]),
    "no voltage": Case([image(1, None), *pair(1)], ["SEM None/001.tif: no metadata", "slice 1"]),
    "wrong size": Case(
        [*pair(1), image(2, 1.0, shape=(4, 5)), image(2, 2.0)],
        ["slice 1", "SEM 1.0/002.tif: wrong size", "SEM 2.0/002.tif: partial slice", "gap 2: wrong size"],
    ),
    "sizes differ in the first slice": Case(
        [image(1, 1.0, shape=(4, 5)), image(1, 2.0)],
        ["SEM 1.0/001.tif: partial slice", "SEM 2.0/001.tif: partial slice", "gap 1: wrong size"],
    ),
    "unreadable": Case(
        [*pair(1), reject(2, "SEM 1.0"), image(2, 2.0)],
        ["slice 1", "SEM 1.0/002.tif: unreadable", "SEM 2.0/002.tif: partial slice", "gap 2: unreadable"],
    ),
    "unreadable and written anew in time": Case(
        [*pair(1), reject(2, "SEM 1.0"), image(2, 1.0), image(2, 2.0)],
        ["slice 1", "SEM 1.0/002.tif: unreadable", "slice 2"],
    ),
    "a version that changed while it was read does not close the slice": Case(
        [*pair(1), reject(2, "SEM 1.0", Refusal.SUPERSEDED), image(2, 2.0), image(2, 1.0)],
        ["slice 1", "SEM 1.0/002.tif: superseded", "slice 2"],
    ),
    "unreadable in a foreign folder does not close the slice": Case(
        [*pair(1), reject(2, "FIB Image"), image(2, 2.0), image(2, 1.0)],
        ["slice 1", "FIB Image/002.tif: unreadable", "slice 2"],
    ),
    "never finished": Case(
        [*pair(1), image(2, 1.0), reject(2, "SEM 2.0", Refusal.NEVER_FINISHED)],
        ["slice 1", "SEM 2.0/002.tif: never finished", "SEM 1.0/002.tif: partial slice", "gap 2: incomplete"],
    ),
    "ion beam": Case(
        [image(1, 30.0, beam="ion"), *pair(1)], ["SEM 30.0/001.tif ignored: ion beam", "slice 1"]
    ),
    "detectors tell channels of one voltage apart": Case(
        [image(1, 2.0, detector="icd", folder="a"), image(1, 2.0, detector="TLD", folder="b")],
        ["slice 1"],
        DETECTORS,
    ),
    "detector of no channel": Case(
        [image(1, 2.0, detector="ETD")], ["SEM 2.0/001.tif: wrong detector"], DETECTORS
    ),
    "beyond the expected end": Case(
        [*pair(1), *pair(2), image(3, 1.0)],
        ["slice 1", "slice 2", "SEM 1.0/003.tif: unexpected index"],
        replace(RULES, expected_slices=2),
    ),
    "absurdly far ahead": Case(
        [*pair(1), image(5000, 1.0)], ["slice 1", "SEM 1.0/5000.tif: unexpected index"]
    ),
    "stray of another project does not close the run": Case(
        [*SIX, image(400, 1.0), After(1e5), Tick(), *pair(7), Finish()],
        [*(f"slice {i}" for i in range(1, 8)), "SEM 1.0/400.tif: unexpected index"],
    ),
    "finish closes what is left": Case(
        [*pair(1), image(2, 1.0), *pair(4), image(5, 2.0), Finish()],
        [
            "slice 1",
            "SEM 1.0/002.tif: partial slice",
            "gap 2: incomplete",
            "gap 3: missing",
            "slice 4",
            "SEM 2.0/005.tif: partial slice",
            "gap 5: incomplete",
        ],
    ),
    "counts again from one": Case(
        [
            *pair(1),
            *pair(2),
            *pair(3),
            image(1, 1.0, content="a", at_s=900.0),
            image(1, 2.0, content="b", at_s=901.0),
            image(2, 1.0, content="c", at_s=1000.0),
            image(2, 2.0, content="d", at_s=1001.0),
        ],
        [
            *(f"slice {i}" for i in (1, 2, 3)),
            "SEM 1.0/001.tif held",
            "SEM 2.0/001.tif held",
            "SEM 1.0/002.tif held",
            "number 1 is slice 4",
            "slice 4",
            "slice 5",
        ],
    ),
    "counts again in the middle of a slice": Case(
        [
            *pair(37),
            image(38, 1.0),
            image(1, 1.0, at_s=9000.0),
            image(1, 2.0, at_s=9001.0),
            image(2, 1.0, at_s=9100.0),
            image(2, 2.0, at_s=9101.0),
        ],
        [
            "slice 37",
            "SEM 1.0/001.tif held",
            "SEM 2.0/001.tif held",
            "SEM 1.0/002.tif held",
            "SEM 1.0/038.tif: partial slice",
            "gap 38: incomplete",
            "number 1 is slice 39",
            "slice 39",
            "slice 40",
        ],
    ),
    "counts again and again": Case(
        [*pair(1), *pair(2), *AGAIN_AT_1000, *AGAIN_AT_2000],
        [
            "slice 1",
            "slice 2",
            "SEM 1.0/001.tif held",
            "SEM 2.0/001.tif held",
            "SEM 1.0/002.tif held",
            "number 1 is slice 3",
            "slice 3",
            "slice 4",
            "SEM 1.0/001.tif held",
            "SEM 2.0/001.tif held",
            "SEM 1.0/002.tif held",
            "number 1 is slice 5",
            "slice 5",
            "slice 6",
        ],
    ),
    "a torn image after a restart costs its new slice": Case(
        [
            *pair(1),
            *pair(2),
            *AGAIN_AT_1000,
            reject(3, "SEM 1.0", written_s=1200.0),
            image(3, 2.0, at_s=1201.0),
        ],
        [
            "slice 1",
            "slice 2",
            "SEM 1.0/001.tif held",
            "SEM 2.0/001.tif held",
            "SEM 1.0/002.tif held",
            "number 1 is slice 3",
            "slice 3",
            "slice 4",
            "SEM 1.0/003.tif: unreadable",
            "SEM 2.0/003.tif: partial slice",
            "gap 5: unreadable",
        ],
    ),
    "an image of before a restart is late": Case(
        [*pair(1), *pair(2), image(3, 1.0), *AGAIN_AT_1000, image(3, 2.0, at_s=302.0)],
        [
            "slice 1",
            "slice 2",
            "SEM 1.0/001.tif held",
            "SEM 2.0/001.tif held",
            "SEM 1.0/002.tif held",
            "SEM 1.0/003.tif: partial slice",
            "gap 3: incomplete",
            "number 1 is slice 4",
            "slice 4",
            "slice 5",
            "SEM 2.0/003.tif: late",
        ],
    ),
    "a clock set back after a restart": Case(
        [*pair(1), *pair(2), *pair(3), *AGAIN_AT_1000, image(3, 1.0, content="e", at_s=50.0)],
        [
            *(f"slice {i}" for i in (1, 2, 3)),
            "SEM 1.0/001.tif held",
            "SEM 2.0/001.tif held",
            "SEM 1.0/002.tif held",
            "number 1 is slice 4",
            "slice 4",
            "slice 5",
            "clock back at 6",
        ],
    ),
    "a held image that is written again": Case(
        [
            *pair(1),
            image(1, 1.0, content="a", at_s=900.0),
            image(1, 1.0, content="a", at_s=900.0),
            image(1, 1.0, content="b", at_s=901.0),
            Finish(),
        ],
        [
            "slice 1",
            "SEM 1.0/001.tif held",
            "SEM 1.0/001.tif ignored: unchanged",
            "SEM 1.0/001.tif: superseded",
            "SEM 1.0/001.tif held",
            "SEM 1.0/001.tif: overwritten",
        ],
    ),
    "two projects in one folder": Case(
        [
            *(image(1, kv, folder=f"{name}/SEM {kv}") for kv in (1.0, 2.0) for name in "AB"),
            *(image(2, kv, folder=f"{name}/SEM {kv}") for kv in (1.0, 2.0) for name in "BA"),
        ],
        [
            "another project in B",
            "B/SEM 1.0/001.tif: other project",
            "slice 1",
            "B/SEM 2.0/001.tif: other project",
            "B/SEM 1.0/002.tif: other project",
            "B/SEM 2.0/002.tif: other project",
            "slice 2",
        ],
    ),
    "another project beside, in folders of the same level": Case(
        [*pair(1), image(1, 1.0, folder="old 1.0"), image(2, 1.0, folder="old 1.0"), *pair(2)],
        [
            "slice 1",
            "another project in old 1.0",
            "old 1.0/001.tif: other project",
            "old 1.0/002.tif: other project",
            "slice 2",
        ],
    ),
    "the first slice is refused altogether": Case(
        [reject(1, "SEM 1.0"), reject(1, "SEM 2.0"), *pair(2)],
        ["SEM 1.0/001.tif: unreadable", "SEM 2.0/001.tif: unreadable", "gap 1: unreadable", "slice 2"],
    ),
    "every slice is refused altogether": Case(
        [event for i in (1, 2, 3) for event in (image(i, 5.0), image(i, 7.0))],
        [
            *(f"SEM {kv}/001.tif: wrong voltage" for kv in (5.0, 7.0)),
            "SEM 5.0/002.tif: wrong voltage",
            "gap 1: wrong voltage",
            "SEM 7.0/002.tif: wrong voltage",
            "SEM 5.0/003.tif: wrong voltage",
            "gap 2: wrong voltage",
            "SEM 7.0/003.tif: wrong voltage",
        ],
    ),
    "a refused file far before the first slice does not begin the run": Case(
        [reject(1, "SEM 1.0"), *pair(37)], ["SEM 1.0/001.tif: unreadable", "slice 37"]
    ),
    "one image taken again is no restart": Case(
        [
            *pair(1),
            *pair(2),
            image(1, 1.0, content="a", at_s=250.0),
            *pair(3),
            image(1, 2.0, content="b", at_s=350.0),
            Finish(),
        ],
        [
            "slice 1",
            "slice 2",
            "SEM 1.0/001.tif held",
            "SEM 1.0/001.tif: overwritten",
            "slice 3",
            "SEM 2.0/001.tif held",
            "SEM 2.0/001.tif: overwritten",
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_case(case: Case) -> None:
    """Each situation of the table leads to exactly the outcomes that its row names, in that order."""
    _, outcomes = run(case.script, case.rules)
    assert told(outcomes) == case.expected


def test_a_lost_slice_is_told_once() -> None:
    """The file that cost a slice has its alarm; the gap, its orphans and latecomers are marked as told."""
    script = [*pair(1), image(2, 1.0), *pair(3), reject(2, "SEM 2.0"), image(2, 2.0, content="mended")]
    _, outcomes = run(script)
    quarantined = [outcome for outcome in outcomes if isinstance(outcome, Quarantined)]
    assert [(str(q.reason), q.told) for q in quarantined] == [
        ("unreadable", False),
        ("partial slice", True),
        ("late", True),
    ]
    assert [outcome.told for outcome in outcomes if isinstance(outcome, SliceGap)] == [True]


def test_a_gap_without_a_file_to_blame_is_news() -> None:
    """Nothing else tells of an image that never came."""
    _, outcomes = run([*pair(1), image(2, 1.0), *pair(3), *pair(4), *pair(5)])
    assert [outcome.told for outcome in outcomes if isinstance(outcome, SliceGap)] == [False]


def test_a_swapped_voltage_explains_the_gap() -> None:
    """A second 2 kV image in the folder that has always had 1 kV is why there is no 1 kV image."""
    stray = image(3, 2.0, folder="SEM 1.0", content="stray")
    for last in ((image(3, 2.0), stray), (stray, image(3, 2.0))):
        _, outcomes = run([*pair(1), *pair(2), *last])
        (gap,) = [outcome for outcome in outcomes if isinstance(outcome, SliceGap)]
        assert (gap.index, gap.reason, gap.told) == (3, GapReason.WRONG_VOLTAGE, True)
        astray = [o for o in outcomes if isinstance(o, Quarantined) and not o.told]
        assert [o.path for o in astray] == [stray.frame.path]


def test_a_clock_that_is_set_back_is_told_once() -> None:
    """A new slice older than an earlier one is said; the run goes on, and so does the comparison."""
    back = [image(i, kv, at_s=i * 100.0 - 7200.0 + kv) for i in (3, 4) for kv in (1.0, 2.0)]
    _, outcomes = run([*pair(1), *pair(2), *back])
    (told_,) = [outcome for outcome in outcomes if isinstance(outcome, ClockSetBack)]
    assert told_.index == 3
    assert told_.back_s == pytest.approx(7200.0 - 99.0)
    assert [o.index for o in outcomes if isinstance(o, SliceComplete)] == [1, 2, 3, 4]


def test_every_image_is_accepted_before_its_slice_is_whole() -> None:
    """The first image of a slice can be worked on at once: its acceptance does not wait for the others."""
    _, outcomes = run([image(1, 2.0)])
    assert outcomes == [FrameAccepted(1, "2kV", Path("SEM 2.0/001.tif"), outcomes[0].sha256)]  # type: ignore[union-attr]


def test_replacement_names_what_it_replaces() -> None:
    """Whoever worked on the older content learns that it is void."""
    old, new = image(1, 1.0), image(1, 1.0, content="new")
    _, outcomes = run([old, new])
    assert isinstance(outcomes[-1], FrameAccepted)
    assert outcomes[-1].replaces == old.frame.sha256


def test_frames_join_their_slice() -> None:
    """The verdict and the frames give the slice, channels by name."""
    events = pair(1)
    _, outcomes = run(events)
    complete = next(outcome for outcome in outcomes if isinstance(outcome, SliceComplete))
    joined = as_slice(complete, RULES, {event.frame.sha256: event.frame for event in events})
    assert joined.frames["2kV"] is events[1].frame


def test_over_when_every_expected_slice_is_decided() -> None:
    """A run knows its end, wherever its numbers begin; gaps count."""
    for first in (0, 1):
        rules = replace(RULES, expected_slices=3)
        script = [*pair(first), *pair(first + 1)]
        assert not run(script, rules)[0].over
        assert run([*script, *pair(first + 2)], rules)[0].over


def test_waiting_begins_anew_in_a_new_process() -> None:
    """A monotonic clock of an earlier process means nothing: nobody is late at once after a restart."""
    rules = replace(RULES, missing_after_s=30.0)
    state, _ = run([*pair(1), image(2, 1.0), After(1e6)], rules)
    state, outcomes = step(resumed(state, state.rules, 5.0), Tick(), 6.0)
    assert outcomes == ()
    _, outcomes = step(state, Tick(), 36.0)
    assert told(outcomes)[-1] == f"gap 2: {GapReason.INCOMPLETE}"
