"""The Prometheus endpoint: the figures that an operator watches, read when they are asked for.

It follows the event stream from inside, as the alerts do, so that what it shows is what was published, and
a scrape costs the loop nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from daemon.alerts.desk import follow
from daemon.config import HealthSection
from daemon.errors import WireError
from daemon.items import RunState
from daemon.messages import HeartbeatMessage, RunMessage
from daemon.publish import Publisher
from daemon.scrape_server import ScrapeServer
from daemon.view import RunView

_STAGES: Final = ("quiet", "grace", "aborting", "aborted")


class Health:
    """Serves ``/metrics`` until closed.

    Raises
    ------
    WireError
        The port is taken.
    """

    def __init__(self, section: HealthSection, publisher: Publisher, output: Path) -> None:
        registry = CollectorRegistry()
        registry.register(RunCollector(publisher, output))
        try:
            self._server = ScrapeServer(section.host, section.port, make_wsgi_app(registry))
        except OSError as error:
            raise WireError(
                f"the health endpoint cannot be served: {error.strerror or error}",
                where=f"health.host = {section.host}, health.port = {section.port}",
                remedy="Choose another health.port, or 0 for none.",
            ) from error
        self._thread = Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def close(self) -> None:
        """Free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class RunCollector(Collector):
    """A run's figures as Prometheus metrics; each scrape brings its own picture of the run up to date."""

    def __init__(self, publisher: Publisher, output: Path) -> None:
        self._publisher = publisher
        self._output = output
        self._view = RunView()
        self._lock = Lock()

    def collect(self) -> Iterator[Metric]:
        """All metrics that are known; unknown numbers are left out, as Prometheus wants it."""
        with self._lock:
            envelope = self._view.envelope
            follow(self._publisher, self._view, envelope.seq + 1 if envelope else 0)
            yield from _metrics(self._view)
        yield _gauge("disk_free_bytes", "Room on the output disk.", shutil.disk_usage(self._output).free)


def _metrics(view: RunView) -> Iterator[Metric]:
    if view.run is not None:
        yield from _run(view.run)
    if view.heartbeat is not None:
        yield from _heartbeat(view.heartbeat)
    yield from _thickness(view)
    unseen = sum(not alarm.acknowledged_by for alarm in view.alarms.values())
    yield _counter("alarms", "Alarms raised.", len(view.alarms))
    yield _gauge("alarms_unacknowledged", "Alarms that nobody has acknowledged.", unseen)


def _run(run: RunMessage) -> Iterator[Metric]:
    yield _counter("slices", "Complete slices.", run.slices_done)
    yield _gauge("slices_expected", "Slices of the whole run, 0: unknown.", run.slices_expected)
    yield _counter("gaps", "Slice indices without a slice.", run.gaps)
    yield _counter("planes", "Final planes of the volume.", run.planes)
    yield _gauge("ledger_balanced", "1: every file is accounted for.", int(run.ledger_balanced))
    yield _labelled("state", "What the daemon is doing.", "state", {str(s): s is run.state for s in RunState})
    on_gpu = run.provider not in ("", "CPUExecutionProvider")
    yield _gauge("on_gpu", "1: the network runs on a GPU.", int(on_gpu))


def _heartbeat(beat: HeartbeatMessage) -> Iterator[Metric]:
    yield _gauge("armed", "1: drift stops the microscope.", int(beat.armed))
    stages = {stage: stage == beat.escalation.stage for stage in _STAGES}
    yield _labelled("escalation", "How far an alarm has come on its way to the microscope.", "stage", stages)
    yield _labelled("files", "Files seen, by what became of them.", "outcome", dict(beat.ledger))
    for name, text, value in (
        ("last_image_age_seconds", "Since the last image.", beat.last_image_age_s),
        ("progress_age_seconds", "Since the loop last got on.", beat.progress_age_s),
        ("uptime_seconds", "Since the daemon was started.", beat.uptime_s),
        ("resident_memory_bytes", "Memory of the daemon.", beat.rss_mib * 2**20),
    ):
        if isfinite(value):
            yield _gauge(name, text, value)
    yield _counter("requests_refused", "Frames that were no requests.", beat.requests_refused)
    yield _counter("requests_forbidden", "Requests beyond the right of their key.", beat.requests_forbidden)
    yield _counter("peers_refused", "Handshakes without an allowed key.", beat.peers_refused)
    yield _counter("previews_withheld", "Previews sent without pictures.", beat.previews_withheld)


def _thickness(view: RunView) -> Iterator[Metric]:
    known = [told for _, told in sorted(view.thickness.items()) if isfinite(told.thickness_nm)]
    if known:
        last = known[-1]
        yield _gauge("thickness_nanometres", "Thickness of the newest slice.", last.thickness_nm)
        if isfinite(last.thickness_sigma_nm):
            yield _gauge("thickness_sigma_nanometres", "Its standard error.", last.thickness_sigma_nm)
    if view.drift:
        newest = view.drift[max(view.drift)]
        shares = {name: value / newest.threshold for name, value in newest.statistics.items()}
        yield _labelled("drift_evidence_ratio", "Evidence of drift; 1 alarms.", "test", shares)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"slicewatch_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"slicewatch_{name}", text, value=value)


def _labelled(name: str, text: str, label: str, values: dict[str, Any]) -> Metric:
    family = GaugeMetricFamily(f"slicewatch_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family
