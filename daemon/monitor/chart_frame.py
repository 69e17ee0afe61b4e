"""What all charts share: axes, legend, tooltip, and the kinds of series they are drawn from.

Points are [x, y] pairs; an unknown value leaves a hole, never a zero. What JSON cannot carry, how error
bars are drawn and how numbers are written (``digits``), ``live_chart.js`` adds in the browser.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from daemon.monitor.palette import Palette

Options = dict[str, Any]
T = TypeVar("T")
LEGEND_PX = 22  # of a line's sample in the legend: shorter ones do not show how it is dashed
MOST_POINTS = 800  # of a curve on a chart that is less than this wide


def frame(palette: Palette, x_name: str, y_name: str, digits: int = 2) -> Options:
    """A chart without series; tooltips show ``digits`` decimals."""
    axis = {
        "nameTextStyle": {"color": palette.muted, "fontSize": 11},
        "axisLabel": {"color": palette.muted, "fontSize": 11, "hideOverlap": True},
        "axisLine": {"lineStyle": {"color": palette.grid}},
        "splitLine": {"lineStyle": {"color": palette.grid}},
    }
    x_axis = {"type": "value", "name": x_name, "nameLocation": "middle", "nameGap": 21}
    y_axis = {"type": "value", "name": y_name, "nameLocation": "middle", "nameGap": 34, "nameRotate": 90}
    return {
        "animation": False,
        "digits": digits,
        "textStyle": {"fontFamily": "inherit"},
        "grid": {"left": 50, "right": 16, "top": 30, "bottom": 36},
        "legend": {
            "top": 0,
            "itemWidth": LEGEND_PX,
            "itemHeight": 9,
            "itemGap": 8,
            "textStyle": {"color": palette.text, "fontSize": 11},
            "pageTextStyle": {"color": palette.muted},
            "type": "scroll",
        },
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": palette.panel,
            "borderColor": palette.grid,
            "textStyle": {"color": palette.text, "fontSize": 12},
        },
        "xAxis": {**axis, **x_axis, "min": "dataMin", "max": "dataMax", "splitLine": {"show": False}},
        "yAxis": {**axis, **y_axis},
        "series": list[Options](),
    }


def line(
    name: str, points: Iterable[tuple[float, float]], colour: str, dash: str = "solid", width: float = 2.0
) -> Options:
    """A curve, of a long run its peaks; ``dash`` is solid, dashed or dotted."""
    return {
        "name": name,
        "type": "line",
        "symbol": "none",
        "itemStyle": {"color": colour},
        "lineStyle": {"width": width, "type": dash},
        "data": [[x, short(y)] for x, y in peaks(list(points))],
    }


def dots(
    name: str, points: Iterable[tuple[float, float]], colour: str, symbol: str, size: int = 6
) -> Options:
    """A point for each value."""
    return {
        "name": name,
        "type": "scatter",
        "symbol": symbol,
        "symbolSize": size,
        "itemStyle": {"color": colour},
        "data": [[x, short(y)] for x, y in points],
        "z": 4,
    }


def error_bars(rows: Iterable[tuple[float, float, float]], colour: str) -> Options:
    """Vertical bars, each from (x, low) to (x, high)."""
    return {
        "name": "±1 σ",
        "type": "custom",
        "encode": {"x": 0, "y": [1, 2]},
        "itemStyle": {"color": colour},
        "tooltip": {"show": False},
        "data": [[x, short(low), short(high)] for x, low, high in rows],
        "z": 3,
    }


def band(
    name: str, rows: Iterable[tuple[float, float, float]], colour: str, opacity: float = 0.2
) -> list[Options]:
    """A shaded band of (x, low, high): a curve nobody sees, and what is stacked on it."""
    known = [row for row in rows if math.isfinite(row[1]) and math.isfinite(row[2])]
    hidden = {"tooltip": {"show": False}, "lineStyle": {"opacity": 0}, "silent": True}
    stacked = hidden | {"stack": name, "stackStrategy": "all"}
    low = line(f"{name} low", ((x, low) for x, low, _ in known), colour) | stacked
    high = line(name, ((x, high - low) for x, low, high in known), colour) | stacked
    return [low, high | {"areaStyle": {"color": colour, "opacity": opacity}}] if known else []


def levels(*marks: tuple[float, str, str, str]) -> Options:
    """Horizontal lines with their names, each (value, name, colour, dash)."""
    data = [
        {
            "yAxis": value,
            "label": {
                "formatter": f"{name} {value:.3g}",
                "color": colour,
                "position": "end",
                "fontSize": 11,
            },
            "lineStyle": {"color": colour, "type": dash, "width": 1.2},
        }
        for value, name, colour, dash in marks
        if math.isfinite(value)
    ]
    return {"silent": True, "symbol": "none", "animation": False, "data": data}


def thinned(rows: Sequence[T], most: int = MOST_POINTS) -> list[T]:
    """Evenly spaced rows, the newest among them, no more than a screen can show."""
    step = max(1, math.ceil(len(rows) / most))
    return list(rows[::-1][::step][::-1])


def peaks(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """About ``most`` points at most: of every stretch the lowest and the highest, so that nothing is lost.

    A stretch in which nothing is known stays a hole, and the newest point stays.
    """
    if len(points) <= most:
        return list(points)
    values = np.array([y for _, y in points], dtype=float)
    stretch = math.ceil(2 * len(points) / most)
    kept = {len(points) - 1}
    for first in range(0, len(points), stretch):
        known = np.flatnonzero(np.isfinite(values[first : first + stretch])) + first
        ends = (known[values[known].argmin()], known[values[known].argmax()]) if len(known) else (first,)
        kept.update(int(end) for end in ends)
    return [points[k] for k in sorted(kept)]


def legend(options: Options, names: Iterable[str]) -> None:
    """Show only these names above the chart."""
    options["legend"]["data"] = list(names)


def remark(options: Options, words: str, palette: Palette) -> None:
    """Words in the upper left corner of a chart's area, on a ground of their own: curves pass below."""
    style = {"color": palette.muted, "fontSize": 11, "fontWeight": "normal"}
    place = {"left": options["grid"]["left"] + 4, "top": 26, "padding": [1, 4]}
    options["title"] = {"text": words, "textStyle": style, "backgroundColor": palette.panel, **place}


def short(value: float) -> float | None:
    """Four decimals are more than a screen shows; an unknown number is a hole."""
    return round(value, 4) if math.isfinite(value) else None


def rounded_up(value: float) -> float:
    """The next multiple of half a decade's step: a calm end for an axis."""
    step = 10.0 ** math.floor(math.log10(max(value, 1e-9))) / 2.0
    return math.ceil(value / step - 1e-9) * step  # what is a multiple but for its last bit stays
