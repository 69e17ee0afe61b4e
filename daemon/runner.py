"""One loop owns the order: read this file from top to bottom to follow a slice (DESIGN §2).

::

    STARTING ──► WAITING ◄──► WORKING ──► FINISHING ──► FINISHED(reason)
                    │ every expected slice is decided, or the folder is exhausted ► COMPLETED
                    │ a stop was asked for ► STOPPED (starting again goes on)
                    │ drift while armed, or an abort was asked for ► DRIFT_ABORT
                    └ a promise can no longer be kept: disk, journal, network ► ERRORED

What a slice gives is computed from states that are values, written to the volume, committed to the journal
with the states that follow from it, and only then told to tables and sockets. What a kill leaves uncommitted
is computed again, to the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isnan
from typing import Final

from daemon import alarms, assemble
from daemon.admission import pending_at
from daemon.arrivals import Arrivals
from daemon.assembly import Event, Finish, FrameAccepted, FrameArrived, Outcome, SliceComplete
from daemon.config import Configuration
from daemon.face_work import FaceWork
from daemon.items import (
    Alarm,
    FinishReason,
    RegisteredSlice,
    RunState,
    Slice,
    SliceGap,
    Thickness,
)
from daemon.journal import FileVersion
from daemon.look_ahead import LookAhead
from daemon.operating_system import give_back_freed_memory
from daemon.operator import Operator
from daemon.parts import Parts
from daemon.pipeline_state import Counts, PipelineState, begin_pipeline
from daemon.resume import Progress
from daemon.stages import inspecting, judging
from daemon.stopwatch import Stopwatch

_PATIENCE_S: Final = 0.2
"""How long the loop waits for a file before it looks at requests again."""


class Runner:
    """Takes files from the watcher until the run is over; ``run`` returns why it ended."""

    def __init__(self, parts: Parts, progress: Progress) -> None:
        self._parts = parts
        self._configuration: Configuration = parts.configuration
        self._outlet = parts.outlet
        self._assembly = progress.assembly
        self._state: PipelineState | None = progress.pipeline
        self._counts: Counts = progress.counts
        self._operator = Operator(parts.outlet, parts.reach, self._alarm, self._commit)
        self._ahead = LookAhead(parts.configuration, parts.watcher, parts.shelf, parts.asv_nm, parts.clock)
        self._arrivals = Arrivals(parts.watcher, parts.shelf, self._ahead.read)
        self._stopwatch = Stopwatch(parts.clock)
        self._face_work = FaceWork(parts, progress.faces, self._alarm, self._stopwatch, self._ahead.coming)
        self._take_in = self._face_work.open if parts.follow else self._face_work.admit
        self._reason: FinishReason | None = None

    def run(self, before: Sequence[Alarm] = ()) -> FinishReason:
        """Work until the run is complete, stopped or aborted; ``before``: alarms of an interruption.

        Raises
        ------
        SlicewatchError
            A promise can no longer be kept; what is committed stands, and starting again goes on from it.
        """
        self._outlet.enter(RunState.WAITING, self._counts)
        for alarm in before:
            self._alarm(alarm)
            self._commit()
        while self._reason is None or self._operator.is_aborting:
            self._turn()
        self._outlet.enter(RunState.FINISHING, self._counts)
        if self._reason is FinishReason.COMPLETED:
            self._arrivals.close()
            while self._parts.watcher.left:
                self._take(0.0, follow=False)
            self._advance(Finish(), None)
        if self._reason is not FinishReason.STOPPED:
            self._close()
        reason = self._operator.obey_the_last(self._parts.inbox, self._reason)
        if reason is not self._reason is FinishReason.STOPPED:
            self._close()
        self._outlet.finish(reason, self._counts)
        return reason

    def request_stop(self) -> None:
        """End the run after the slice in hand; safe to call from a signal handler."""
        self._reason = self._reason or FinishReason.STOPPED

    def close(self) -> None:
        """After ``run``, however it ended: let the network come to rest."""
        self._face_work.stop()

    def _turn(self) -> None:
        """One turn: requests first, then at most one file, else the passing of time."""
        self._outlet.beat()
        self._reason = self._operator.obey(self._parts.inbox, self._reason)
        came = self._take(_PATIENCE_S, follow=self._parts.follow)
        over = self._assembly.over or (not came and not self._parts.follow and self._arrivals.exhausted)
        if over and not self._operator.is_aborting:
            self._reason = self._reason or FinishReason.COMPLETED

    def _take(self, patience_s: float, *, follow: bool) -> bool:
        """At most one file, else the passing of time; whether any came."""
        came = False
        for event, version in self._arrivals.next(patience_s, self._assembly, follow=follow):
            self._advance(event, version)
            came = version is not None
        return came

    def _advance(self, event: Event, version: FileVersion | None) -> None:
        """Let the assembly decide, follow what comes of it, and make all of it durable together."""
        state, told = self._state, self._counts
        self._assembly, outcomes = assemble.step(self._assembly, event, self._parts.clock())
        for outcome in outcomes:
            self._follow(outcome)
        self._look_around(arrived=isinstance(event, FrameArrived))
        if version is not None or outcomes or self._counts != told:
            self._commit(self._state if self._state is not state else None, version)

    def _look_around(self, *, arrived: bool) -> None:
        """Publish the ledger; an alarm, once, when files are unaccounted for or the surroundings fail."""
        books = self._arrivals.books(self._assembly.tally)
        health, rhythm_s, slices = self._parts.watcher.health, self._assembly.intervals_s, self._counts.slices
        self._outlet.count(books, arrived=arrived, rhythm_s=rhythm_s)
        for alarm in self._parts.surroundings.look(health, books, slices, rhythm_s, arrived=arrived):
            self._alarm(alarm)

    def _follow(self, outcome: Outcome) -> None:
        """Carry out what was decided; whatever it is goes on record."""
        alarm = alarms.of(outcome)
        if alarm is not None:
            self._alarm(alarm)
        match outcome:
            case FrameAccepted():
                self._first_look(outcome)
            case SliceComplete():
                self._slice(self._parts.shelf.slice_of(outcome, self._assembly.rules))
            case SliceGap():
                self._gap(outcome)
            case _:
                pass
        self._outlet.note(outcome)

    # The way of one slice

    def _first_look(self, accepted: FrameAccepted) -> None:
        """The first image of a slice gives a verdict at once, which the complete slice will refine; what can
        be registered of the slice is, unless more has come already."""
        state, waiting = self._state, pending_at(self._assembly, accepted.index)
        if state is None or waiting is None:
            return
        index, frames = accepted.index, self._parts.shelf.waiting_of(waiting, self._assembly.rules)
        if len(frames) == 1:
            look = self._ahead.glance(state, index, accepted.channel, frames[accepted.channel])
            if look is not None:
                self._outlet.preliminary(look)
        if not self._parts.watcher.peek(1):
            self._ahead.register_first(state, index, frames)

    def _slice(self, slice_: Slice) -> None:
        """Register, measure, judge, align, show if somebody may look; then finish the faces that waited."""
        self._outlet.enter(RunState.WORKING, self._counts)
        self._stopwatch.start()
        state = self._state or begin_pipeline(self._configuration, slice_)
        state, registered, thickness = self._measure(state, slice_)
        self._stopwatch.lap("measure")
        state = self._judge(state, registered, thickness)
        self._stopwatch.lap("judge")
        state = self._take_in(state, registered, thickness)
        self._counts = replace(self._counts, slices=self._counts.slices + 1)
        self._state = self._face_work.settle(state, slice_.index)
        give_back_freed_memory()
        self._outlet.log_slice(registered, thickness, self._stopwatch.seconds)
        self._outlet.enter(RunState.WAITING, self._counts)

    def _measure(
        self, state: PipelineState, slice_: Slice
    ) -> tuple[PipelineState, RegisteredSlice, Thickness]:
        """Register the images, read the face's depth, and look at the next slice while this one goes on."""
        located = self._ahead.locate(state, slice_)
        state = replace(state, registration=located.registration, measuring=located.measuring)
        if self._configuration.run.look_ahead:
            self._ahead.begin(self._assembly, state)
        self._outlet.thickness(located.thickness)
        return state, located.registered, located.thickness

    def _judge(
        self, state: PipelineState, registered: RegisteredSlice, thickness: Thickness
    ) -> PipelineState:
        """Verdicts on images, registration, milling; sustained drift stops the microscope if armed."""
        inspected, raised = inspecting.inspect(state.inspecting, self._configuration, registered)
        judged, lost = judging.judge_registration(state.judging, registered)
        raised += (*lost, *alarms.memory_exhausted(self._parts.segmenter.runner.told(), registered.index))
        if self._configuration.ruler is not None and not isnan(thickness.thickness_nm):
            judged, verdict, drifting = judging.judge(judged, thickness, self._outlet.alarms_told())
            raised += drifting
            self._outlet.drift(thickness.index, verdict, judged)
        for alarm in raised:
            number = self._alarm(alarm)
            if judging.is_sustained(alarm):
                self._operator.drifted(alarm, number)
        return replace(state, judging=judged, inspecting=inspected)

    def _gap(self, gap: SliceGap) -> None:
        """An index without a slice: depth goes on, and faces that waited for it wait no longer."""
        self._counts = replace(self._counts, gaps=self._counts.gaps + 1)
        self._outlet.gap(gap)
        if self._state is not None:
            self._state = self._face_work.settle(self._state, gap.index)

    def _close(self) -> None:
        """The end of the acquisition: no more faces will come, so everything that waits becomes final."""
        state = self._state
        if state is None:
            self._alarm(alarms.nothing())
            return
        self._state = self._face_work.close(state)
        self._commit(self._state)

    def _commit(self, changed: PipelineState | None = None, version: FileVersion | None = None) -> None:
        """Make durable what has happened, tell it, and let go of the images that nobody needs any more."""
        with self._parts.shelf.keeping(self._assembly, self._state.window if self._state else ()):
            self._outlet.commit(self._assembly, changed, self._counts, version)

    def _alarm(self, alarm: Alarm) -> str:
        """Tell an alarm; the identifier that it is told under."""
        self._counts = replace(self._counts, alarms=self._counts.alarms + 1)
        self._outlet.alarm(self._counts.alarms, alarm)
        return str(self._counts.alarms)
