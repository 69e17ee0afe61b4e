"""The figures of an analysis as tables for the terminal; ≥ and ≤ mark bounds where balls are cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from rich.table import Table

from algorithms.balls import LARGEST_RADIUS
from daemon.analyse.results import AXES, Analysis, Intrusion, Particles, PhaseShare, Transport
from daemon.analyse.summary import CUT_OFF_WITH, particle_figures


def terminal_tables(analysis: Analysis) -> list[Table]:
    """Phases, what is known of each phase that leads, particles."""
    tables: list[Table | None] = [_phase_table(analysis)]
    for one in analysis.transports:
        tables += [_transport_table(one), _inner_table(one)]
    tables.append(_particle_table(analysis.particles) if analysis.particles else None)
    return [table for table in tables if table is not None]


def _titled(title: str, *columns: str) -> Table:
    return Table(*columns, title=title, title_justify="left", title_style="bold")


def _phase_table(analysis: Analysis) -> Table:
    z, y, x = analysis.shape
    size = f"{z} × {y} × {x} voxels of {analysis.voxel_nm:g} nm"
    table = _titled(size, "", *(_name(one.phase) for one in analysis.phases))
    rows: dict[str, Callable[[PhaseShare], str]] = {
        "share of the volume": lambda one: _percent(one.share),
        "share of the particle": lambda one: _percent(one.share_in_particle),
        "pieces": lambda one: str(one.components),
        "in the largest": lambda one: _percent(one.largest_share),
        "reaches no face": lambda one: _percent(one.closed_share),
    }
    for axis, name in enumerate(AXES):
        rows[f"spans {name}"] = lambda one, axis=axis: _percent(one.spanning_share[axis])
    for words, figure in rows.items():
        table.add_row(words, *(figure(one) for one in analysis.phases))
    return table


def _transport_table(one: Transport) -> Table:
    """A column per axis, for what is known along each."""
    thickness = _at_least(_nm(one.thickness_nm), one.is_cut_off)
    r_max = _at_least(_nm(one.r_max_nm), one.is_r_max_least)
    title = f"{_name(one.phase)}: local thickness {thickness}, r_max {r_max}"
    table = _titled(title, "", *(f"along {name}" for name in AXES))
    along, paths = one.intrusions[: len(AXES)], one.paths[: len(AXES)]
    table.add_row("mean geodesic tortuosity", *(_plain(each.mean) for each in paths))
    table.add_row("its deviation over starts", *(_plain(each.deviation) for each in paths))
    table.add_row("starts without a way", *(_percent(each.blocked_share) for each in paths))
    table.add_row("r_min", *(_r_min(each) for each in along))
    table.add_row("constrictivity", *(_constrictivity(each) for each in along))
    predicted = zip(one.predicted, along, strict=True)
    table.add_row(
        "conductivity, predicted",
        *(_at_most(_plain(value), each.is_constrictivity_most) for value, each in predicted),
    )
    if one.conductivity:
        table.add_row("conductivity, solved", *(_plain(each) for each in one.conductivity))
    return table


def _inner_table(one: Transport) -> Table | None:
    """What leads from outside into the particle; None for a phase that is not the void."""
    inward = one.intrusions[len(AXES) :]
    if not inward:
        return None
    table = _titled(
        f"{_name(one.phase)}, inner: intrusion from {inward[0].name}", "", "mean", "deviation", "no way"
    )
    for paths in one.paths[len(AXES) :]:
        words = f"tortuosity to {paths.name}"
        table.add_row(words, _plain(paths.mean), _plain(paths.deviation), _percent(paths.blocked_share))
    table.add_row("r_min", _r_min(inward[0]))
    table.add_row("constrictivity", _constrictivity(inward[0]))
    return table


def _particle_table(found: Particles) -> Table:
    figures = particle_figures(found)
    table = _titled(f"{_name(found.phase)}: particles", "figure", "value")
    table.add_row("number", str(figures["count"]))
    for name, words in (
        ("equivalent_nm_mean", "equivalent diameter, mean"),
        ("equivalent_nm_by_volume", "equivalent diameter, by volume"),
        ("inscribed_nm_mean", "inscribed ball, mean"),
        ("largest_inscribed_nm", "inscribed ball, largest"),
        ("local_thickness_nm", "local thickness"),
    ):
        table.add_row(words, _at_least(_nm(figures[name]), bool(found.cut_off_nm) and name in CUT_OFF_WITH))
    return table


def cut_off_words(analysis: Analysis) -> Iterator[str]:
    """Of each phase that is wider than the widest balls: where these end, and what to do about it."""
    widths = {one.phase: one.widest_nm for one in analysis.transports if one.is_cut_off}
    if analysis.particles and analysis.particles.cut_off_nm:
        widths |= {analysis.particles.phase: analysis.particles.cut_off_nm}
    for phase, width_nm in sorted(widths.items()):
        yield (
            f"{_name(phase)} is wider than {width_nm:g} nm somewhere, where balls are cut off "
            f"({2 * LARGEST_RADIUS:g} voxels): figures with ≥ and ≤ are bounds. "
            "A coarser --level measures wider."
        )


def _r_min(entry: Intrusion) -> str:
    return _at_least(_nm(entry.r_min_nm), entry.is_r_min_least)


def _constrictivity(entry: Intrusion) -> str:
    return _at_most(_plain(entry.constrictivity), entry.is_constrictivity_most)


def _at_least(words: str, is_bound: bool) -> str:
    return f"≥ {words}" if is_bound else words


def _at_most(words: str, is_bound: bool) -> str:
    return f"≤ {words}" if is_bound else words


def _name(phase: int) -> str:
    return {0: "0 pore", 1: "1 solid"}.get(phase, str(phase))


def _plain(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "–"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %" if np.isfinite(value) else "–"


def _nm(value: float) -> str:
    return f"{value:.4g} nm" if np.isfinite(value) else "–"
