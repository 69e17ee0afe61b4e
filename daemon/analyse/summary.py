"""The figures of an analysis: as one object, and as tables for the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from rich.table import Table

from daemon.analyse.results import AXES, Analysis, Particles, Paths, PhaseShare, Sections, Transport


def summary(analysis: Analysis) -> dict[str, Any]:
    """Everything but the curves, which are in the tables."""
    return {
        "source": analysis.source,
        "voxel_nm": analysis.voxel_nm,
        "shape": list(analysis.shape),
        "plan": asdict(analysis.plan),
        "outside_share": analysis.outside_share,
        "phases": [
            {**asdict(phase), "spans": dict(zip(AXES, phase.spans, strict=True)),
             "spanning_share": dict(zip(AXES, phase.spanning_share, strict=True))}
            for phase in analysis.phases
        ],
        "cross_sections": _spread(analysis.sections),
        "transport": [_transport(one) for one in analysis.transports],
        "particles": _particles(analysis.particles) if analysis.particles else None,
    }  # fmt: skip


def _spread(sections: tuple[Sections, Sections, Sections]) -> dict[str, Any]:
    """Mean and standard deviation over cross-sections of each phase's share of the particle."""
    return {
        axis: [{"mean": _mean(row), "deviation": _deviation(row)} for row in one.share_in_particle]
        for axis, one in zip(AXES, sections, strict=True)
    }


def _transport(one: Transport) -> dict[str, Any]:
    return {
        "phase": one.phase,
        "local_thickness_nm": one.thickness_nm,
        "r_max_nm": one.r_max_nm,
        "intrusion": {
            entry.name: {"r_min_nm": entry.r_min_nm, "constrictivity": entry.constrictivity}
            for entry in one.intrusions
        },
        "tortuosity": {paths.name: _paths(paths) for paths in one.paths},
        "predicted_conductivity": dict(zip(AXES, one.predicted, strict=True)),
        "conductivity": dict(zip(AXES, one.conductivity, strict=True)) if one.conductivity else None,
    }


def _paths(paths: Paths) -> dict[str, float]:
    return {
        "mean": paths.mean,
        "deviation": paths.deviation,
        "starts": float(paths.tau.size),
        "blocked_share": paths.blocked_share,
    }


def _particles(found: Particles) -> dict[str, Any]:
    weights = found.equivalent_nm**3
    return {
        "phase": found.phase,
        "count": int(found.equivalent_nm.size),
        "equivalent_nm_mean": _mean(found.equivalent_nm),
        "equivalent_nm_by_volume": float(np.average(found.equivalent_nm, weights=weights)),
        "inscribed_nm_mean": _mean(found.inscribed_nm),
        "largest_inscribed_nm": float(found.inscribed_nm.max()),
        "local_thickness_nm": found.thickness_nm,
    }


def _mean(values: Any) -> float:
    there = np.asarray(values)[np.isfinite(values)]
    return float(there.mean()) if there.size else np.nan


def _deviation(values: Any) -> float:
    there = np.asarray(values)[np.isfinite(values)]
    return float(there.std()) if there.size else np.nan


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
    title = f"{_name(one.phase)}: local thickness {_nm(one.thickness_nm)}, r_max {_nm(one.r_max_nm)}"
    table = _titled(title, "", *(f"along {name}" for name in AXES))
    along, paths = one.intrusions[: len(AXES)], one.paths[: len(AXES)]
    table.add_row("mean geodesic tortuosity", *(_plain(each.mean) for each in paths))
    table.add_row("its deviation over starts", *(_plain(each.deviation) for each in paths))
    table.add_row("starts without a way", *(_percent(each.blocked_share) for each in paths))
    table.add_row("r_min", *(_nm(each.r_min_nm) for each in along))
    table.add_row("constrictivity", *(_plain(each.constrictivity) for each in along))
    table.add_row("conductivity, predicted", *(_plain(each) for each in one.predicted))
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
    table.add_row("r_min", _nm(inward[0].r_min_nm))
    table.add_row("constrictivity", _plain(inward[0].constrictivity))
    return table


def _particle_table(found: Particles) -> Table:
    figures = _particles(found)
    table = _titled(f"{_name(found.phase)}: particles", "figure", "value")
    table.add_row("number", str(figures["count"]))
    for name, words in (
        ("equivalent_nm_mean", "equivalent diameter, mean"),
        ("equivalent_nm_by_volume", "equivalent diameter, by volume"),
        ("inscribed_nm_mean", "inscribed ball, mean"),
        ("largest_inscribed_nm", "inscribed ball, largest"),
        ("local_thickness_nm", "local thickness"),
    ):
        table.add_row(words, _nm(figures[name]))
    return table


def _name(phase: int) -> str:
    return {0: "0 pore", 1: "1 solid"}.get(phase, str(phase))


def _plain(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "–"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %" if np.isfinite(value) else "–"


def _nm(value: float) -> str:
    return f"{value:.4g} nm" if np.isfinite(value) else "–"
