"""Whatever comes, in whatever order: every file ends in one place, and slices come out in order."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.assemble import initial, step
from daemon.assembly import (
    Event,
    FileRejected,
    Finish,
    FrameArrived,
    Ignored,
    Outcome,
    Quarantined,
    Refusal,
    SliceComplete,
    Tick,
)
from daemon.assembly_state import AssemblyRules, AssemblyState, ChannelRule
from daemon.codec import pack, unpack
from daemon.items import Frame, FrameMetadata, SliceGap

CHANNELS = (ChannelRule("1kV", 1.0), ChannelRule("2kV", 2.0), ChannelRule("4kV", 4.0))
REJECTIONS = [Refusal.UNREADABLE, Refusal.NEVER_FINISHED]


@st.composite
def arrivals(draw: st.DrawFn) -> FrameArrived:
    """An image of a small run: mostly sound, now and then of another voltage, size, beam, content or path."""
    index = draw(st.integers(0, 9))
    kv = draw(st.sampled_from([1.0, 2.0, 4.0, 1.0, 2.0, 4.0, 1.0, 2.0, 4.0, 7.0, None]))
    shape = draw(st.sampled_from([(4, 6)] * 9 + [(4, 5)]))
    beam = draw(st.sampled_from(["electron"] * 9 + ["ion"]))
    folder = draw(st.sampled_from([f"SEM {kv}"] * 9 + ["other"]))
    content = draw(st.sampled_from([f"{index} {kv}"] * 9 + ["copy", "new"]))
    taken = datetime(2026, 1, 1) + timedelta(seconds=draw(st.integers(0, 1000)))
    said = FrameMetadata(beam, kv, None, None, None, None, None, taken)
    path = Path(folder) / f"{index:03d}.tif"
    sha = hashlib.sha256(content.encode()).hexdigest()
    return FrameArrived(Frame(path, index, np.zeros(shape, np.uint8), said, sha), 10**18 + index)


REJECTED = st.builds(
    lambda index, kv, reason: FileRejected(
        Path(f"SEM {kv}") / f"{index:03d}.tif", index, reason, "torn", 10**18
    ),
    st.integers(0, 9),
    st.sampled_from([1.0, 2.0, 4.0]),
    st.sampled_from(REJECTIONS),
)
EVENTS = st.lists(
    st.tuples(arrivals() | REJECTED | st.builds(Tick, st.integers(0, 1)), st.floats(0.0, 1000.0)), max_size=60
)
RULES = st.builds(
    AssemblyRules,
    st.integers(1, 3).map(lambda count: CHANNELS[:count]),
    st.sampled_from([0, 0, 4, 10]),
    st.sampled_from([0.0, 50.0]),
    st.integers(1, 3),
)


def played(rules: AssemblyRules, events: list[tuple[Event, float]]) -> tuple[AssemblyState, list[Outcome]]:
    """Play events, then finish; at each step the books balance."""
    state, now_s, outcomes = initial(rules), 0.0, list[Outcome]()
    for event, pause_s in [*events, (Finish(), 0.0)]:
        now_s += pause_s
        state, more = step(state, event, now_s)
        outcomes += more
        assert state.tally.waiting == len(state.waiting)
    return state, outcomes


@given(RULES, EVENTS)
def test_every_file_ends_in_exactly_one_place(
    rules: AssemblyRules, events: list[tuple[Event, float]]
) -> None:
    """Arrived = processed + quarantined + ignored once a run is finished, and waiting is exact before."""
    state, outcomes = played(rules, events)
    tally = state.tally
    assert tally.waiting == 0
    assert tally.arrived == sum(isinstance(event, FrameArrived | FileRejected) for event, _ in events)
    assert tally.processed == sum(len(o.frames) for o in outcomes if isinstance(o, SliceComplete))
    assert tally.quarantined == sum(isinstance(o, Quarantined) for o in outcomes)
    assert tally.ignored == sum(isinstance(o, Ignored) for o in outcomes)


@given(RULES, EVENTS)
def test_every_index_is_decided_once_and_in_order(
    rules: AssemblyRules, events: list[tuple[Event, float]]
) -> None:
    """Slices and gaps together count on without a hole or a repetition: z stays true."""
    state, outcomes = played(rules, events)
    decided = [o.index for o in outcomes if isinstance(o, SliceComplete | SliceGap)]
    first = state.first_index or 0
    assert decided == list(range(first, first + len(decided)))
    if state.last_index is not None and decided:
        assert decided[-1] <= state.last_index


@given(RULES, EVENTS)
def test_slices_are_whole_of_one_size_and_of_distinct_images(
    rules: AssemblyRules, events: list[tuple[Event, float]]
) -> None:
    """A released slice has one image per channel, all of the run's size, and no content occurs twice."""
    _, outcomes = played(rules, events)
    complete = [o for o in outcomes if isinstance(o, SliceComplete)]
    for slice_ in complete:
        assert [frame.channel for frame in slice_.frames] == list(range(len(rules.channels)))
    assert len({(f.height, f.width) for slice_ in complete for f in slice_.frames}) <= 1
    hashes = [frame.sha256 for slice_ in complete for frame in slice_.frames]
    assert len(hashes) == len(set(hashes))


@settings(max_examples=20)
@given(RULES, EVENTS, st.integers(0, 59))
def test_stored_and_restored_state_goes_on_alike(
    rules: AssemblyRules, events: list[tuple[Event, float]], cut: int
) -> None:
    """A state that went through the journal gives the same outcomes as one that did not."""
    state = initial(rules)
    for event, _ in events[:cut]:
        state, _ = step(state, event, 0.0)
    restored = unpack(AssemblyState, pack(state))
    assert restored == state
    for event, _ in [*events[cut:], (Finish(), 0.0)]:
        (state, expected), (restored, outcomes) = step(state, event, 0.0), step(restored, event, 0.0)
        assert outcomes == expected
