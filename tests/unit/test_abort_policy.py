"""When the microscope is asked to pause and stopped: every transition, and none that should not be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.abort.policy import (
    Abort,
    AbortAsked,
    Acknowledged,
    ActionsDone,
    Armed,
    CallOff,
    Disarmed,
    Drifted,
    Escalation,
    RequestPause,
    RunStopped,
    Stage,
    TimePassed,
    step,
)
from daemon.items import Alarm

DRIFT = Alarm("drift thicker", 31, "slices have become thicker")
ASKED = Alarm("abort requested", 0, "Ada asked to abort")
QUIET = Escalation(armed=True)
GRACE = Escalation(True, Stage.GRACE, DRIFT, "7", deadline_s=400.0)
ABORTING = Escalation(True, Stage.ABORTING, DRIFT, "7")
ABORTED = Escalation(True, Stage.ABORTED, DRIFT, "7")

CASES = {
    "armed drift asks to pause": (QUIET, Drifted(DRIFT, "7"), GRACE, (RequestPause(DRIFT, "7", 300.0),)),
    "unarmed drift only tells": (Escalation(False), Drifted(DRIFT, "7"), Escalation(False), ()),
    "a second alarm waits with the first": (GRACE, Drifted(DRIFT, "8"), GRACE, ()),
    "acknowledged": (GRACE, Acknowledged("7", "Ada"), QUIET, (CallOff(DRIFT, "7", "Ada"),)),
    "another alarm acknowledged": (GRACE, Acknowledged("6", "Ada"), GRACE, ()),
    "disarmed": (GRACE, Disarmed("Ada"), Escalation(False), (CallOff(DRIFT, "7", "Ada"),)),
    "run stopped": (GRACE, RunStopped("Ada"), QUIET, (CallOff(DRIFT, "7", "Ada"),)),
    "armed": (Escalation(False), Armed(), QUIET, ()),
    "time passes": (GRACE, TimePassed(), GRACE, ()),
    "asked while quiet": (Escalation(False), AbortAsked(ASKED), Escalation(False, Stage.ABORTING, ASKED),
                          (Abort(ASKED, ""),)),
    "asked in the grace period": (GRACE, AbortAsked(ASKED), Escalation(True, Stage.ABORTING, ASKED),
                                  (Abort(ASKED, ""),)),
    "too late to acknowledge": (ABORTING, Acknowledged("7", "Ada"), ABORTING, ()),
    "too late to disarm": (ABORTING, Disarmed("Ada"), ABORTING, ()),
    "once is enough": (ABORTING, AbortAsked(ASKED), ABORTING, ()),
    "done": (ABORTING, ActionsDone(), ABORTED, ()),
    "over": (ABORTED, AbortAsked(ASKED), ABORTED, ()),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_every_transition(case):
    """From each state, what an event makes of it, and what is to be done."""
    before, event, after, decisions = CASES[case]
    assert step(before, event, now_s=100.0, grace_s=300.0) == (after, decisions)


@pytest.mark.parametrize(("now_s", "stage"), [(399.9, Stage.GRACE), (400.0, Stage.ABORTING)])
def test_the_grace_period_ends_when_it_was_said(now_s, stage):
    """Not a moment earlier."""
    after, decisions = step(GRACE, TimePassed(), now_s=now_s, grace_s=300.0)
    assert after.stage is stage
    assert decisions == ((Abort(DRIFT, "7"),) if stage is Stage.ABORTING else ())


def test_without_grace_the_stop_comes_at_once():
    """grace_s = 0: no pause request in between."""
    after, decisions = step(QUIET, Drifted(DRIFT, "7"), now_s=0.0, grace_s=0.0)
    assert (after, decisions) == (ABORTING, (Abort(DRIFT, "7"),))


EVENTS = st.lists(
    st.sampled_from([
        Drifted(DRIFT, "7"), Drifted(DRIFT, "8"), Acknowledged("7", "Ada"), Acknowledged("8", "Ada"), Armed(),
        Disarmed("Ada"), RunStopped("Ada"), TimePassed(), AbortAsked(ASKED), ActionsDone(),
    ])
)  # fmt: skip


@given(st.booleans(), EVENTS, st.sampled_from([0.0, 5.0]))
def test_the_microscope_is_stopped_at_most_once_and_never_unarmed(armed, events, grace_s):
    """Whatever happens in whatever order: one abort, and by drift only while it is armed."""
    state, aborts = Escalation(armed), 0
    for now_s, event in enumerate(events):
        was_armed = state.armed
        state, decisions = step(state, event, now_s=float(now_s), grace_s=grace_s)
        for decision in decisions:
            if isinstance(decision, Abort):
                aborts += 1
                assert was_armed or isinstance(event, AbortAsked)
    assert aborts <= 1
    assert (state.stage in (Stage.ABORTING, Stage.ABORTED)) == (aborts == 1)
