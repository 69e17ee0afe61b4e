"""The loop, begun again from the journal whenever the output disk was full and has room again.

A full disk is handled as a kill is: what is not committed is forgotten and computed again, to the same bits.
"""

from __future__ import annotations

import structlog

from daemon import alarms, space
from daemon.errors import DiskFullError, JournalError, SlicewatchError, StoreError
from daemon.frame_shelf import FrameShelf, open_shelf
from daemon.growing_array import forget_unfinished_writes
from daemon.items import Alarm, FinishReason
from daemon.outputs import Outputs
from daemon.parts import parts_of
from daemon.pause import wait_for_room
from daemon.pipeline_state import PipelineState
from daemon.resume import Progress, load_progress, with_images
from daemon.runner import Runner
from daemon.signals import stopping_on_signals
from daemon.station import Station
from daemon.volume_store import VolumeStore, forget_unfinished_files, reopen_volume
from models.errors import ModelError
from models.session import Segmenter

_log = structlog.get_logger("slicewatch")


def run_attempts(station: Station, before: tuple[Alarm, ...] = ()) -> FinishReason:
    """Run until the acquisition is complete, stopped or aborted; a full disk only pauses it.

    ``before``: alarms of what was found at the start.

    Raises
    ------
    SlicewatchError, ModelError
        The run can no longer keep its promises; every listener has been told.
    """
    try:
        _recall_abort(station)
        return _attempts(station, before)
    finally:
        station.inbox.close()


def _attempts(station: Station, told: tuple[Alarm, ...]) -> FinishReason:
    while True:
        try:
            return _attempt(station, told)
        except (StoreError, JournalError) as error:
            if not isinstance(error, DiskFullError) and not space.is_used_up(station.outputs.folder):
                raise
            station.inbox.open()
            told = (alarms.disk_full(error),)
            if not wait_for_room(station, told[0]):
                return FinishReason.STOPPED


def _recall_abort(station: Station) -> None:
    """An earlier process was killed before the abort that it had begun was on record: begin it again."""
    asked = station.bridge.note.recall()
    if asked is not None and not station.bridge.is_open:
        _log.warning("abort.not_recalled", by=asked.by, key=asked.key, why="reprocessing stops nothing")
    elif asked is not None:
        _log.warning("abort.recalled", by=asked.by, key=asked.key)
        station.inbox.put(asked)


def _stored_volume(
    outputs: Outputs, pipeline: PipelineState | None, segmenter: Segmenter
) -> VolumeStore | None:
    """The volume of an earlier start, if it had planes."""
    if pipeline is None or pipeline.growth.material.planes == 0:
        return None
    grid = pipeline.growth.grid
    return reopen_volume(outputs.volume, (grid.height, grid.width), segmenter.spec.classes)


def _attempt(station: Station, told: tuple[Alarm, ...]) -> FinishReason:
    """From the journal's last word to the end of the run; the watcher is stopped whatever happens."""
    forget_unfinished_writes(station.outputs.folder)
    forget_unfinished_files(station.outputs.folder)
    shelf = open_shelf(station.configuration)
    progress = _progress(station, shelf)
    parts = parts_of(station, shelf)
    runner = Runner(parts, progress)
    parts.watcher.start()
    try:
        with stopping_on_signals(runner.request_stop):
            _log.info(
                "run.started",
                folder=str(station.configuration.run.folder),
                expected=station.expected_slices,
                continues_after=progress.counts.slices,
            )
            reason = runner.run(told)
            if reason is not FinishReason.STOPPED:
                shelf.spool.keep_only(())
            return reason
    except (SlicewatchError, ModelError) as error:
        if not isinstance(error, DiskFullError):
            parts.outlet.fail(str(error))
        raise
    finally:
        runner.close()
        parts.watcher.stop()


def _progress(station: Station, shelf: FrameShelf) -> Progress:
    """Where the journal says that the run stands; the volume is opened as far as it had come."""
    journal, configuration = station.journal, station.configuration
    progress = load_progress(journal, configuration, station.expected_slices, station.clock())
    station.vitals.counts = progress.counts
    station.volume.store = _stored_volume(station.outputs, progress.pipeline, station.segmenter)
    station.faces.recall(journal, progress.pipeline)
    return with_images(progress, journal, configuration, shelf, station.volume.store)
