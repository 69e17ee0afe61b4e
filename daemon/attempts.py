"""The loop, begun again from the journal whenever the output disk was full and has room again.

A full disk is handled as a kill is: what is not committed is forgotten and computed again, to the same bits.
"""

from __future__ import annotations

import threading
from typing import Final

import structlog

from daemon import alarms, space
from daemon.errors import DiskFullError, JournalError, SlicewatchError, StoreError
from daemon.frame_shelf import FrameShelf, open_shelf
from daemon.growing_array import forget_unfinished_writes
from daemon.items import Alarm, FinishReason, RunState
from daemon.messages import alarm_message
from daemon.outputs import Outputs
from daemon.parts import parts_of
from daemon.pipeline_state import PipelineState
from daemon.pulse import beat
from daemon.requests import Stop
from daemon.resume import Progress, load_progress, with_images
from daemon.runner import Runner
from daemon.signals import stopping_on_signals
from daemon.station import Station
from daemon.volume_store import VolumeStore, reopen_volume
from models.errors import ModelError
from models.session import Segmenter

_log = structlog.get_logger("slicewatch")
_LOOK_EVERY_S: Final = 1.0
"""How often a paused run looks for room and for requests."""


def run_attempts(station: Station, before: tuple[Alarm, ...] = ()) -> FinishReason:
    """Run until the acquisition is complete, stopped or aborted; a full disk only pauses it.

    ``before``: alarms of what was found at the start.

    Raises
    ------
    SlicewatchError, ModelError
        The run can no longer keep its promises; every listener has been told.
    """
    told = before
    while True:
        try:
            return _attempt(station, told)
        except (StoreError, JournalError) as error:
            if not isinstance(error, DiskFullError) and not space.is_used_up(station.outputs.folder):
                raise
            told = (alarms.disk_full(error),)
            if not _waited(station, told[0]):
                return FinishReason.STOPPED


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
            return runner.run(told)
    except (SlicewatchError, ModelError) as error:
        if not isinstance(error, DiskFullError):
            parts.outlet.fail(str(error))
        raise
    finally:
        parts.watcher.stop()


def _progress(station: Station, shelf: FrameShelf) -> Progress:
    """Where the journal says that the run stands; the volume is opened as far as it had come."""
    journal, configuration = station.journal, station.configuration
    progress = load_progress(journal, configuration, station.expected_slices, station.clock())
    station.vitals.counts = progress.counts
    station.volume.store = _stored_volume(station.outputs, progress.pipeline, station.segmenter)
    station.faces.recall(journal, progress.pipeline)
    return with_images(progress, journal, configuration, shelf, station.volume.store)


def _waited(station: Station, alarm: Alarm) -> bool:
    """Wait for room, telling everybody; False when a stop was asked for meanwhile."""
    vitals, stop = station.vitals, threading.Event()
    vitals.state, vitals.detail = RunState.PAUSED, alarm.message
    station.publisher.publish(alarm_message(str(vitals.counts.alarms + 1), alarm))
    _log.error("run.paused", reason=alarm.message, remedy=alarm.remedy)
    with stopping_on_signals(stop.set):
        while not space.has_room(station.outputs.folder):
            beat(vitals, station.clock())
            if stop.wait(_LOOK_EVERY_S) or any(isinstance(c, Stop) for c in station.inbox.drain()):
                return False
    vitals.detail = ""
    _log.info("run.resumed", free_mib=space.free_bytes(station.outputs.folder) >> 20)
    return True
