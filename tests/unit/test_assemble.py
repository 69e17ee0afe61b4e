"""What the state machine of slices tells beside its outcomes: once or twice, replaced, over, resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from daemon.assemble import resumed, step
from daemon.assembly import ClockSetBack, FrameAccepted, Quarantined, SliceComplete, Tick, as_slice
from daemon.items import GapReason, SliceGap

from .assembly_script import RULES, After, image, pair, reject, run, told


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
