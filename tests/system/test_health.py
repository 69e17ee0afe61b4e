"""The Prometheus endpoint serves the run's figures, and what we ship for Grafana asks for nothing else."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.config import HealthSection
from daemon.descriptions import EscalationDescription
from daemon.errors import WireError
from daemon.health import Health
from daemon.items import RunState, ThicknessSource
from daemon.messages import AlarmMessage, DriftMessage, HeartbeatMessage, RunMessage, ThicknessMessage
from daemon.publish import Publisher
from daemon.scrape_server import AT_ONCE, ScrapeServer

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"
GRACE = EscalationDescription(stage="grace", alarm="1")


@pytest.fixture
def publisher():
    with closing(
        Publisher(run="r", epoch=1, endpoint="tcp://127.0.0.1:0", now=lambda: datetime.now(UTC))
    ) as publisher:
        publisher.publish(RunMessage(state=RunState.WAITING, slices_done=7, slices_expected=9, gaps=1))
        publisher.publish(
            ThicknessMessage(
                index=7,
                depth_nm=70.0,
                thickness_nm=10.5,
                thickness_sigma_nm=0.3,
                source=ThicknessSource.RULER,
            )
        )
        publisher.publish(DriftMessage(index=7, statistics={"thicker": 0.4}, threshold=0.8))
        publisher.publish(AlarmMessage(id="1", kind="slice gap", slice_index=3, message="missing"))
        yield publisher


@pytest.fixture
def scrape(publisher, tmp_path):
    """One scrape: sample name and labels to value."""
    section = HealthSection.model_construct(host="127.0.0.1", port=0)
    with closing(Health(section, publisher, tmp_path)) as health:

        def once() -> dict[str, float]:
            url = f"http://127.0.0.1:{health.port}/metrics"
            text = urllib.request.urlopen(url, timeout=60).read().decode()
            return {
                sample.name + "".join(f"/{value}" for value in sample.labels.values()): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }

        yield once


def beat() -> HeartbeatMessage:
    return HeartbeatMessage(
        requests_forbidden=2, peers_refused=3,
        state=RunState.WAITING, interval_s=2.0, last_image_age_s=12.0, progress_age_s=0.2, rss_mib=100.0,
        uptime_s=5.0, armed=True, escalation=GRACE, ledger={"seen": 21, "waiting": 0},
    )  # fmt: skip


def test_figures_hold_no_names_no_paths_and_no_commands(publisher, tmp_path):
    """Who reads them learns neither who has armed the abort nor where files lie, and posting does nothing."""
    publisher.publish(
        RunMessage(state=RunState.WAITING, project="/data/gold-7", armed=True, armed_by="Ada", detail="/disk")
    )
    publisher.publish(AlarmMessage(id="2", kind="file quarantined", slice_index=1, message="/data/x.tif"))
    publisher.publish(beat())
    with closing(Health(HealthSection(), publisher, tmp_path)) as health:
        url = f"http://127.0.0.1:{health.port}/metrics"
        text = urllib.request.urlopen(url, timeout=60).read().decode()
        with pytest.raises(urllib.error.HTTPError, match="405"):
            urllib.request.urlopen(url, data=b"{}", timeout=60)
    assert "slicewatch_armed 1.0" in text
    assert not [word for word in ("Ada", "gold-7", "/data", "/disk", str(tmp_path)) if word in text]


def test_the_figures_of_a_run_are_served(scrape, publisher):
    """As published, and following what is published later."""
    told = scrape()
    assert told["slicewatch_slices_total"] == 7.0
    assert told["slicewatch_gaps_total"] == 1.0
    assert told["slicewatch_thickness_nanometres"] == 10.5
    assert told["slicewatch_drift_evidence_ratio/thicker"] == 0.5
    assert told["slicewatch_alarms_unacknowledged"] == 1.0
    assert told["slicewatch_state/waiting"] == 1.0
    assert told["slicewatch_disk_free_bytes"] > 0.0
    publisher.publish(beat())
    publisher.publish(RunMessage(state=RunState.WORKING, slices_done=8))
    later = scrape()
    assert later["slicewatch_slices_total"] == 8.0
    assert later["slicewatch_armed"] == later["slicewatch_escalation/grace"] == 1.0
    assert later["slicewatch_files/seen"] == 21.0
    assert later["slicewatch_requests_forbidden_total"] == 2.0
    assert later["slicewatch_peers_refused_total"] == 3.0


def test_what_grafana_and_the_rules_ask_for_exists(scrape, publisher):
    """Every metric name in the dashboard and in the alert rules is one that we serve."""
    publisher.publish(beat())
    served = {name.partition("/")[0] for name in scrape()}
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    asked += (MONITORING / "prometheus-rules.yml").read_text()
    names = set(re.findall(r"slicewatch_\w+", asked))
    assert len(names) > 10
    assert names <= served


HALF_A_REQUEST = b"GET /metrics HTTP/1.1\r\n"


def test_idle_connections_take_no_threads_and_the_next_scrape_gets_its_turn(publisher, tmp_path):
    """Three hundred that stop in the middle of a request: the oldest are hung up on."""
    section = HealthSection.model_construct(host="127.0.0.1", port=0)
    with closing(Health(section, publisher, tmp_path)) as health, ExitStack() as stack:
        before = threading.active_count()
        for number in range(300):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", health.port), timeout=60))
            idle.sendall(HALF_A_REQUEST)
            assert threading.active_count() <= before + AT_ONCE
            if number == 0:
                oldest = idle
        url = f"http://127.0.0.1:{health.port}/metrics"
        assert b"slicewatch_slices_total 7.0" in urllib.request.urlopen(url, timeout=60).read()
        assert oldest.recv(100) == b""


@contextmanager
def server(patience_s: float) -> Iterator[tuple[str, int]]:
    """A server of nothing, with as much patience."""
    with ScrapeServer(
        "127.0.0.1", 0, lambda _, start: [start("200 OK", []), b""][1:], patience_s=patience_s
    ) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield "127.0.0.1", made.server_port
        made.shutdown()
        thread.join()


@pytest.mark.parametrize("said", [b"", b"X"], ids=["says nothing", "says it letter by letter"])
def test_a_connection_that_takes_too_long_is_hung_up_on(said):
    """However busily it goes on: what counts is when it came."""
    with server(patience_s=0.5) as address, socket.create_connection(address, timeout=60) as slow:
        slow.settimeout(0.1)
        heard, deadline = None, time.monotonic() + 60.0
        while heard is None and time.monotonic() < deadline:
            try:
                slow.sendall(said)
                heard = slow.recv(100)
            except TimeoutError:
                continue
            except ConnectionError:
                heard = b""
        assert heard == b""


def test_a_port_that_is_taken_is_told(publisher, tmp_path):
    """With the keys that choose another one."""
    section = HealthSection.model_construct(host="127.0.0.1", port=0)
    with (
        closing(Health(section, publisher, tmp_path)) as first,
        pytest.raises(WireError, match=r"health\.port"),
    ):
        Health(HealthSection(port=first.port), publisher, tmp_path)
