"""What the loop says of a run, put into messages, records and arrays.

Voxels go to disk at once; everything else leaves with the next commit, in the order of ``daemon.outbox``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import nan
from statistics import median
from typing import Any

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from algorithms.drift import DriftVerdict, baseline_nm
from algorithms.resampling import InPlaneGrid
from daemon import messages as say
from daemon import preview, slice_log
from daemon.abort.memory import Arming
from daemon.array_outputs import ArrayOutputs
from daemon.assembly import FrameAccepted, Outcome, SliceComplete
from daemon.assembly_state import AssemblyState
from daemon.codec import pack
from daemon.ending import write_ending, write_failure
from daemon.faces import as_seen
from daemon.geometry import FaceGeometry
from daemon.items import (
    Alarm,
    DomainStanding,
    FinishReason,
    Metrics,
    PlacedSlice,
    Planes,
    RegisteredSlice,
    RunState,
    SegmentedSlice,
    SliceGap,
    Status,
    Thickness,
)
from daemon.journal import FileVersion, Record
from daemon.ledger import Ledger
from daemon.outbox import Outbox
from daemon.pipeline_state import Counts, OpenFace, PipelineState
from daemon.pulse import beat
from daemon.records import ended_record, faces_record, ligaments_record
from daemon.requests import Command
from daemon.stages.growing import stored
from daemon.stages.judging import JudgingState, statistics
from daemon.stages.segmenting import FaceStack
from daemon.station import Station
from daemon.vitals import run_message
from daemon.volume_reader import middle_cuts

_log = structlog.get_logger("slicewatch")


class Outlet:
    """One run's mouth; nothing of it decides anything."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._vitals = station.vitals
        self._outbox = Outbox(station)
        self._arrays = ArrayOutputs(station)
        self._examples: dict[str, NDArray[Any]] = {}
        self._begun_s = station.clock()

    # What the loop says

    def thickness(self, thickness: Thickness) -> None:
        """The verdict of a complete slice."""
        self._vitals.source = thickness.source
        self._outbox.say(say.thickness_message(thickness))

    def preliminary(self, thickness: Thickness) -> None:
        """The verdict of a first image: told at once, not kept."""
        self._station.publisher.publish(say.thickness_message(thickness))
        slice_log.first_thickness(thickness)

    def drift(self, index: int, verdict: DriftVerdict, state: JudgingState) -> None:
        """The sequential test after a slice."""
        current, threshold = statistics(state)
        mean_nm, sigma_nm = baseline_nm(state.drift)
        self._outbox.say(
            say.DriftMessage(
                index=index,
                statistics=current,
                threshold=threshold,
                verdict=verdict.kind,
                alarm=verdict.alarm,
                mean_nm=mean_nm,
                sigma_nm=sigma_nm,
            )
        )

    def face(self, registered: RegisteredSlice, domain: Mapping[str, DomainStanding]) -> None:
        """A face that was registered and segmented provisionally, and how like known images it is."""
        self._outbox.keep(faces_record(registered))
        self._station.faces.add(registered.index, as_seen(registered))
        self._outbox.say(say.slice_message(registered.index, Status.PROVISIONAL, registered.shifts, domain))

    def final_face(self, order: int, face: SegmentedSlice, placed: PlacedSlice, opened: OpenFace) -> None:
        """A final face, the ``order``-th of the run, as it was ``opened``: its labels in native pixels go to
        disk."""
        self._arrays.labels(order, face)
        self._station.faces.settle(face.index, order)
        told = say.slice_message(face.index, face.status, opened.shifts, opened.domain, placed)
        self._outbox.say(told)

    def face_images(
        self, order: int, geometry: FaceGeometry, face: FaceStack, segmented: SegmentedSlice
    ) -> None:
        """What was seen of the ``order``-th final face: coarsely, and in full if it is asked for."""
        self._arrays.images(order, geometry, face, segmented)

    def gap(self, gap: SliceGap) -> None:
        """An index without a slice."""
        reason = f"{gap.reason}: {gap.detail}"
        self._outbox.say(say.SliceMessage(index=gap.index, status=Status.GAP, reason=reason))
        _log.warning("slice.gap", slice=gap.index, reason=str(gap.reason), detail=gap.detail)

    def planes(self, grid: InPlaneGrid, planes: Planes) -> None:
        """Final planes: to the volume on disk, at once; a gap of hundreds takes minutes."""
        self.beat()
        self._arrays.planes(planes, (grid.height, grid.width), grid.grid_nm)
        self._vitals.planes = planes.first + len(planes.labels)
        shape = (self._vitals.planes, grid.height, grid.width)
        self._outbox.say(
            say.PlanesMessage(first=planes.first, count=len(planes.labels), shape=shape, grid_nm=grid.grid_nm)
        )

    def metrics(self, rows: Sequence[Metrics], curves: Mapping[str, NDArray[np.float64]]) -> None:
        """The volume's figures after each new plane; the curves only after the last."""
        for row in rows[:-1]:
            self._outbox.say(say.metrics_message(row))
        for row in rows[-1:]:
            self._outbox.say(say.metrics_message(row, curves))
            self._outbox.keep(ligaments_record(curves))

    def preview(
        self,
        geometry: FaceGeometry,
        face: FaceStack,
        segmented: SegmentedSlice,
        ahead: Mapping[str, NDArray[np.uint8]],
    ) -> None:
        """Small pictures of the newest face and of the volume, with planes ``ahead`` of the final ones."""
        names = self._station.configuration.channel_names
        images = dict(zip(names, face.images, strict=True))
        self._vitals.pixel_size_nm = geometry.pixel_x_nm
        self._station.faces.geometry = geometry
        pictures = preview.Face(
            face.index,
            segmented.status,
            images,
            (geometry.pixel_y_nm, geometry.pixel_x_nm),
            segmented.labels,
            segmented.solid_probability,
        )
        store = self._station.volume.store
        cuts = middle_cuts(store, self._station.configuration.volume.grid_nm, ahead) if store else None
        self._outbox.show(preview.preview_message(pictures, cuts))
        self._examples = {**images, "labels": segmented.labels}

    def alarm(self, number: int, alarm: Alarm) -> None:
        """Something that a person should know."""
        self._outbox.say(say.alarm_message(str(number), alarm))
        _log.warning("alarm", kind=alarm.kind, slice=alarm.slice_index, message=alarm.message)

    def alarms_told(self) -> Mapping[int, Mapping[str, Any]]:
        """Every alarm that is on record by its number, and who has seen it."""
        return self._station.journal.latest("alarm")

    # What people do

    def escalation(self, arming: Arming, told: say.EscalationDescription) -> None:
        """Who has armed the abort, and how far an alarm has come on its way to the microscope."""
        self._vitals.arming, self._vitals.escalation = arming, told
        self._tell_run()

    def keep(self, *records: Record) -> None:
        """Records that are not told; they become durable with the next commit."""
        for record in records:
            self._outbox.keep(record)

    def beat(self) -> None:
        """The loop is getting on."""
        beat(self._vitals, self._station.clock())

    def acknowledge(self, identifier: str, by: str) -> None:
        """Tell an alarm again, with the name of who has seen it; an unknown one is nobody's."""
        told = self.alarms_told()
        if identifier.isdecimal() and int(identifier) in told:
            fields = {**told[int(identifier)], "acknowledged_by": by}
            self._outbox.say(msgspec.convert(fields, say.AlarmMessage, strict=False))

    def audit(self, command: Command) -> None:
        """Keep who asked for what, of which alarm, and why."""
        asked = {"command": type(command).__name__, "by": command.by, "key": command.key}
        about = {name: said for name in ("alarm", "reason", "token") if (said := getattr(command, name, ""))}
        self._outbox.keep(Record("audit", 0, {**asked, **about}))
        _log.info("operator.command", **asked, **about)

    # Letting it out

    def enter(self, state: RunState, counts: Counts) -> None:
        """The run does something else now."""
        self._vitals.state = state
        self._vitals.counts = counts
        self._tell_run()

    def count(self, books: Ledger, *, arrived: bool, rhythm_s: Sequence[float] = ()) -> None:
        """The ledger after an event; ``arrived`` when an image has just come, slices ``rhythm_s`` apart."""
        self._vitals.usual_interval_s = median(rhythm_s) if rhythm_s else nan
        if arrived:
            self._vitals.last_image_at = self._station.now()
        self._vitals.books = books

    def commit(
        self,
        assembly: AssemblyState,
        pipeline: PipelineState | None,
        counts: Counts,
        version: FileVersion | None,
    ) -> None:
        """Make everything since the last commit durable, with the states to go on from, and tell it.

        ``pipeline`` is None when no slice was touched.

        Raises
        ------
        JournalError, StoreError
            The disk is full or gone.
        """
        states: dict[str, bytes] = {"assembly": pack(assembly), "counts": pack(counts)}
        if pipeline is not None:
            states["pipeline"] = pack(replace(pipeline, growth=stored(pipeline.growth)))
        self._vitals.counts = counts
        self._outbox.flush(version, states)

    def finish(self, reason: FinishReason, counts: Counts) -> None:
        """Write what a finished run leaves, and say why it ended.

        Raises
        ------
        JournalError, StoreError
            The disk is full or gone.
        """
        if reason is not FinishReason.STOPPED:
            self._arrays.close()
            self._outbox.keep(Record("finished", 0, {"reason": str(reason)}))
        self._outbox.keep(ended_record(self._station.journal.epoch, reason))
        self._outbox.flush()
        write_ending(self._station, reason, counts, self._station.clock() - self._begun_s, self._examples)
        self._vitals.finish_reason = reason
        self.enter(RunState.FINISHED, counts)

    def fail(self, why: str) -> None:
        """Tell every listener that the run ends in an error; then write the summary, if the disk lets us."""
        self._vitals.finish_reason, self._vitals.detail = FinishReason.ERRORED, why
        self.enter(RunState.FINISHED, self._vitals.counts)
        write_failure(self._station, self._vitals.counts, self._station.clock() - self._begun_s, why)

    def log_slice(
        self, registered: RegisteredSlice, thickness: Thickness, stages_s: Mapping[str, float]
    ) -> None:
        """A slice is done: the log's line about it."""
        waiting = self._vitals.books.waiting
        slice_log.slice_done(
            registered, thickness, planes=self._vitals.planes, waiting=waiting, stages_s=stages_s
        )

    def note(self, outcome: Outcome) -> None:
        """Keep what was decided on a file, whether or not a person is told."""
        if isinstance(outcome, SliceComplete | SliceGap | FrameAccepted):
            return
        about = {"what": type(outcome).__name__, **msgspec.to_builtins(asdict(outcome), enc_hook=str)}
        self._outbox.keep(Record("outcome", 0, about))
        _log.debug("file.decided", **about)

    def _tell_run(self) -> None:
        station = self._station
        station.publisher.publish(
            run_message(station.vitals, station.configuration, station.segmenter, station.expected_slices)
        )
