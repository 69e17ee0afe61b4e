"""Everything that leaves a run: the volume, the journal, the tables, the messages, the log.

What the loop says is collected here and leaves in one order: voxels to disk, then records and states to the
journal in one transaction, then tables and messages as projections of what is now durable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from math import isfinite
from typing import Any

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from algorithms.drift import DriftVerdict, baseline_nm
from algorithms.resampling import InPlaneGrid
from daemon import messages as say
from daemon import preview
from daemon.assembly import AssemblyState, FrameAccepted, Outcome, SliceComplete
from daemon.codec import pack
from daemon.config import Configuration, as_toml_table
from daemon.face_images import keep_face_images
from daemon.geometry import FaceGeometry
from daemon.items import (
    Alarm,
    ChannelShift,
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
from daemon.journal import FileVersion, Journal, Record
from daemon.ledger import Ledger
from daemon.outputs import Outputs, open_faces, write_examples, write_tables
from daemon.pipeline_state import Counts, PipelineState
from daemon.publish import Publisher
from daemon.records import as_record, faces_record, ligaments_record, metric_rows, slice_rows
from daemon.requests import Command
from daemon.stages.growing import stored
from daemon.stages.judging import JudgingState, statistics
from daemon.stages.segmenting import FaceStack
from daemon.summary import provenance, run_summary
from daemon.tables import write_summary
from daemon.thickness_figures import thickness_figures
from daemon.vitals import Vitals, run_message
from daemon.volume_reader import StoredVolume, middle_cuts
from daemon.volume_store import VolumeStore, open_volume
from models.session import Segmenter

_log = structlog.get_logger("slicewatch")


@dataclass(frozen=True, slots=True)
class Ways:
    """Where things go: one run's files and sockets, and its clocks (monotonic seconds, UTC)."""

    configuration: Configuration
    outputs: Outputs
    journal: Journal
    publisher: Publisher
    segmenter: Segmenter
    volume: StoredVolume
    vitals: Vitals
    expected_slices: int
    clock: Callable[[], float]
    now: Callable[[], datetime]


class Outlet:
    """Collects what happened since the last commit, and lets it out."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._vitals = ways.vitals
        self._pending: list[say.Message] = []
        self._records: list[Record] = []
        self._examples: dict[str, NDArray[Any]] = {}
        self._begun_s = ways.clock()
        self._slices_before = 0

    # What the loop says

    def thickness(self, thickness: Thickness) -> None:
        """The verdict of a complete slice."""
        self._vitals.source = thickness.source
        self._say(say.thickness_message(thickness))

    def preliminary(self, thickness: Thickness) -> None:
        """The verdict of a first image: told at once, not kept."""
        self._ways.publisher.publish(say.thickness_message(thickness))
        _log.info(
            "thickness.first",
            slice=thickness.index,
            thickness_nm=_rounded(thickness.thickness_nm),
            sigma_nm=_rounded(thickness.thickness_sigma_nm),
            channel=thickness.channels[0],
        )

    def drift(self, index: int, verdict: DriftVerdict, state: JudgingState) -> None:
        """The sequential test after a slice."""
        current, threshold = statistics(state)
        mean_nm, sigma_nm = baseline_nm(state.drift)
        self._say(
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

    def face(self, registered: RegisteredSlice) -> None:
        """A face that was registered and segmented provisionally."""
        self._records.append(faces_record(registered))
        self._say_slice(registered.index, Status.PROVISIONAL, registered.shifts)

    def final_face(
        self, order: int, face: SegmentedSlice, placed: PlacedSlice, shifts: Mapping[str, ChannelShift]
    ) -> None:
        """A final face, the ``order``-th of the run: its labels in native pixels go to disk."""
        shape = (face.labels.shape[0], face.labels.shape[1])
        open_faces(self._ways.outputs, shape).write(order, face.labels[None])
        self._say_slice(face.index, face.status, shifts, placed.z_plane)

    def face_images(
        self, order: int, geometry: FaceGeometry, face: FaceStack, segmented: SegmentedSlice
    ) -> None:
        """What was seen of the ``order``-th final face: kept if it is asked for."""
        ways = self._ways
        seen = (face, segmented)
        keep_face_images(ways.outputs, ways.configuration, geometry, order, seen, self._made_by())

    def gap(self, gap: SliceGap) -> None:
        """An index without a slice."""
        reason = f"{gap.reason}: {gap.detail}"
        self._say(say.SliceMessage(index=gap.index, status=Status.GAP, reason=reason))
        _log.warning("slice.gap", slice=gap.index, reason=str(gap.reason), detail=gap.detail)

    def planes(self, grid: InPlaneGrid, planes: Planes) -> None:
        """Final planes: to the volume on disk, at once."""
        store = self._store(grid)
        store.append(planes.first, planes.labels)
        self._vitals.planes = planes.first + len(planes.labels)
        shape = (self._vitals.planes, grid.height, grid.width)
        self._say(
            say.PlanesMessage(first=planes.first, count=len(planes.labels), shape=shape, grid_nm=grid.grid_nm)
        )

    def metrics(self, rows: Sequence[Metrics], curves: Mapping[str, NDArray[np.float64]]) -> None:
        """The volume's figures after each new plane; the curves only after the last."""
        for row in rows[:-1]:
            self._say(say.metrics_message(row))
        for row in rows[-1:]:
            self._say(say.metrics_message(row, curves))
            self._records.append(ligaments_record(curves))

    def preview(self, geometry: FaceGeometry, face: FaceStack, segmented: SegmentedSlice) -> None:
        """Small pictures of the newest face and of the volume."""
        names = self._ways.configuration.channel_names
        images = dict(zip(names, face.images, strict=True))
        self._vitals.pixel_size_nm = geometry.pixel_x_nm
        pictures = preview.Face(
            face.index,
            segmented.status,
            images,
            (geometry.pixel_y_nm, geometry.pixel_x_nm),
            segmented.labels,
            segmented.solid_probability,
        )
        store = self._ways.volume.store
        cuts = middle_cuts(store, self._ways.configuration.volume.grid_nm) if store else None
        self._pending.append(preview.preview_message(pictures, cuts))
        self._examples = {**images, "labels": segmented.labels}

    def alarm(self, number: int, alarm: Alarm) -> None:
        """Something that a person should know."""
        self._say(say.alarm_message(str(number), alarm))
        _log.warning("alarm", kind=alarm.kind, slice=alarm.slice_index, message=alarm.message)

    # What people do

    @property
    def is_armed(self) -> bool:
        """Whether sustained drift stops the microscope."""
        return self._vitals.armed

    def arm(self, *, armed: bool) -> None:
        """Arm or disarm."""
        self._vitals.armed = armed
        self._tell_run()

    def acknowledge(self, identifier: str, by: str) -> None:
        """Tell an alarm again, with the name of who has seen it; an unknown one is nobody's."""
        told = self._ways.journal.latest("alarm")
        if identifier.isdecimal() and int(identifier) in told:
            fields = {**told[int(identifier)], "acknowledged_by": by}
            self._say(msgspec.convert(fields, say.AlarmMessage, strict=False))
            self._flush(None)

    def audit(self, command: Command) -> None:
        """Keep who asked for what."""
        asked = {"command": type(command).__name__, "by": command.by}
        self._records.append(Record("audit", 0, asked))
        self._flush(None)
        _log.info("operator.command", **asked)

    # Letting it out

    def enter(self, state: RunState, counts: Counts) -> None:
        """The run does something else now."""
        self._vitals.state = state
        self._vitals.counts = counts
        self._tell_run()

    def count(self, books: Ledger, *, arrived: bool) -> None:
        """The ledger after an event; ``arrived`` when an image has just come."""
        if arrived:
            self._vitals.last_image_at = self._ways.now()
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
        self._flush(version, states)

    def finish(self, reason: FinishReason, counts: Counts) -> None:
        """Write what a finished run leaves: tables, summary, report's pictures; and say why it ended.

        Raises
        ------
        JournalError, StoreError
            The disk is full or gone.
        """
        ways, store = self._ways, self._ways.volume.store
        if reason is not FinishReason.STOPPED:
            if store is not None:
                store.close()
            self._records.append(Record("finished", 0, {"reason": str(reason)}))
        self._flush(None)
        write_tables(ways.outputs, ways.journal, ways.configuration.channel_names)
        if self._examples:
            write_examples(ways.outputs, self._examples)
        write_summary(ways.outputs.summary, self._summary(reason, counts))
        self._vitals.finish_reason = reason
        self.enter(RunState.FINISHED, counts)

    def fail(self, why: str) -> None:
        """Tell every listener that the run ends in an error; nothing is written, for the disk may be full."""
        self._vitals.finish_reason, self._vitals.detail = FinishReason.ERRORED, why
        self.enter(RunState.FINISHED, self._vitals.counts)

    def log_slice(self, registered: RegisteredSlice, thickness: Thickness, seconds: float) -> None:
        """The one rich line per slice."""
        shifts = registered.shifts.values()
        _log.info(
            "slice.done",
            slice=thickness.index,
            depth_nm=round(thickness.depth_nm, 2),
            thickness_nm=_rounded(thickness.thickness_nm),
            sigma_nm=_rounded(thickness.thickness_sigma_nm),
            source=str(thickness.source),
            shift_px=[f"{s.dy_px:+.2f},{s.dx_px:+.2f}" for s in shifts],
            quality=round(min(s.quality for s in shifts), 2),
            registered_on=sorted({s.source for s in shifts}),
            planes=self._vitals.planes,
            waiting=self._vitals.ledger["waiting"],
            seconds=round(seconds, 2),
        )

    def note(self, outcome: Outcome) -> None:
        """Keep what was decided on a file, whether or not a person is told."""
        if isinstance(outcome, SliceComplete | SliceGap | FrameAccepted):
            return
        about = {"what": type(outcome).__name__, **msgspec.to_builtins(asdict(outcome), enc_hook=str)}
        self._records.append(Record("outcome", 0, about))
        _log.debug("file.decided", **about)

    def _say(self, message: say.Message) -> None:
        self._pending.append(message)
        self._records.append(as_record(message))

    def _say_slice(
        self, index: int, status: Status, shifts: Mapping[str, ChannelShift], z_plane: int | None = None
    ) -> None:
        channels = say.placements(shifts)
        self._say(say.SliceMessage(index=index, status=status, channels=channels, z_plane=z_plane))

    def _flush(self, version: FileVersion | None, states: Mapping[str, bytes] | None = None) -> None:
        journal = self._ways.journal
        records, pending = self._records, self._pending
        self._records, self._pending = [], []
        with journal.transaction():
            for record in records:
                journal.append(record)
            if version is not None:
                journal.append_file(version)
            for name, state in (states or {}).items():
                journal.save_checkpoint(name, state)
        if any(record.kind == "slice" for record in records):
            write_tables(self._ways.outputs, journal, self._ways.configuration.channel_names)
        for message in pending:
            self._ways.publisher.publish(message)

    def _tell_run(self) -> None:
        ways = self._ways
        ways.publisher.publish(
            run_message(ways.vitals, ways.configuration, ways.segmenter, ways.expected_slices)
        )

    def _store(self, grid: InPlaneGrid) -> VolumeStore:
        volume = self._ways.volume
        if volume.store is None:
            volume.store = open_volume(
                self._ways.outputs.volume,
                (grid.height, grid.width),
                grid.grid_nm,
                self._ways.segmenter.spec.classes,
                self._made_by(),
            )
        return volume.store

    def _provenance(self) -> dict[str, str]:
        spec = self._ways.segmenter.spec
        run = str(self._ways.journal.run_id)
        return provenance(run, spec.name, spec.sha256, self._ways.segmenter.provider)

    def _made_by(self) -> dict[str, Any]:
        """What stands in the metadata of stored images."""
        return {**self._provenance(), "configuration": as_toml_table(self._ways.configuration)}

    def _summary(self, reason: FinishReason, counts: Counts) -> dict[str, Any]:
        rows = metric_rows(self._ways.journal)
        return run_summary(
            slices=counts.slices,
            gaps=counts.gaps,
            alarms=counts.alarms,
            reason=reason,
            last_metrics=rows[-1] if rows else {},
            seconds=self._ways.clock() - self._begun_s,
            output=str(self._ways.outputs.folder),
            thickness=thickness_figures(slice_rows(self._ways.journal)),
            provenance=self._provenance(),
        )


def _rounded(value: float) -> float | None:
    """For the log, where JSON has no NaN."""
    return round(value, 2) if isfinite(value) else None
