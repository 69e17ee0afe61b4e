"""The state machine of slices, as a table of named cases: what comes, and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from daemon.assembly import Finish, Refusal, Tick
from daemon.assembly_state import AssemblyRules, ChannelRule

from .assembly_script import RULES, After, Script, image, pair, reject, run, told


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
HELD = ("SEM 1.0/001.tif held", "SEM 2.0/001.tif held", "SEM 1.0/002.tif held")
"""Until three images show that the microscope counts from one again."""
DETECTORS = replace(RULES, channels=(ChannelRule("tld", 2.0, "TLD"), ChannelRule("icd", 2.0, "ICD")))
SIGNALS = replace(RULES, channels=(ChannelRule("se2", 0.0, "SE2"), ChannelRule("lens", 0.0, "InLens")))
ONE_NAMED = replace(RULES, channels=(ChannelRule("rest", 2.0), ChannelRule("lens", 2.0, "InLens")))

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
    "detectors alone tell channels apart, at any voltage": Case(
        [image(1, 1.5, detector="InLens", folder="a"), image(1, 1.5, detector="SE2", folder="b")],
        ["slice 1"],
        SIGNALS,
    ),
    "a detector of no channel, at any voltage": Case(
        [image(1, 1.5, detector="ESB", folder="a")], ["a/001.tif: wrong detector"], SIGNALS
    ),
    "detector of no channel": Case(
        [image(1, 2.0, detector="ETD")], ["SEM 2.0/001.tif: wrong detector"], DETECTORS
    ),
    "the channel that names the detector has its images, the other one the rest": Case(
        [image(1, 2.0, detector="InLens", folder="a"), image(1, 2.0, detector="SE2", folder="b")],
        ["slice 1"],
        ONE_NAMED,
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
            *HELD,
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
            *HELD,
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
            *HELD,
            "number 1 is slice 3",
            "slice 3",
            "slice 4",
            *HELD,
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
            *HELD,
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
            *HELD,
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
            *HELD,
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
