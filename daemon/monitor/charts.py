"""The charts: from the picture of the run to options for ECharts, as pure functions.

A chart takes the run's view and a palette and returns a dictionary. Points are [x, y] pairs; a slice without
a value leaves a hole, never a zero. Keys that begin with a colon hold JavaScript, which NiceGUI evaluates in
the browser; the daemon's numbers never enter it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from daemon.items import Status, ThicknessSource
from daemon.messages import ThicknessMessage
from daemon.monitor.palette import SOURCE_NAMES, SOURCE_SYMBOLS, Palette
from daemon.view import RunView

Options = dict[str, Any]
MEAN_OVER = 15  # slices in the running mean, odd: a window that follows a drift and still calms the noise

ERROR_BAR = """(params, api) => {
  const low = api.coord([api.value(0), api.value(1)]), high = api.coord([api.value(0), api.value(2)]);
  const style = {stroke: api.visual('color'), lineWidth: 1.5, opacity: 0.75};
  return {type: 'line', shape: {x1: low[0], y1: low[1], x2: high[0], y2: high[1]}, style: style};
}"""


def thickness_chart(view: RunView, palette: Palette) -> Options:
    """Thickness of every slice with ±1 σ, its running mean, target, limits, and gaps."""
    told = [
        view.thickness[i] for i in sorted(view.thickness) if math.isfinite(view.thickness[i].thickness_nm)
    ]
    series = [_by_source(source, told, palette) for source in ThicknessSource]
    lines = [*_error_bars(told, palette), _running_mean(told, palette), _gaps(view, palette)]
    options = _frame(palette, "slice", "thickness / nm")
    options["series"] = [s for s in (*lines, *series) if s["data"]]
    if options["series"]:
        options["series"][0]["markLine"] = _levels(view, palette)
    options["yAxis"]["min"] = 0
    options["yAxis"]["max"] = _ceiling(view, told)
    options["tooltip"][":valueFormatter"] = "v => v == null ? '–' : (+v).toFixed(2) + ' nm'"
    return options


def drift_chart(view: RunView, palette: Palette) -> Options:
    """The statistics of the sequential test against their threshold."""
    told = [view.drift[i] for i in sorted(view.drift)]
    names = sorted({name for message in told for name in message.statistics})
    options = _frame(palette, "", "")
    options["series"] = [
        _line(
            name,
            [(m.index, m.statistics.get(name, math.nan)) for m in told],
            palette.series[k % len(palette.series)],
        )
        for k, name in enumerate(names)
    ]
    threshold = told[-1].threshold if told else math.nan
    if options["series"] and math.isfinite(threshold):
        options["series"][0]["markLine"] = _mark_lines([_level(threshold, "alarm ", palette.limit, "solid")])
        options["yAxis"]["max"] = _rounded_up(1.1 * max(threshold, *_finite_statistics(view)))
    options["yAxis"] |= {"min": 0, "splitNumber": 3}
    options["grid"] |= {"top": 22, "bottom": 20}
    return options


def metrics_chart(view: RunView, palette: Palette) -> Options:
    """Anisotropies (left axis) and solid fraction (right axis) against the plane."""
    told = [view.metrics[plane] for plane in sorted(view.metrics)]
    columns = {
        "e_TPCF": [(m.plane, m.e_tpcf) for m in told],
        "e_LPF": [(m.plane, m.e_lpf) for m in told],
        "e_D": [(m.plane, m.e_d) for m in told],
        "solid fraction": [(m.plane, m.solid_fraction) for m in told],
    }
    options = _frame(palette, "plane", "anisotropy e")
    options["series"] = [
        _line(name, points, colour)
        for (name, points), colour in zip(columns.items(), palette.series, strict=True)
    ]
    options["series"][-1] |= {"yAxisIndex": 1, "lineStyle": {"type": "dashed", "width": 2}}
    right = {**options["yAxis"], "name": "solid fraction", "splitLine": {"show": False}, "min": 0}
    options["yAxis"] = [{**options["yAxis"], "min": 0}, right]
    options["grid"]["right"] = 50
    options["tooltip"][":valueFormatter"] = "v => v == null ? '–' : (+v).toFixed(3)"
    return options


def running_mean(values: Sequence[float], over: int = MEAN_OVER) -> list[float]:
    """Mean of the ``over`` values up to each one, of fewer at the beginning."""
    sums, means = 0.0, list[float]()
    for k, value in enumerate(values):
        sums += value - (values[k - over] if k >= over else 0.0)
        means.append(sums / min(k + 1, over))
    return means


def _by_source(source: ThicknessSource, told: Iterable[ThicknessMessage], palette: Palette) -> Options:
    colours = dict(zip(ThicknessSource, (palette.measured, *palette.series[2:4], palette.muted), strict=True))
    return {
        "name": SOURCE_NAMES[source],
        "type": "scatter",
        "symbol": SOURCE_SYMBOLS[source],
        "symbolSize": 6,
        "itemStyle": {"color": colours[source]},
        "data": _points((m.index, m.thickness_nm) for m in told if m.source is source),
        "z": 4,
    }


def _error_bars(told: Iterable[ThicknessMessage], palette: Palette) -> list[Options]:
    known = [m for m in told if math.isfinite(m.thickness_sigma_nm)]
    bars = [
        [
            m.index,
            _short(m.thickness_nm - m.thickness_sigma_nm),
            _short(m.thickness_nm + m.thickness_sigma_nm),
        ]
        for m in known
    ]
    return [
        {
            "name": "±1 σ",
            "type": "custom",
            ":renderItem": ERROR_BAR,
            "encode": {"x": 0, "y": [1, 2]},
            "itemStyle": {"color": palette.measured},
            "tooltip": {"show": False},
            "data": bars,
            "z": 3,
        }
    ]


def _running_mean(told: Sequence[ThicknessMessage], palette: Palette) -> Options:
    means = running_mean([m.thickness_nm for m in told])
    points = list(zip((m.index for m in told), means, strict=True))
    return _line(f"mean of {MEAN_OVER}", points, palette.mean)


def _gaps(view: RunView, palette: Palette) -> Options:
    gaps = [i for i in sorted(view.slices) if view.slices[i].status is Status.GAP]
    return {
        "name": "gap",
        "type": "scatter",
        "symbol": "triangle",
        "symbolSize": 9,
        "itemStyle": {"color": palette.limit},
        "tooltip": {"show": False},
        "data": [[index, 0] for index in gaps],
    }


def _levels(view: RunView, palette: Palette) -> Options:
    if view.run is None:
        return _mark_lines([])
    low, high = view.run.limits_nm
    levels = [(low, "limit ", palette.limit, "dotted"), (high, "limit ", palette.limit, "dotted")]
    levels.append((view.run.target_thickness_nm, "target ", palette.target, "dashed"))
    return _mark_lines([_level(*level) for level in levels if math.isfinite(level[0])])


def _level(value: float, name: str, colour: str, kind: str) -> Options:
    label = {"formatter": f"{name}{value:.3g}", "color": colour, "position": "end", "fontSize": 11}
    return {"yAxis": value, "label": label, "lineStyle": {"color": colour, "type": kind, "width": 1.2}}


def _mark_lines(levels: list[Options]) -> Options:
    return {"silent": True, "symbol": "none", "animation": False, "data": levels}


def _ceiling(view: RunView, told: Iterable[ThicknessMessage]) -> float:
    """High enough for every point and for the upper limit."""
    values = [m.thickness_nm for m in told]
    if view.run is not None:
        values += [view.run.limits_nm[1], 2.0 * view.run.target_thickness_nm]
    return _rounded_up(1.08 * max((v for v in values if math.isfinite(v)), default=20.0))


def _finite_statistics(view: RunView) -> list[float]:
    values = (value for message in view.drift.values() for value in message.statistics.values())
    return [value for value in values if math.isfinite(value)] or [0.0]


def _rounded_up(value: float) -> float:
    step = 10.0 ** math.floor(math.log10(max(value, 1e-9))) / 2.0
    return math.ceil(value / step) * step


def _line(name: str, points: Iterable[tuple[int, float]], colour: str) -> Options:
    return {
        "name": name,
        "type": "line",
        "symbol": "none",
        "itemStyle": {"color": colour},
        "lineStyle": {"width": 2},
        "data": _points(points),
    }


def _points(points: Iterable[tuple[int, float]]) -> list[list[float | None]]:
    return [[x, _short(y)] for x, y in points]


def _short(value: float) -> float | None:
    """Four decimals are more than a screen shows; an unknown number is a hole."""
    return round(value, 4) if math.isfinite(value) else None


def _frame(palette: Palette, x_name: str, y_name: str) -> Options:
    """Axes, legend and tooltip that all charts share."""
    axis = {
        "nameTextStyle": {"color": palette.muted, "fontSize": 11},
        "axisLabel": {"color": palette.muted, "fontSize": 11},
        "axisLine": {"lineStyle": {"color": palette.grid}},
        "splitLine": {"lineStyle": {"color": palette.grid}},
    }
    x_axis = {"type": "value", "name": x_name, "nameLocation": "middle", "nameGap": 22, "minInterval": 1}
    return {
        "animation": False,
        "textStyle": {"fontFamily": "inherit"},
        "grid": {"left": 44, "right": 66, "top": 34, "bottom": 36},
        "legend": {
            "top": 0,
            "itemWidth": 14,
            "itemHeight": 9,
            "textStyle": {"color": palette.text, "fontSize": 11},
        },
        "tooltip": {
            "trigger": "axis",
            "backgroundColor": palette.panel,
            "borderColor": palette.grid,
            "textStyle": {"color": palette.text, "fontSize": 12},
        },
        "xAxis": {**axis, **x_axis, "min": "dataMin", "max": "dataMax", "splitLine": {"show": False}},
        "yAxis": {**axis, "type": "value", "name": y_name, "nameGap": 10},
        "series": list[Options](),
    }
