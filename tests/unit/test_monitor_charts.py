"""Charts show what was told, leave holes where nothing was, and do not call an assumption a measurement."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.client import Answer
from daemon.items import RunState, Status, ThicknessSource
from daemon.messages import (
    AlarmMessage,
    DriftMessage,
    HeartbeatMessage,
    Message,
    MetricsMessage,
    PlanesMessage,
    PreviewMessage,
    RunMessage,
    SliceMessage,
    ThicknessMessage,
)
from daemon.monitor.charts import drift_chart, metrics_chart, running_mean, thickness_chart
from daemon.monitor.palette import DARK, LIGHT
from daemon.view import RunView
from daemon.wire import SCHEMA, Envelope, Event

RUN = RunMessage(state=RunState.WORKING, target_thickness_nm=10.0, limits_nm=(2.0, 25.0))


def view_of(*messages: Message) -> RunView:
    """The picture after these messages."""
    view = RunView()
    for seq, message in enumerate(messages, start=1):
        view.apply(Event(Envelope(SCHEMA, "r", 1, seq, datetime(2026, 3, 1, tzinfo=UTC)), message))
    return view


def thickness(index: int, nm: float, sigma: float = 0.3, source: str = "ruler") -> ThicknessMessage:
    """A thickness."""
    return ThicknessMessage(
        index=index, depth_nm=0.0, thickness_nm=nm, thickness_sigma_nm=sigma, source=ThicknessSource(source)
    )


def series(options: dict[str, Any], name: str) -> list[Any]:
    """The data of a named series; empty when it is not drawn."""
    return next((s["data"] for s in options["series"] if s["name"] == name), [])


def test_each_thickness_stands_at_its_slice_with_its_error_bar() -> None:
    """Values, ± one σ, target and limits as told; the first slice has no thickness and no point."""
    options = thickness_chart(
        view_of(RUN, thickness(0, math.nan), thickness(1, 9.5, 0.25), thickness(2, 31.0, 0.5)), DARK
    )
    assert series(options, "ruler") == [[1, 9.5], [2, 31.0]]
    assert series(options, "±1 σ") == [[1, 9.25, 9.75], [2, 30.5, 31.5]]
    levels = [line["yAxis"] for s in options["series"] if "markLine" in s for line in s["markLine"]["data"]]
    assert sorted(levels) == [2.0, 10.0, 25.0]
    assert options["yAxis"]["max"] > 31.0


def test_an_assumed_thickness_is_named_so_and_has_no_error_bar() -> None:
    """A target that nothing measured is a series of its own, with another symbol and no σ."""
    options = thickness_chart(view_of(RUN, thickness(1, 9.0), thickness(2, 10.0, math.nan, "target")), DARK)
    assert series(options, "assumed") == [[2, 10.0]]
    assert series(options, "ruler") == [[1, 9.0]]
    assert [bar[0] for bar in series(options, "±1 σ")] == [1]
    symbols = {s["name"]: s.get("symbol") for s in options["series"]}
    assert symbols["assumed"] != symbols["ruler"]


def test_gaps_are_marked() -> None:
    """A slice that is missing is visible as such."""
    view = view_of(RUN, thickness(1, 9.0), SliceMessage(index=2, status=Status.GAP, reason="missing"))
    assert series(thickness_chart(view, DARK), "gap") == [[2, 0]]


def test_the_drift_threshold_is_always_in_view() -> None:
    """However far the statistic is below its threshold, the distance can be seen."""
    told = [
        DriftMessage(index=i, statistics={"thicker": 0.1 * i, "thinner": math.nan}, threshold=5.0)
        for i in range(4)
    ]
    options = drift_chart(view_of(*told), LIGHT)
    assert series(options, "thicker")[3] == pytest.approx([3, 0.3])
    assert series(options, "thinner")[0] == [0, None]
    assert options["yAxis"]["max"] >= 5.0


def test_unknown_metrics_are_holes() -> None:
    """NaN is drawn as nothing, not as zero."""
    view = view_of(MetricsMessage(plane=0), MetricsMessage(plane=1, solid_fraction=0.125, e_tpcf=0.2))
    options = metrics_chart(view, DARK)
    assert series(options, "e_TPCF") == [[0, None], [1, 0.2]]
    assert series(options, "solid fraction") == [[0, None], [1, 0.125]]


@pytest.mark.parametrize("chart", [thickness_chart, drift_chart, metrics_chart])
@pytest.mark.parametrize("palette", [DARK, LIGHT])
def test_charts_of_nothing_are_empty_charts_and_all_are_json(chart: Any, palette: Any) -> None:
    """Before the first message there is a frame, and options never hold NaN, which JSON has not."""
    for view in (RunView(), view_of(RUN), view_of(RUN, thickness(1, math.nan), thickness(2, 7.0))):
        text = msgspec.json.encode(chart(view, palette))
        assert msgspec.json.decode(text) == chart(view, palette)


@given(st.lists(st.floats(0.0, 50.0), max_size=60), st.integers(1, 20))
def test_the_running_mean_is_the_mean_of_the_last_values(values: list[float], over: int) -> None:
    """The streaming sum equals the plain definition."""
    expected = [sum(values[max(0, k - over + 1) : k + 1]) / min(k + 1, over) for k in range(len(values))]
    assert running_mean(values, over) == pytest.approx(expected, abs=1e-9)


def test_a_new_snapshot_forgets_everything_older() -> None:
    """After a restart the picture is the snapshot's, with no row left of another run."""
    view = view_of(
        RUN,
        thickness(1, 9.0),
        SliceMessage(index=1, status=Status.FINAL),
        DriftMessage(index=1),
        MetricsMessage(plane=3),
        AlarmMessage(id="a", kind="k", slice_index=1, message="m"),
        PlanesMessage(first=0, count=1, shape=(1, 2, 3)),
        PreviewMessage(index=1),
        HeartbeatMessage(state=RunState.WAITING, interval_s=1.0),
    )
    before = view.revisions.copy()
    view.begin(Answer(Envelope(SCHEMA, "other", 1, 9, datetime(2026, 3, 2, tzinfo=UTC)), ()))
    assert not any((view.slices, view.thickness, view.drift, view.metrics, view.alarms))
    assert (view.run, view.planes, view.preview, view.heartbeat) == (None, None, None, None)
    assert view.envelope is not None
    assert view.envelope.run == "other"
    assert all(view.revisions[topic] > before[topic] for topic in before if topic != "heartbeat")
