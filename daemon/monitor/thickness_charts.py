"""Charts of milling: thickness of every slice, its distribution, and the test for drift."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln

from algorithms.statistics import GammaFit, ThicknessStatistics, add_thickness, fit_gamma
from daemon.items import Status, ThicknessSource
from daemon.messages import ThicknessMessage
from daemon.monitor.chart_frame import (
    Options,
    dots,
    error_bars,
    frame,
    legend,
    levels,
    line,
    rounded_up,
)
from daemon.monitor.palette import SOURCE_NAMES, SOURCE_SYMBOLS, Palette
from daemon.view import RunView

ALL, RECENT = 10**9, 100  # slices
MEAN_OVER = 15  # slices in the running mean, odd: a window that follows a drift and still calms the noise
LEVEL_NAMES_PX = 74  # right of the chart, for the names of its levels
OWN_ESTIMATE = "software's own"
FEWEST_FOR_FIT = 8


def thickness_chart(view: RunView, palette: Palette) -> Options:
    """Thickness of every slice with ±1 σ, running mean, target, limits, gaps, and the software's estimate."""
    return _thickness(view, palette, ALL)


def recent_thickness_chart(view: RunView, palette: Palette) -> Options:
    """The same for the newest 100 slices: of more, error bars touch each other on a part of a screen."""
    return _thickness(view, palette, RECENT)


def _thickness(view: RunView, palette: Palette, newest: int) -> Options:
    told = measured(view, newest)
    first = told[0].index if told else 0
    mean = f"mean of {MEAN_OVER}"
    means = running_mean(
        [m.thickness_nm for m in measured(view)]
    )  # of the first shown too: over those before
    means = means[len(means) - len(told) :]
    options = frame(palette, "slice", "thickness / nm")
    series = [
        error_bars(_bars(told), palette.measured),
        line(mean, list(zip((m.index for m in told), means, strict=True)), palette.mean),
        dots(
            OWN_ESTIMATE, ((m.index, m.asv_nm) for m in _with_estimate(told)), palette.series[3], "diamond", 5
        ),
        *(_by_source(source, told, palette) for source in ThicknessSource),
        dots("gap", ((i, 0.0) for i in _gaps(view) if i >= first), palette.limit, "triangle", 9),
    ]
    options["series"] = [one for one in series if one["data"]]
    legend(options, (one["name"] for one in options["series"]))
    if options["series"]:
        options["series"][0]["markLine"] = _levels(view, palette)
    options["yAxis"] |= {"min": _floor(told), "max": _ceiling(view, told)}
    options["grid"]["right"] = LEVEL_NAMES_PX
    options["xAxis"]["minInterval"] = 1
    return options


def histogram_chart(view: RunView, palette: Palette) -> Options:
    """How many slices are how thick, with the gamma distribution that fits them."""
    values = usual_thicknesses(view)
    options = frame(palette, "thickness / nm", "slices", digits=1)
    options["legend"]["data"] = ["slices", "gamma fit"]
    if not len(values):
        return options
    counts, edges = np.histogram(values, bins="auto" if len(values) > FEWEST_FOR_FIT else 5)
    middles = (edges[1:] + edges[:-1]) / 2
    bars = {
        "name": "slices",
        "type": "bar",
        "barWidth": "92%",
        "itemStyle": {"color": palette.measured, "opacity": 0.75},
        "data": [[round(float(x), 3), int(n)] for x, n in zip(middles, counts, strict=True)],
    }
    options["series"] = [bars, *_gamma_curve(values, edges, palette)]
    options["xAxis"] |= {"min": round(float(edges[0]), 2), "max": round(float(edges[-1]), 2)}
    options["xAxis"]["axisLabel"] = {**options["xAxis"]["axisLabel"], "digits": 1}
    options["yAxis"] |= {"min": 0, "minInterval": 1}
    return options


def usual_thicknesses(view: RunView) -> np.ndarray:
    """Single slices' thicknesses (n,) nm from 0 to four medians: a lost ruler must not squeeze the rest."""
    values = np.array([m.thickness_nm for m in measured(view) if m.mean_of_slices == 1])
    return values[(values > 0.0) & (values <= 4.0 * np.median(values))] if len(values) else values


def gamma_fit(view: RunView) -> GammaFit | None:
    """Of all measured thicknesses; None while there are too few."""
    told = measured(view)
    if len(told) < FEWEST_FOR_FIT:
        return None
    return _fit([m.thickness_nm for m in told], [m.mean_of_slices for m in told])


def drift_chart(view: RunView, palette: Palette) -> Options:
    """The statistics of the sequential test against their threshold."""
    return _drift(view, palette, ALL)


def recent_drift_chart(view: RunView, palette: Palette) -> Options:
    """The same for the newest 100 slices."""
    return _drift(view, palette, RECENT)


def _drift(view: RunView, palette: Palette, newest: int) -> Options:
    told = [view.drift[i] for i in sorted(view.drift)[-newest:]]
    names = sorted({name for message in told for name in message.statistics})
    options = frame(palette, "slice", "statistic")
    options["series"] = [
        line(
            name,
            [(m.index, m.statistics.get(name, math.nan)) for m in told],
            palette.series[k % len(palette.series)],
            ("solid", "dashed", "dotted")[k % 3],
        )
        for k, name in enumerate(names)
    ]
    threshold = told[-1].threshold if told else math.nan
    highest = max(
        (value for m in told for value in m.statistics.values() if math.isfinite(value)), default=0.0
    )
    if options["series"] and math.isfinite(threshold):
        options["series"][0]["markLine"] = levels((threshold, "alarm at", palette.limit, "solid"))
        options["yAxis"]["max"] = rounded_up(1.15 * max(threshold, highest))
    options["yAxis"] |= {"min": 0, "splitNumber": 3}
    options["grid"]["right"] = LEVEL_NAMES_PX
    options["xAxis"]["minInterval"] = 1
    return options


def measured(view: RunView, newest: int = ALL) -> list[ThicknessMessage]:
    """The slices whose thickness is known, in order, of the ``newest`` so many."""
    told = (view.thickness[index] for index in sorted(view.thickness)[-newest:])
    return [message for message in told if math.isfinite(message.thickness_nm)]


def running_mean(values: Sequence[float], over: int = MEAN_OVER) -> list[float]:
    """Mean of the ``over`` values up to each one, of fewer at the beginning."""
    sums, means = 0.0, list[float]()
    for k, value in enumerate(values):
        sums += value - (values[k - over] if k >= over else 0.0)
        means.append(sums / min(k + 1, over))
    return means


def _bars(told: Sequence[ThicknessMessage]) -> list[tuple[float, float, float]]:
    return [
        (m.index, m.thickness_nm - m.thickness_sigma_nm, m.thickness_nm + m.thickness_sigma_nm)
        for m in told
        if math.isfinite(m.thickness_sigma_nm)
    ]


def _with_estimate(told: Sequence[ThicknessMessage]) -> list[ThicknessMessage]:
    """Those for which the acquisition software gave a thickness that is not the one shown anyway."""
    return [m for m in told if math.isfinite(m.asv_nm) and m.source is not ThicknessSource.ASV]


def _by_source(source: ThicknessSource, told: Sequence[ThicknessMessage], palette: Palette) -> Options:
    colours = dict(zip(ThicknessSource, (palette.measured, *palette.series[2:4], palette.muted), strict=True))
    points = ((m.index, m.thickness_nm) for m in told if m.source is source)
    return dots(SOURCE_NAMES[source], points, colours[source], SOURCE_SYMBOLS[source])


def _gaps(view: RunView) -> list[int]:
    return [i for i in sorted(view.slices) if view.slices[i].status is Status.GAP]


def _levels(view: RunView, palette: Palette) -> Options:
    if view.run is None:
        return levels()
    low, high = view.run.limits_nm
    return levels(
        (low, "limit", palette.limit, "dotted"),
        (high, "limit", palette.limit, "dotted"),
        (view.run.target_thickness_nm, "target", palette.target, "dashed"),
    )


def _ceiling(view: RunView, told: Sequence[ThicknessMessage]) -> float:
    """High enough for every point and for the upper limit."""
    values = [m.thickness_nm for m in told]
    if view.run is not None:
        values += [view.run.limits_nm[1], 2.0 * view.run.target_thickness_nm]
    return rounded_up(1.08 * max((v for v in values if math.isfinite(v)), default=20.0))


def _floor(told: Sequence[ThicknessMessage]) -> float:
    """Zero, unless a reading that cannot be is below it: what is wrong must be seen."""
    lowest = min((m.thickness_nm for m in told), default=0.0)
    return -rounded_up(-lowest) if lowest < 0.0 else 0.0


def _fit(values: Sequence[float], mean_of_slices: Sequence[int]) -> GammaFit | None:
    statistics = ThicknessStatistics()
    for value, slices in zip(values, mean_of_slices, strict=True):
        statistics = add_thickness(statistics, float(value), slices)
    return fit_gamma(statistics)


def _gamma_curve(values: np.ndarray, edges: np.ndarray, palette: Palette) -> list[Options]:
    """The fitted density, scaled to slices per bin."""
    fit = _fit(list(values), [1] * len(values)) if len(values) >= FEWEST_FOR_FIT else None
    if fit is None:
        return []
    at = np.linspace(max(edges[0], 1e-3), edges[-1], 80)
    units = at / fit.scale_nm
    density = np.exp((fit.shape - 1.0) * np.log(units) - units - gammaln(fit.shape)) / fit.scale_nm
    heights = density * len(values) * (edges[1] - edges[0])
    points = [(float(x), float(y)) for x, y in zip(at, heights, strict=True)]
    return [line("gamma fit", points, palette.mean)]
