"""Charts show what was told, leave holes where nothing was, and do not call an assumption a measurement."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from daemon.client import Answer
from daemon.items import RunState, Status, ThicknessSource
from daemon.messages import (
    AlarmMessage,
    ChannelPlacement,
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
from daemon.monitor.chart_frame import MOST_POINTS, peaks, thinned
from daemon.monitor.metrics_charts import (
    anisotropy_chart,
    ligament_chart,
    lineal_path_chart,
    metrics_chart,
    solid_chart,
    two_point_chart,
)
from daemon.monitor.palette import DARK, LIGHT
from daemon.monitor.registration_charts import quality_chart, shifts_chart
from daemon.monitor.thickness_charts import (
    drift_chart,
    histogram_chart,
    recent_thickness_chart,
    running_mean,
    thickness_chart,
)
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


def test_the_mean_is_the_same_on_a_part_of_the_run_as_on_the_whole() -> None:
    """At the left end of the newest hundred slices it is the mean of fifteen too, not of one."""
    view = view_of(RUN, *(thickness(i, 10.0 + (i % 7)) for i in range(1, 131)))
    whole, part = (
        series(chart(view, DARK), "mean of 15") for chart in (thickness_chart, recent_thickness_chart)
    )
    assert part[0][0] == 31
    assert part == whole[-100:]


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
    assert series(options, "solid") == [[0, None], [1, 0.125]]


def test_a_band_is_as_wide_as_its_error() -> None:
    """Student's 95 % to either side of the curve, and none where no error or no band is known."""
    told = (
        MetricsMessage(plane=0, solid_fraction=0.1),
        MetricsMessage(plane=1, solid_fraction=0.12, solid_fraction_sigma=0.01, band_sigmas=2.3),
        MetricsMessage(plane=2, solid_fraction=0.12, solid_fraction_sigma=0.01),
    )
    options = solid_chart(view_of(*told), DARK)
    low, width = (series(options, f"solid fraction 95 %{edge}") for edge in (" low", ""))
    assert low == [[1, pytest.approx(0.097)]]
    assert width == [[1, pytest.approx(0.046)]]


def test_patches_have_their_own_band_against_the_slice() -> None:
    """From low to high, nothing where there is none; planes stand where their slices are, in between too."""
    ends = {"patch_e_d_low": 0.02, "patch_e_d_high": 0.05}
    told = (
        MetricsMessage(plane=0, e_d=0.04),
        MetricsMessage(plane=4, e_d=0.03, **ends),
        MetricsMessage(plane=6, e_d=0.03, **ends),
        SliceMessage(index=1, status=Status.FINAL, z_plane=0),
        SliceMessage(index=2, status=Status.FINAL, z_plane=4),
        SliceMessage(index=3, status=Status.FINAL, z_plane=8),
        SliceMessage(index=4, status=Status.PROVISIONAL),
    )
    options = anisotropy_chart(view_of(*told), DARK)
    low, width = (series(options, f"e_D patches 95 %{edge}") for edge in (" low", ""))
    assert low == [[2.0, 0.02], [2.5, 0.02]]
    assert width == [[2.0, pytest.approx(0.03)], [2.5, pytest.approx(0.03)]]
    assert series(options, "e_D") == [[1.0, 0.04], [2.0, 0.03], [2.5, 0.03]]
    assert series(options, "e_LPF patches 95 %") == []
    assert options["xAxis"]["name"] == "slice"


def test_wide_bands_do_not_flatten_the_anisotropies() -> None:
    """A band of few patches is thirty times as high: the curve keeps two thirds, words say what is cut."""
    told = [MetricsMessage(plane=k, e_d=0.1, patch_e_d_low=0.0, patch_e_d_high=3.0) for k in range(9)]
    for chart in (anisotropy_chart, metrics_chart):
        options = chart(view_of(*told), DARK)
        axes = options["yAxis"] if isinstance(options["yAxis"], list) else [options["yAxis"]]
        assert axes[0]["max"] == pytest.approx(0.15)
        assert options["title"]["text"] == "▲ cut off, reaches 3"


@given(st.lists(st.one_of(st.floats(-50, 50), st.just(math.nan)), min_size=1, max_size=900))
def test_a_long_curve_keeps_what_sticks_out(values: list[float]) -> None:
    """However few points are drawn: the highest, the lowest and the newest are among them, in order."""
    points = [(float(k), value) for k, value in enumerate(values)]
    kept = peaks(points, most=40)
    assert len(kept) <= 41
    assert kept[-1] is points[-1]
    assert kept == sorted(kept, key=lambda point: point[0])
    known = [value for value in values if math.isfinite(value)]
    if known:
        drawn = [value for _, value in kept if math.isfinite(value)]
        assert (min(drawn), max(drawn)) == (min(known), max(known))


def test_the_software_s_own_estimate_is_shown_for_comparison_only() -> None:
    """Beside a measured thickness it is a series of its own; as the source it is not shown twice."""
    message = msgspec.structs.replace(thickness(1, 9.0), asv_nm=12.5)
    assert series(thickness_chart(view_of(RUN, message), DARK), "software's own") == [[1, 12.5]]
    as_source = msgspec.structs.replace(thickness(1, 12.5, source="asv"), asv_nm=12.5)
    assert series(thickness_chart(view_of(RUN, as_source), DARK), "software's own") == []


def test_the_histogram_counts_every_slice_and_the_fit_has_the_same_area() -> None:
    """No slice is lost in the bins, and the gamma curve is scaled to them."""
    values = np.random.default_rng(2).gamma(10.6, 0.96, 400)
    told = [thickness(k, float(nm)) for k, nm in enumerate(values)]
    options = histogram_chart(view_of(RUN, *told), DARK)
    bars, curve = np.array(series(options, "slices")), np.array(series(options, "gamma fit"))
    assert bars[:, 1].sum() == len(values)
    area = np.trapezoid(curve[:, 1], curve[:, 0]) / (bars[1, 0] - bars[0, 0])
    assert area == pytest.approx(len(values), rel=0.05)
    shape, _, scale = stats.gamma.fit(values, floc=0.0)
    expected = stats.gamma.pdf(curve[:, 0], shape, scale=scale) * len(values) * (bars[1, 0] - bars[0, 0])
    np.testing.assert_allclose(curve[:, 1], expected, rtol=1e-3, atol=1e-9)


def test_shifts_and_quality_stand_per_voltage() -> None:
    """Down and across for each image; an image that found no fiducial is marked."""
    placed = {"1kV": ChannelPlacement(0.5, -1.5, 0.02, 0.99, "fiducial")}
    lost = {"1kV": ChannelPlacement(0.5, -1.5, 0.02, 0.3, "face")}
    told = [
        SliceMessage(index=k, status=Status.FINAL, channels=one) for k, one in enumerate((placed, lost), 4)
    ]
    view = view_of(*told, SliceMessage(index=6, status=Status.GAP))
    shifts = shifts_chart(view, DARK)
    assert series(shifts, "1kV y") == [[4, 0.5], [5, 0.5]]
    assert series(shifts, "1kV x") == [[4, -1.5], [5, -1.5]]
    quality = quality_chart(view, DARK)
    assert series(quality, "1kV") == [[4, 0.99], [5, 0.3]]
    assert series(quality, "not on fiducials") == [[5, 0.3]]


def test_the_curves_are_those_of_the_newest_plane_that_had_some() -> None:
    """Only the last row of a batch carries curves; a row without them takes nothing away."""
    lag = np.arange(4) * 2.5
    arrays = {"lag_nm": lag, **{f"{kind}_{axis}": lag + 1 for kind in ("tpcf", "lpf") for axis in "xyz"}}
    arrays |= {"ligament_nm": lag, "ligament_share": np.array([0.1, 0.9, 0.0, 0.0])}
    view = view_of(MetricsMessage(plane=1, arrays=arrays), MetricsMessage(plane=2))
    assert series(two_point_chart(view, DARK), "f z") == [[x, x + 1] for x in lag]
    assert series(lineal_path_chart(view, DARK), "f x")[1] == [2.5, 3.5]
    assert series(ligament_chart(view, DARK), "share")[:2] == [[0.0, 10.0], [2.5, 90.0]]
    assert not view.metrics[1].arrays  # what 8000 planes would keep is not kept


@given(st.integers(0, 5000))
def test_a_thinned_curve_keeps_its_newest_point(count: int) -> None:
    """No more points than a screen shows, in order, the last one always among them."""
    kept = thinned(range(count))
    assert len(kept) <= MOST_POINTS
    assert kept == sorted(kept)
    assert kept[-1:] == list(range(count))[-1:]


CHARTS = [
    thickness_chart,
    drift_chart,
    metrics_chart,
    histogram_chart,
    anisotropy_chart,
    solid_chart,
    two_point_chart,
    lineal_path_chart,
    ligament_chart,
    shifts_chart,
    quality_chart,
]


@pytest.mark.parametrize("chart", CHARTS)
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
