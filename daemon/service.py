"""A daemon from its configuration to its exit code: opens everything, runs the loop, closes everything."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog

from daemon import alarms
from daemon.abort.bridge import bridge_of, closed_bridge
from daemon.alerts.desk import Desk
from daemon.attempts import run_attempts
from daemon.command_options import EXIT_CODES
from daemon.config import Configuration, as_toml_table, load
from daemon.configuration_changes import ACCEPTABLE_KEYS, FREE_KEYS
from daemon.control import ControlServer
from daemon.errors import FolderError, SlicewatchError
from daemon.faces import SeenFaces
from daemon.frame_shelf import open_shelf
from daemon.health import Health
from daemon.heartbeat import INTERVAL_S, Heartbeat
from daemon.inbox import Inbox
from daemon.items import Alarm, FinishReason
from daemon.journal import Journal, open_journal
from daemon.keys import DaemonKeys, open_keys
from daemon.lock import exclusive
from daemon.messages import HeartbeatMessage
from daemon.networks import Networks, open_networks
from daemon.operating_system import notify, usable_cores
from daemon.outputs import Outputs, prepare, refuse_without_journal
from daemon.project import read_project
from daemon.publish import Publisher
from daemon.records import KEPT, messages, started_record
from daemon.run_tables import RunTables
from daemon.station import Station
from daemon.unrecorded import Unrecorded
from daemon.vitals import Refusals, Vitals, heartbeat_message
from daemon.volume_reader import StoredVolume
from models.errors import ModelError
from models.providers import CPU
from models.session import Segmenter

# The report and the last letters feed no watchdog: killed over them, a run that has stopped the microscope
# would be started again. systemd then waits so many µs for the end.
ENDING = "STOPPING=1\nEXTEND_TIMEOUT_USEC=900000000\nSTATUS=writing the report"
_log = structlog.get_logger("slicewatch")


def run_daemon(
    path: Path, *, follow: bool, accept_changes: bool = False, cores: int = 0, lock_patience_s: float = 0.0
) -> int:
    """Run the configured daemon until it ends; the process exit code (DESIGN §4).

    ``accept_changes``: go on although the configuration differs from the last start's in a way that leaves
    earlier results right. ``cores``: for the networks, unless the configuration says; 0: all that there are.
    ``lock_patience_s``: how long another process may hold the output folder before that is an error.

    Raises
    ------
    SlicewatchError, ModelError
        It cannot start, or can no longer keep its promises.
    """
    configuration = load(path)
    outputs = _outputs(configuration)
    networks = open_networks(configuration, cores or usable_cores())
    acceptable = FREE_KEYS | ACCEPTABLE_KEYS if accept_changes else FREE_KEYS
    with (
        exclusive(outputs.folder, lock_patience_s),
        closing(open_journal(outputs.journal, as_toml_table(configuration), _now, acceptable)) as journal,
    ):
        journal.take_networks(networks.sha256, accept_changes=accept_changes)
        if journal.changes:
            _log.warning("configuration.changed", since_last_start=list(journal.changes))
        finished = journal.latest("finished").get(0)
        if finished is not None:
            return _finished_before(FinishReason(finished["reason"]), outputs, journal, configuration)
        reason = _run(configuration, outputs, journal, networks, follow=follow)
    _log.info("run.finished", reason=str(reason), output=str(outputs.folder))
    return EXIT_CODES[reason]


def _outputs(configuration: Configuration) -> Outputs:
    """The output folder, made, of an acquisition folder that is there."""
    folder = configuration.run.folder
    if not folder.is_dir():
        raise FolderError(
            "the acquisition folder does not exist" if not folder.exists() else "this is not a folder",
            where=f"run.folder = {folder}",
            remedy="Correct run.folder, or mount the share; a folder that vanishes later is waited for.",
        )
    outputs = prepare(configuration.run.output, folder)
    refuse_without_journal(outputs)
    return outputs


def _run(
    configuration: Configuration,
    outputs: Outputs,
    journal: Journal,
    networks: Networks,
    *,
    follow: bool,
) -> FinishReason:
    """Open the sockets around the loop; whatever happens, close them in order."""
    keys = open_keys(configuration.publish.curve_keys)
    with ExitStack() as stack:
        publisher = stack.enter_context(closing(_publisher(configuration, outputs, journal, keys)))
        station = _station(configuration, outputs, journal, networks, publisher, follow=follow)
        stack.enter_context(closing(station.bridge))
        control = stack.enter_context(closing(_control(station, keys)))
        stack.enter_context(closing(_heartbeat(station, control)))
        _log.info("sockets.open", events=publisher.endpoint, control=control.endpoint, keys=keys is not None)
        notify("READY=1\nSTATUS=watching " + str(configuration.run.folder))
        if configuration.health.port:
            stack.enter_context(closing(Health(configuration.health, publisher, outputs.folder)))
        if configuration.alerts.has_receivers:
            stack.enter_context(closing(_desk(station)))
        try:
            reason = run_attempts(station, _lost_hardware(journal, networks.segmenter))
        except (SlicewatchError, ModelError):
            notify(ENDING)
            _write_report_if_possible(outputs)
            raise
        notify(ENDING)
    _write_report_if_possible(outputs)
    return reason


def _station(
    configuration: Configuration,
    outputs: Outputs,
    journal: Journal,
    networks: Networks,
    publisher: Publisher,
    *,
    follow: bool,
) -> Station:
    vitals = Vitals(started_at=_now())
    unrecorded = Unrecorded(publisher, vitals)
    if follow:
        bridge = bridge_of(configuration, outputs.folder, str(journal.run_id), vitals, unrecorded)
    else:
        bridge = closed_bridge(outputs.folder, unrecorded)
        _log.info("abort.out_of_reach", configured_armed=configuration.abort.armed, why="reprocessing")
    project = read_project(configuration.run.folder)
    return Station(
        configuration,
        outputs,
        journal,
        networks.segmenter,
        networks.known,
        networks.filling,
        publisher,
        inbox=Inbox(bridge.at_once),
        volume=StoredVolume(),
        faces=SeenFaces(configuration, outputs, open_shelf(configuration)),
        tables=RunTables(outputs, configuration.channel_names, configuration.drift.outlier_z),
        vitals=vitals,
        bridge=bridge,
        expected_slices=configuration.run.expected_slices or project.expected_slices,
        follow=follow,
        clock=time.monotonic,
        now=_now,
    )


def _publisher(
    configuration: Configuration, outputs: Outputs, journal: Journal, keys: DaemonKeys | None
) -> Publisher:
    """The event stream; whoever comes new is told from the journal what this run has said."""
    return Publisher(
        run=str(journal.run_id),
        epoch=journal.epoch,
        endpoint=configuration.publish.events,
        now=_now,
        keys=keys,
        on_record=KEPT,
        recorded=partial(messages, outputs.journal),
    )


def _control(station: Station, keys: DaemonKeys | None) -> ControlServer:
    return ControlServer(
        endpoint=station.configuration.publish.control,
        publisher=station.publisher,
        inbox=station.inbox,
        volume=station.volume,
        keys=keys,
        faces=station.faces,
    )


def _heartbeat(station: Station, control: ControlServer) -> Heartbeat:
    def vital_signs() -> HeartbeatMessage:
        return heartbeat_message(
            station.vitals,
            interval_s=INTERVAL_S,
            now=_now(),
            now_s=station.clock(),
            refusals=Refusals(
                station.publisher.previews_withheld,
                control.garbage,
                control.forbidden,
                station.publisher.peers_refused + control.peers_refused,
            ),
        )

    return Heartbeat(station.publisher, vital_signs)


def _desk(station: Station) -> Desk:
    return Desk(station.publisher, station.configuration.alerts, station.outputs.folder, station.now)


def _lost_hardware(journal: Journal, segmenter: Segmenter) -> tuple[Alarm, ...]:
    """An alarm when the last start of this run had a GPU and this one has none."""
    before = journal.latest("started").get(0, {}).get("provider", CPU)
    with journal.transaction():
        journal.append(started_record(journal.epoch, segmenter.provider))
    if before == CPU or segmenter.provider != CPU:
        return ()
    return (alarms.gpu_lost(before, segmenter.provider, segmenter.refusals),)


def _write_report(outputs: Outputs) -> None:
    """Matplotlib takes a second to import; a daemon that starts needs none of it."""
    from daemon.report import write_report

    _log.info("report.written", path=str(write_report(outputs.folder)))


def _write_report_if_possible(outputs: Outputs) -> None:
    """How the run ended is told by the exit code, which a service obeys, whatever becomes of its report."""
    try:
        _write_report(outputs)
    except Exception as error:
        _log.exception("report.not_written", why=str(error), remedy=f"slicewatch report {outputs.folder}")


def _finished_before(
    reason: FinishReason, outputs: Outputs, journal: Journal, configuration: Configuration
) -> int:
    """A run that is over is not begun again: its tables and report are written anew from the journal."""
    RunTables(outputs, configuration.channel_names, configuration.drift.outlier_z).finish(journal)
    _write_report_if_possible(outputs)
    _log.info("run.was_finished", reason=str(reason), output=str(outputs.folder))
    return EXIT_CODES[reason]


def _now() -> datetime:
    return datetime.now(UTC)
