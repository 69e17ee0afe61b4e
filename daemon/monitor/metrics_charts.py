"""Charts of the material: anisotropies and solid fraction against depth, and the curves behind them.

``e`` is 0 for an isotropic material (Sardhara et al.): figures of the volume so far, with ±1 σ.
"""

from __future__ import annotations

import numpy as np

from daemon.messages import MetricsMessage
from daemon.monitor.chart_frame import MOST_POINTS, Options, band, frame, legend, line, thinned
from daemon.monitor.palette import Palette
from daemon.view import RunView

ANISOTROPIES = (("e_TPCF", "e_tpcf"), ("e_LPF", "e_lpf"), ("e_D", "e_d"))
AXES = ("x", "y", "z")
DASHES = ("solid", "dashed", "dotted")
CURVE_POINTS = 200
FEWER_POINTS = 200  # of a curve on a part of the overview


def anisotropy_chart(view: RunView, palette: Palette) -> Options:
    """e_TPCF, e_LPF and e_D of the volume so far, with bands of ±1 σ."""
    return _anisotropies(palette, _told(view, MOST_POINTS))


def _anisotropies(palette: Palette, told: list[MetricsMessage]) -> Options:
    options = frame(palette, "plane", "anisotropy e", digits=3)
    for k, (name, field) in enumerate(ANISOTROPIES):
        colour = palette.series[k]
        rows = [(m.plane, getattr(m, field), getattr(m, f"{field}_sigma")) for m in told]
        options["series"] += band(name, rows, colour)
        options["series"].append(line(name, [(x, y) for x, y, _ in rows], colour, DASHES[k]))
    legend(options, (name for name, _ in ANISOTROPIES))
    options["yAxis"]["min"] = 0
    return options


def solid_chart(view: RunView, palette: Palette) -> Options:
    """Solid fraction of the volume so far, with its band of ±1 σ."""
    told = _told(view, MOST_POINTS)
    options = frame(palette, "plane", "solid fraction", digits=4)
    rows = [(m.plane, m.solid_fraction, m.solid_fraction_sigma) for m in told]
    options["series"] = [
        *band("solid fraction", rows, palette.series[2]),
        line("solid fraction", [(x, y) for x, y, _ in rows], palette.series[2]),
    ]
    options["legend"]["show"] = False
    options["yAxis"]["scale"] = True
    return options


def metrics_chart(view: RunView, palette: Palette) -> Options:
    """Anisotropies (left axis) and solid fraction (right axis) in one chart, for the overview."""
    told = _told(view, FEWER_POINTS)
    options = _anisotropies(palette, told)
    fraction = line("solid", [(m.plane, m.solid_fraction) for m in told], palette.series[3], "dashed")
    options["series"].append(fraction | {"yAxisIndex": 1})
    right = {**options["yAxis"], "name": "solid fraction", "splitLine": {"show": False}, "min": 0}
    options["yAxis"] = [options["yAxis"], right]
    legend(options, [*(name for name, _ in ANISOTROPIES), "solid"])
    options["grid"]["right"] = 50
    return options


def two_point_chart(view: RunView, palette: Palette) -> Options:
    """The two-point correlation functions along x, y and z."""
    return _curves(view, palette, "tpcf", "two-point correlation f")


def lineal_path_chart(view: RunView, palette: Palette) -> Options:
    """The lineal path functions along x, y and z."""
    return _curves(view, palette, "lpf", "lineal path f")


def ligament_chart(view: RunView, palette: Palette) -> Options:
    """Share of the solid by local thickness."""
    options = frame(palette, "local thickness / nm", "share of solid / %", digits=1)
    arrays = view.curves.arrays if view.curves else {}
    if "ligament_share" in arrays:
        shares = (100 * np.nan_to_num(arrays["ligament_share"])).tolist()
        last = max((k for k, share in enumerate(shares) if share > 0.0), default=0)
        pairs = list(zip(arrays["ligament_nm"].tolist(), shares, strict=True))[: last + 2]
        bars = {"name": "share", "type": "bar", "itemStyle": {"color": palette.series[1], "opacity": 0.8}}
        options["series"] = [bars | {"data": [[x, round(y, 3)] for x, y in pairs]}]
    options["legend"]["show"] = False
    options["yAxis"]["min"] = 0
    return options


def _told(view: RunView, most: int) -> list[MetricsMessage]:
    return [view.metrics[plane] for plane in thinned(sorted(view.metrics), most)]


def _curves(view: RunView, palette: Palette, kind: str, title: str) -> Options:
    options = frame(palette, "distance / nm", title, digits=4)
    arrays = view.curves.arrays if view.curves else {}
    if "lag_nm" in arrays:
        lag = arrays["lag_nm"].tolist()
        for k, axis in enumerate(AXES):
            values = arrays.get(f"{kind}_{axis}")
            if values is not None:
                points = list(zip(lag, values.tolist(), strict=False))[:CURVE_POINTS]
                options["series"].append(line(f"f {axis}", points, palette.series[k], DASHES[k]))
    options["yAxis"]["min"] = 0
    return options
