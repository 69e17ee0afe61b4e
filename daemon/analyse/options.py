"""The command line of ``slicewatch analyse``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.command_options import Json


def analyse(
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="run.output of a run, or an OME-Zarr image of labels.")
    ],
    phase: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Phase that leads; repeatable. Default: 0, the pores. Solid: 1."),
    ] = None,
    particles: Annotated[int, typer.Option(min=0, help="Phase whose particles are measured.")] = 1,
    ball: Annotated[
        float,
        typer.Option(
            min=0.0, metavar="NM", help="Radius of the rolling ball; pores it cannot reach are inner."
        ),
    ] = 150.0,
    shell: Annotated[
        float,
        typer.Option(
            min=0.0, metavar="NM", help="Steps of depth below the particle's boundary; a voxel or more."
        ),
    ] = 10.0,
    depth: Annotated[
        list[float] | None,
        typer.Option(
            min=0.0, metavar="NM", help="Paths lead so deep into the particle; repeatable. Default: three."
        ),
    ] = None,
    neck: Annotated[
        float,
        typer.Option(min=0.0, metavar="NM", help="Cut particles apart at necks of this radius or less."),
    ] = 0.0,
    level: Annotated[int, typer.Option(min=0, help="Pyramid level; 0 is the full resolution.")] = 0,
    conductivity: Annotated[
        bool,
        typer.Option("--conductivity", help="Solve for the effective conductivity too; needs taufactor."),
    ] = False,
    memory: Annotated[int, typer.Option(min=64, metavar="MIB", help="Memory to keep to, about.")] = 1024,
    scratch: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Disk for large volumes, 20 bytes a voxel. Default: --out."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Default: 'analysis' in OUTPUT, or beside an image.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure how ions and electrons get through: pores, paths, bottlenecks, particles; tables and
    figures."""
    from daemon.analyse.command import analyse_volume
    from daemon.analyse.results import Plan

    plan = Plan(
        phases=tuple(dict.fromkeys(phase or [0])),
        particles=particles,
        ball_nm=ball,
        shell_nm=shell,
        depths_nm=tuple(depth or ()),
        neck_nm=neck,
        conductivity=conductivity,
        memory_bytes=memory * 2**20,
    )
    analyse_volume(output, plan, level=level, out=out, scratch=scratch, as_json=as_json)
