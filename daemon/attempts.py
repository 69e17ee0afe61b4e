"""The loop, begun again from the journal whenever the output disk was full and has room again.

A full disk is handled as a kill is: what is not committed is forgotten and computed again, to the same bits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from daemon import alarms, space
from daemon.config import Configuration
from daemon.control import Inbox
from daemon.errors import DiskFullError, JournalError, SlicewatchError, StoreError
from daemon.frame_shelf import open_shelf
from daemon.growing_array import forget_unfinished_writes
from daemon.items import Alarm, FinishReason, RunState
from daemon.journal import Journal
from daemon.messages import alarm_message
from daemon.outlet import Outlet, Ways
from daemon.outputs import Outputs
from daemon.pipeline_state import PipelineState
from daemon.project import SliceThickness, read_thickness
from daemon.publish import Publisher
from daemon.requests import Stop
from daemon.resume import known_files, load_progress, with_images
from daemon.runner import Parts, Runner
from daemon.signals import stopping_on_signals
from daemon.surroundings import Surroundings
from daemon.vitals import Vitals
from daemon.volume_reader import StoredVolume
from daemon.volume_store import VolumeStore, reopen_volume
from daemon.watch import Watcher
from models.errors import ModelError
from models.session import Segmenter

_log = structlog.get_logger("slicewatch")
_LOOK_EVERY_S: Final = 1.0
"""How often a paused run looks for room and for requests."""


@dataclass(frozen=True, slots=True)
class Station:
    """What stays open over all attempts of a process."""

    configuration: Configuration
    outputs: Outputs
    journal: Journal
    segmenter: Segmenter
    publisher: Publisher
    inbox: Inbox
    volume: StoredVolume
    vitals: Vitals
    expected_slices: int
    follow: bool


def run_attempts(station: Station) -> FinishReason:
    """Run until the acquisition is complete, stopped or aborted; a full disk only pauses it.

    Raises
    ------
    SlicewatchError, ModelError
        The run can no longer keep its promises; every listener has been told.
    """
    told: tuple[Alarm, ...] = ()
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
    configuration, outputs = station.configuration, station.outputs
    forget_unfinished_writes(outputs.folder)
    shelf = open_shelf(configuration)
    progress = load_progress(station.journal, configuration, station.expected_slices, time.monotonic())
    station.vitals.counts = progress.counts
    station.volume.store = _stored_volume(outputs, progress.pipeline, station.segmenter)
    progress = with_images(progress, station.journal, configuration, shelf, station.volume.store)
    watcher = _watcher(configuration, station.journal)
    outlet = Outlet(_ways(station))
    surroundings = Surroundings(
        outputs.folder, station.expected_slices, configuration.run.quiet_after_s, time.monotonic
    )
    parts = Parts(
        configuration=configuration,
        shelf=shelf,
        watcher=watcher,
        segmenter=station.segmenter,
        inbox=station.inbox,
        outlet=outlet,
        surroundings=surroundings,
        asv=_asv_reader(configuration.run.folder),
        clock=time.monotonic,
        follow=station.follow,
    )
    runner = Runner(parts, progress)
    watcher.start()
    try:
        with stopping_on_signals(runner.request_stop):
            _log.info(
                "run.started",
                folder=str(configuration.run.folder),
                expected=station.expected_slices,
                continues_after=progress.counts.slices,
            )
            return runner.run(told)
    except (SlicewatchError, ModelError) as error:
        if not isinstance(error, DiskFullError):
            outlet.fail(str(error))
        raise
    finally:
        watcher.stop()


def _ways(station: Station) -> Ways:
    return Ways(
        station.configuration,
        station.outputs,
        station.journal,
        station.publisher,
        station.segmenter,
        station.volume,
        station.vitals,
        station.expected_slices,
        time.monotonic,
        _now,
    )


def _waited(station: Station, alarm: Alarm) -> bool:
    """Wait for room, telling everybody; False when a stop was asked for meanwhile."""
    vitals, stop = station.vitals, threading.Event()
    vitals.state, vitals.detail = RunState.PAUSED, alarm.message
    station.publisher.publish(alarm_message(str(vitals.counts.alarms + 1), alarm))
    _log.error("run.paused", reason=alarm.message, remedy=alarm.remedy)
    with stopping_on_signals(stop.set):
        while not space.has_room(station.outputs.folder):
            if stop.wait(_LOOK_EVERY_S) or any(isinstance(c, Stop) for c in station.inbox.drain()):
                return False
    vitals.detail = ""
    _log.info("run.resumed", free_mib=space.free_bytes(station.outputs.folder) >> 20)
    return True


def _watcher(configuration: Configuration, journal: Journal) -> Watcher:
    section = configuration.run
    return Watcher(
        section.folder,
        section.file_pattern,
        observer=section.observer,
        scan_interval_s=section.scan_interval_s,
        sentinel=section.sentinel,
        stall_s=section.stalled_after_s,
        known=known_files(journal),
    )


def _asv_reader(folder: Path) -> Callable[[int], SliceThickness | None]:
    """The acquisition software's own thickness of a slice; its file is read again when a slice is new."""
    known: dict[int, SliceThickness] = {}

    def thickness(index: int) -> SliceThickness | None:
        if index not in known:
            known.update(read_thickness(folder))
        return known.get(index)

    return thickness


def _now() -> datetime:
    return datetime.now(UTC)
