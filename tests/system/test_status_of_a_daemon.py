"""``slicewatch status`` over real sockets: what a daemon said is what a person reads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from daemon.control import ControlServer
from daemon.errors import UnreachableError
from daemon.inbox import Inbox
from daemon.items import FinishReason, RunState, Status, ThicknessSource
from daemon.messages import (
    AlarmMessage,
    DriftMessage,
    HeartbeatMessage,
    RunMessage,
    SliceMessage,
    ThicknessMessage,
)
from daemon.publish import Publisher
from daemon.status import print_status
from daemon.volume_reader import StoredVolume

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = RunMessage(
    state=RunState.WAITING,
    project="/data/kurs",
    slices_done=30,
    slices_expected=300,
    gaps=1,
    planes=110,
    target_thickness_nm=10.0,
    armed=True,
    provider="CPUExecutionProvider",
    provider_wanted="CUDAExecutionProvider",
    model="late_fusion",
    last_image_at=NOW - timedelta(seconds=125),
    ledger={"seen": 93, "processed": 90, "quarantined": 1, "ignored": 2, "waiting": 0},
)


@dataclass(frozen=True)
class Daemon:
    """A daemon's sockets without a run behind them."""

    publisher: Publisher
    control: str

    def say(self, *messages) -> None:
        for message in messages:
            self.publisher.publish(message)


@pytest.fixture
def daemon(monkeypatch) -> Iterator[Daemon]:
    monkeypatch.setenv("COLUMNS", "200")
    publisher = Publisher(run="r", epoch=2, endpoint="tcp://127.0.0.1:0", now=lambda: NOW)
    endpoint = "tcp://127.0.0.1:0"
    with (
        closing(publisher),
        closing(
            ControlServer(endpoint=endpoint, publisher=publisher, inbox=Inbox(), volume=StoredVolume(None))
        ) as server,
    ):
        yield Daemon(publisher, server.endpoint)


def thickness(index: int, source: ThicknessSource = ThicknessSource.RULER) -> ThicknessMessage:
    sigma = math.nan if source is ThicknessSource.TARGET else 0.21
    return ThicknessMessage(
        index=index, depth_nm=10.0 * index, thickness_nm=10.5, thickness_sigma_nm=sigma, source=source
    )


def as_json(daemon: Daemon, capsys) -> dict:
    print_status(daemon.control, as_json=True)
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def on_terminal(daemon: Daemon, capsys) -> str:
    print_status(daemon.control, as_json=False)
    return " ".join(capsys.readouterr().out.split())


def test_a_script_gets_every_figure(daemon, capsys):
    """One JSON object as last line; what is not known is null."""
    daemon.say(
        RUN,
        SliceMessage(index=29, status=Status.GAP, reason="missing"),
        SliceMessage(index=31, status=Status.PROVISIONAL),
        thickness(30),
        thickness(31),
        DriftMessage(
            index=31, statistics={"thicker": 0.8, "thinner": 0.0}, threshold=1.0, mean_nm=10.1, sigma_nm=3.1
        ),
        AlarmMessage(id="1", kind="slice gap", slice_index=29, message="gap", acknowledged_by="Ada"),
        AlarmMessage(id="2", kind="drift thicker", slice_index=31, message="thicker", remedy="look"),
    )
    told = as_json(daemon, capsys)
    assert (told["state"], told["finish_reason"], told["run"], told["epoch"]) == ("waiting", None, "r", 2)
    assert (told["slice"], told["slices_done"], told["slices_expected"]) == (31, 30, 300)
    assert told["gaps"] == [29]
    assert (told["thickness_nm"], told["thickness_sigma_nm"], told["thickness_source"]) == (
        10.5,
        0.21,
        "ruler",
    )
    assert told["drift"]["statistics"] == {"thicker": 0.8, "thinner": 0.0}
    assert [alarm["id"] for alarm in told["alarms_unacknowledged"]] == ["2"]
    assert (told["ledger"]["seen"], told["ledger_balanced"], told["armed"]) == (93, True, True)
    assert told["last_image_age_s"] == 125.0
    assert told["rss_mib"] is None


def test_the_age_of_the_last_image_is_the_youngest_known(daemon, capsys):
    """A heartbeat is younger than the run's message; only the daemon's clock counts."""
    daemon.say(
        RUN, HeartbeatMessage(state=RunState.WAITING, interval_s=2.0, last_image_age_s=5.0, rss_mib=321.0)
    )
    told = as_json(daemon, capsys)
    assert (told["last_image_age_s"], told["rss_mib"]) == (5.0, 321.0)


def test_a_person_reads_what_matters(daemon, capsys):
    """Progress, thickness and its source, evidence of drift, gaps, alarms with remedies, the fall-back."""
    daemon.say(
        RUN,
        SliceMessage(index=29, status=Status.GAP, reason="missing"),
        thickness(31),
        DriftMessage(index=31, statistics={"thicker": 0.5}, threshold=1.0, mean_nm=10.1, sigma_nm=3.1),
        AlarmMessage(id="2", kind="drift thicker", slice_index=31, message="thicker", remedy="look at it"),
    )
    text = on_terminal(daemon, capsys)
    for words in (
        "slicewatch: waiting", "30 of 300 done", "1 GAP: 29", "0:02:05 ago", "10.50 ± 0.21 nm", "from ruler",
        "thicker", "50%", "armed", "all accounted for", "FELL BACK from CUDAExecutionProvider",
        "1 not acknowledged", "look at it",
    ):  # fmt: skip
        assert words in text


def test_what_is_assumed_or_wrong_is_loud(daemon, capsys):
    """An assumed thickness, books that do not balance, and a bad end are said in capitals."""
    bad = {"slices_done": 3, "ledger": {"seen": 9}, "ledger_balanced": False}
    daemon.say(
        RunMessage(state=RunState.FINISHED, finish_reason=FinishReason.ERRORED, detail="disk full", **bad),
        thickness(3, ThicknessSource.TARGET),
    )
    text = on_terminal(daemon, capsys)
    assert "finished, ERRORED (disk full)" in text
    assert "ASSUMED 10.50 nm" in text
    assert "NOT ALL ACCOUNTED FOR" in text


def test_a_daemon_that_has_said_nothing_yet(daemon, capsys):
    """Nothing is invented for it."""
    told = as_json(daemon, capsys)
    assert (told["state"], told["slice"], told["thickness_nm"], told["drift"]) == (
        "starting",
        None,
        None,
        None,
    )
    text = on_terminal(daemon, capsys)
    assert "none yet" in text
    assert "no verdict yet" in text


def test_nobody_there_is_an_error_of_its_own():
    """Exit code 4, after five seconds at most."""
    with pytest.raises(UnreachableError) as caught:
        print_status("tcp://127.0.0.1:9", as_json=True)
    assert caught.value.exit_code == 4
