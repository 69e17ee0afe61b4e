"""The figures of an analysis as one object."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import numpy as np

from daemon.analyse.results import AXES, Analysis, Particles, Paths, Sections, Transport

CUT_OFF_WITH: Final = ("inscribed_nm_mean", "largest_inscribed_nm", "local_thickness_nm")
"""What is known of particles only to be as wide as the widest balls, or wider, where these are cut off."""


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
        "particles": particle_figures(analysis.particles) if analysis.particles else None,
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
        "cut_off": _cut_off(one) if one.is_cut_off else None,
    }


def _cut_off(one: Transport) -> dict[str, Any]:
    """The widest diameter that was looked for, and which figures are bounds because something is wider."""
    r_mins = [f"intrusion.{entry.name}.r_min_nm" for entry in one.intrusions if entry.is_r_min_least]
    bottlenecks = [entry.name for entry in one.intrusions if entry.is_constrictivity_most]
    return {
        "diameter_nm": one.widest_nm,
        "at_least": ["local_thickness_nm", *(["r_max_nm"] if one.is_r_max_least else []), *r_mins],
        "at_most": [
            *(f"intrusion.{name}.constrictivity" for name in bottlenecks),
            *(f"predicted_conductivity.{name}" for name in bottlenecks if name in AXES),
        ],
    }


def _paths(paths: Paths) -> dict[str, float]:
    return {
        "mean": paths.mean,
        "deviation": paths.deviation,
        "starts": float(paths.tau.size),
        "blocked_share": paths.blocked_share,
    }


def particle_figures(found: Particles) -> dict[str, Any]:
    """Number and diameters of the particles of a phase."""
    weights = found.equivalent_nm**3
    return {
        "phase": found.phase,
        "count": int(found.equivalent_nm.size),
        "equivalent_nm_mean": _mean(found.equivalent_nm),
        "equivalent_nm_by_volume": float(np.average(found.equivalent_nm, weights=weights)),
        "inscribed_nm_mean": _mean(found.inscribed_nm),
        "largest_inscribed_nm": float(found.inscribed_nm.max()),
        "local_thickness_nm": found.thickness_nm,
        "cut_off": {"diameter_nm": found.cut_off_nm, "at_least": list(CUT_OFF_WITH)}
        if found.cut_off_nm
        else None,
    }


def _mean(values: Any) -> float:
    there = np.asarray(values)[np.isfinite(values)]
    return float(there.mean()) if there.size else np.nan


def _deviation(values: Any) -> float:
    there = np.asarray(values)[np.isfinite(values)]
    return float(there.std()) if there.size else np.nan
