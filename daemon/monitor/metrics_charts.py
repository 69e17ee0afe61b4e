"""Charts of the material: anisotropies and solid fraction against the slice, and the curves behind them.

``e`` is 0 for an isotropic material (Sardhara et al.): figures of the volume so far with their 95 % bands,
and with that of the mean over its patches where there are two or more of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from daemon.messages import MetricsMessage
from daemon.monitor.chart_frame import (
    MOST_POINTS,
    Options,
    band,
    frame,
    legend,
    line,
    remark,
    rounded_up,
    thinned,
)
from daemon.monitor.palette import Palette
from daemon.settling_axis import end_of_axis, told_beyond
from daemon.view import RunView

ANISOTROPIES = (("e_TPCF", "e_tpcf"), ("e_LPF", "e_lpf"), ("e_D", "e_d"))
AXES = ("x", "y", "z")
DASHES = ("solid", "dashed", "dotted")
CURVE_POINTS = 200
PALE = 0.1  # opacity of the patches' bands, which lie below the others
FEWER_POINTS = 200  # of a curve on a part of the overview


def anisotropy_chart(view: RunView, palette: Palette) -> Options:
    """e_TPCF, e_LPF and e_D of the volume so far, with their bands."""
    return _anisotropies(view, palette, _told(view, MOST_POINTS))


def _anisotropies(view: RunView, palette: Palette, told: list[MetricsMessage]) -> Options:
    options = frame(palette, *_axis(view), digits=3)
    for k, (name, field) in enumerate(ANISOTROPIES):
        options["series"] += _with_bands(view, told, name, field, palette.series[k], DASHES[k])
    legend(options, (name for name, _ in ANISOTROPIES))
    _end(options, told, palette)
    return options


def _end(options: Options, told: list[MetricsMessage], palette: Palette) -> None:
    """The curves decide how high the axis is; how far a band reaches that is cut off, words say."""
    values, highs = _heights(told)
    end = end_of_axis(values, highs)
    end = rounded_up(end) if end is not None else None
    options["yAxis"] |= {"min": 0, "max": end}
    remark(options, told_beyond(end, values, highs), palette)


def _heights(told: list[MetricsMessage]) -> tuple[np.ndarray, np.ndarray]:
    """The anisotropies (3, n), and the upper end of the wider one of their two bands."""
    shape = (len(ANISOTROPIES), len(told))
    values = np.array([[getattr(m, field) for m in told] for _, field in ANISOTROPIES], float)
    sigmas = np.array(
        [[m.band_sigmas * getattr(m, f"{f}_sigma") for m in told] for _, f in ANISOTROPIES], float
    )
    patches = np.array(
        [[getattr(m, f"patch_{field}_high") for m in told] for _, field in ANISOTROPIES], float
    )
    return values.reshape(shape), np.fmax(values + sigmas, patches).reshape(shape)


def solid_chart(view: RunView, palette: Palette) -> Options:
    """Solid fraction of the volume so far, with its bands."""
    options = frame(palette, _axis(view)[0], "solid fraction", digits=4)
    told = _told(view, MOST_POINTS)
    options["series"] = _with_bands(
        view, told, "solid fraction", "solid_fraction", palette.series[2], "solid"
    )
    options["legend"]["show"] = False
    options["yAxis"]["scale"] = True
    return options


def _with_bands(
    view: RunView, told: list[MetricsMessage], name: str, field: str, colour: str, dash: str
) -> list[Options]:
    """A figure of the whole region and its 95 % band, on the paler one of the mean over its patches."""
    at = slices_of(view, [m.plane for m in told])
    values = [(getattr(m, field), m.band_sigmas * getattr(m, f"{field}_sigma")) for m in told]
    patches = [(getattr(m, f"patch_{field}_low"), getattr(m, f"patch_{field}_high")) for m in told]
    errors = [(x, value - half, value + half) for x, (value, half) in zip(at, values, strict=True)]
    ends = [(x, low, high) for x, (low, high) in zip(at, patches, strict=True)]
    return [
        *band(f"{name} patches 95 %", ends, colour, PALE),
        *band(f"{name} 95 %", errors, colour),
        line(name, [(x, value) for x, (value, _) in zip(at, values, strict=True)], colour, dash),
    ]


def slices_of(view: RunView, planes: Sequence[int]) -> list[float]:
    """The slice at which each plane lies, in proportion between final ones; planes while there is none."""
    placed = _placed(view)
    if not placed:
        return [float(plane) for plane in planes]
    slices, at = zip(*placed, strict=True)
    return [round(float(one), 2) for one in np.interp(planes, at, slices)]


def _placed(view: RunView) -> list[tuple[int, int]]:
    """Slices and the planes at which their faces lie, in order."""
    told = (view.slices[index] for index in sorted(view.slices))
    return [(message.index, message.z_plane) for message in told if message.z_plane is not None]


def _axis(view: RunView) -> tuple[str, str]:
    """Names of the axes to the right and up."""
    return "slice" if _placed(view) else "plane", "anisotropy e"


def metrics_chart(view: RunView, palette: Palette) -> Options:
    """Anisotropies (left axis) and solid fraction (right axis) in one chart, for the overview."""
    told = _told(view, FEWER_POINTS)
    options = _anisotropies(view, palette, told)
    at = slices_of(view, [m.plane for m in told])
    points = [(x, m.solid_fraction) for x, m in zip(at, told, strict=True)]
    fraction = line("solid", points, palette.series[3], "dashed")
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
