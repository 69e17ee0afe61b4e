"""The files of an analysis that other programs read: one JSON object and a CSV table for each curve."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from daemon.analyse.results import AXES, Analysis, Particles
from daemon.analyse.summary import summary
from daemon.tables import known
from daemon.volume_store import write_atomically

Rows = Iterable[tuple[Any, ...]]


def write_tables(analysis: Analysis, folder: Path) -> list[Path]:
    """Write them; an unknown number is an empty field."""
    written = [folder / "analysis.json"]
    write_atomically(written[0], json.dumps(known(summary(analysis)), indent=2) + "\n")
    for name, (columns, rows) in _tables(analysis).items():
        written.append(folder / f"{name}.csv")
        write_atomically(written[-1], _csv(columns, rows))
    return written


def _tables(analysis: Analysis) -> dict[str, tuple[tuple[str, ...], Rows]]:
    tables: dict[str, tuple[tuple[str, ...], Rows]] = {
        "cross-sections": (
            ("axis", "position_nm", "phase", "share", "share_in_particle"),
            _sections(analysis),
        ),
        "sizes": (
            ("phase", "radius_nm", "covered_share", "intrusion", "reached_share", "cut_off"),
            _sizes(analysis),
        ),
        "tortuosity": (("phase", "paths", "quantile", "tortuosity"), _tortuosity(analysis)),
    }
    if analysis.shells:
        tables["depth"] = (("depth_nm", "phase", "share", "cumulative_share"), _depth(analysis))
    if analysis.particles:
        found = analysis.particles
        tables["particles"] = (
            ("equivalent_diameter_nm", "inscribed_diameter_nm", "cut_off"),
            _particles(found),
        )
    return tables


def _sections(analysis: Analysis) -> Iterator[tuple[Any, ...]]:
    for axis, one in zip(AXES, analysis.sections, strict=True):
        for phase, (shares, inside) in enumerate(zip(one.share, one.share_in_particle, strict=True)):
            for index, pair in enumerate(zip(shares.tolist(), inside.tolist(), strict=True)):
                yield axis, index * analysis.voxel_nm, phase, *pair


def _depth(analysis: Analysis) -> Iterator[tuple[Any, ...]]:
    shells = analysis.shells
    if shells:
        for phase, (share, cumulative) in enumerate(zip(shells.share, shells.cumulative, strict=True)):
            for row in zip(shells.depth_nm.tolist(), share.tolist(), cumulative.tolist(), strict=True):
                yield row[0], phase, *row[1:]


def _sizes(analysis: Analysis) -> Iterator[tuple[Any, ...]]:
    """The row of the last radius says whether wider balls fit, too, and count there."""
    for one in analysis.transports:
        last_nm = float(one.radii_nm[-1])
        for entry in one.intrusions:
            for row in zip(one.radii_nm.tolist(), one.covered.tolist(), entry.share.tolist(), strict=True):
                is_cut_off = one.is_cut_off and row[0] == last_nm
                yield one.phase, row[0], row[1], entry.name, row[2], int(is_cut_off)


def _particles(found: Particles) -> Iterator[tuple[Any, ...]]:
    """Each says whether its inscribed ball may be wider."""
    for row in zip(found.equivalent_nm.tolist(), found.inscribed_nm.tolist(), strict=True):
        yield *row, int(found.cut_off_nm is not None and row[1] >= found.cut_off_nm)


def _tortuosity(analysis: Analysis) -> Iterator[tuple[Any, ...]]:
    """The distribution as its percentiles: as many rows for a large volume as for a small one."""
    shares = np.linspace(0.0, 1.0, 101)
    for one in analysis.transports:
        for paths in one.paths:
            if paths.tau.size:
                for share, tau in zip(shares.tolist(), np.quantile(paths.tau, shares).tolist(), strict=True):
                    yield one.phase, paths.name, share, tau


def _csv(columns: tuple[str, ...], rows: Rows) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if known(value) is None else _text(value) for value in row] for row in rows)
    return buffer.getvalue()


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
