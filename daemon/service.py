"""A daemon from its configuration to its exit code: opens everything, runs the loop, closes everything."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

import structlog

from daemon.config import Configuration, as_toml_table, load
from daemon.control import ControlServer, Inbox
from daemon.errors import FolderError, SlicewatchError
from daemon.frame_shelf import open_shelf
from daemon.heartbeat import INTERVAL_S, Heartbeat
from daemon.items import FinishReason
from daemon.journal import Journal, open_journal
from daemon.messages import HeartbeatMessage
from daemon.outlet import Outlet, Ways
from daemon.outputs import Outputs, prepare, write_tables
from daemon.pipeline_state import PipelineState
from daemon.project import SliceThickness, read_project, read_thickness
from daemon.publish import Publisher
from daemon.records import messages
from daemon.resume import known_files, load_progress, with_images
from daemon.runner import Parts, Runner
from daemon.stages.segmenting import open_model
from daemon.vitals import Vitals, heartbeat_message
from daemon.volume_reader import StoredVolume
from daemon.volume_store import VolumeStore, reopen_volume
from daemon.watch import Watcher
from models.errors import ModelError
from models.session import Segmenter

_log = structlog.get_logger("slicewatch")
EXIT_CODES: Final = {
    FinishReason.COMPLETED: 0,
    FinishReason.STOPPED: 0,
    FinishReason.DRIFT_ABORT: 3,
    FinishReason.ERRORED: 1,
}


def run_daemon(path: Path, *, follow: bool) -> int:
    """Run the configured daemon until it ends; the process exit code (DESIGN §4).

    Raises
    ------
    SlicewatchError, ModelError
        It cannot start, or can no longer keep its promises.
    """
    configuration = load(path)
    folder = configuration.run.folder
    if not folder.is_dir():
        raise FolderError(
            "the acquisition folder does not exist" if not folder.exists() else "this is not a folder",
            where=f"run.folder = {folder}",
            remedy="Correct run.folder, or mount the share; a folder that vanishes later is waited for.",
        )
    outputs = prepare(configuration.run.output, folder)
    segmenter = open_model(configuration, os.cpu_count() or 1)
    if segmenter.refusals:
        _log.warning("model.fallback", provider=segmenter.provider, refused=dict(segmenter.refusals))
    _log.info("model.ready", name=segmenter.spec.name, provider=segmenter.provider)
    with closing(open_journal(outputs.journal, as_toml_table(configuration), _now)) as journal:
        finished = journal.latest("finished").get(0)
        if finished is not None:
            return _finished_before(FinishReason(finished["reason"]), outputs, journal, configuration)
        reason = _run(configuration, outputs, journal, segmenter, follow=follow)
    _log.info("run.finished", reason=str(reason), output=str(outputs.folder))
    return EXIT_CODES[reason]


def _run(
    configuration: Configuration, outputs: Outputs, journal: Journal, segmenter: Segmenter, *, follow: bool
) -> FinishReason:
    """Open the sockets and the watcher around the loop; whatever happens, close them in order."""
    with ExitStack() as stack:
        project = read_project(configuration.run.folder)
        expected = configuration.run.expected_slices or project.expected_slices
        shelf = open_shelf(configuration)
        progress = load_progress(journal, configuration, expected, time.monotonic())
        volume = StoredVolume(_stored_volume(outputs, progress.pipeline, segmenter))
        progress = with_images(progress, journal, configuration, shelf, volume.store)
        publisher = stack.enter_context(
            Publisher(
                run=str(journal.run_id),
                epoch=journal.epoch,
                endpoint=configuration.publish.events,
                now=_now,
            )
        )
        publisher.restore(messages(journal))
        inbox = Inbox()
        control = stack.enter_context(
            ControlServer(
                endpoint=configuration.publish.control, publisher=publisher, inbox=inbox, volume=volume
            )
        )
        vitals = Vitals(started_at=_now(), counts=progress.counts)
        watcher = _watcher(configuration, journal)
        ways = Ways(
            configuration,
            outputs,
            journal,
            publisher,
            segmenter,
            volume,
            vitals,
            expected,
            time.monotonic,
            _now,
        )
        outlet = Outlet(ways)
        runner = Runner(
            Parts(
                configuration,
                shelf,
                watcher,
                segmenter,
                inbox,
                outlet,
                _asv_reader(configuration.run.folder),
                time.monotonic,
                follow,
            ),
            progress,
        )
        stack.enter_context(_stopping_on_signals(runner.request_stop))
        stack.enter_context(Heartbeat(publisher, lambda: _vital_signs(vitals, publisher, control)))
        watcher.start()
        stack.callback(watcher.stop)
        _log.info(
            "run.started",
            folder=str(configuration.run.folder),
            expected=expected,
            events=publisher.endpoint,
            control=control.endpoint,
            continues_after=progress.counts.slices,
        )
        return _guarded(runner, outlet, outputs)


def _guarded(runner: Runner, outlet: Outlet, outputs: Outputs) -> FinishReason:
    """Run the loop; an error is told to every listener before it ends the process."""
    try:
        reason = runner.run()
    except (SlicewatchError, ModelError) as error:
        outlet.fail(str(error))
        raise
    if reason is not FinishReason.STOPPED:
        _write_report(outputs)
    return reason


def _write_report(outputs: Outputs) -> None:
    """Matplotlib takes a second to import; a daemon that starts needs none of it."""
    from daemon.report import write_report

    _log.info("report.written", path=str(write_report(outputs.folder)))


def _finished_before(
    reason: FinishReason, outputs: Outputs, journal: Journal, configuration: Configuration
) -> int:
    """A run that is over is not begun again: its tables and report are written anew from the journal."""
    write_tables(outputs, journal, configuration.channel_names)
    _write_report(outputs)
    _log.info("run.was_finished", reason=str(reason), output=str(outputs.folder))
    return EXIT_CODES[reason]


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


def _stored_volume(
    outputs: Outputs, pipeline: PipelineState | None, segmenter: Segmenter
) -> VolumeStore | None:
    """The volume of an earlier start, if it had planes."""
    if pipeline is None or pipeline.growth.material.planes == 0:
        return None
    grid = pipeline.growth.grid
    return reopen_volume(outputs.volume, (grid.height, grid.width), segmenter.spec.classes)


def _asv_reader(folder: Path) -> Callable[[int], SliceThickness | None]:
    """The acquisition software's own thickness of a slice; its file is read again when a slice is new."""
    known: dict[int, SliceThickness] = {}

    def thickness(index: int) -> SliceThickness | None:
        if index not in known:
            known.update(read_thickness(folder))
        return known.get(index)

    return thickness


def _vital_signs(vitals: Vitals, publisher: Publisher, control: ControlServer) -> HeartbeatMessage:
    return heartbeat_message(
        vitals,
        interval_s=INTERVAL_S,
        now=_now(),
        withheld=publisher.previews_withheld,
        refused=control.garbage,
    )


@contextmanager
def _stopping_on_signals(stop: Callable[[], None]) -> Generator[None]:
    """SIGTERM and SIGINT end the run after the slice in hand; only a main thread can be told."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _now() -> datetime:
    return datetime.now(UTC)
