"""The command line of ``slicewatch synthesize``; what a command needs is imported inside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from daemon.synthesize.options import StructureKind

app = typer.Typer(
    help="Make virtual samples, their images, and data sets to learn from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
Out = Annotated[Path, typer.Argument(metavar="OUT", help="New folder for everything that is made.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable: one JSON object, last line of stdout.")]


@app.command()
def structure(
    out: Out,
    kind: Annotated[
        StructureKind, typer.Option(help="What the sample looks like.")
    ] = StructureKind.HIERARCHICAL,
    size: Annotated[
        tuple[int, int, int], typer.Option(metavar="Z Y X", help="Voxels; a cube is periodic.")
    ] = (256, 256, 256),
    voxel: Annotated[float | None, typer.Option(metavar="NM", help="Edge of a voxel.")] = None,
    solid_fraction: Annotated[
        float | None, typer.Option(min=0.01, max=0.9, help="Of the solid; of an electrode's particles.")
    ] = None,
    ligament: Annotated[
        list[float] | None,
        typer.Option(
            metavar="NM",
            help="Mean diameter: ligaments (repeat for coarse and fine), spheres; particles, pores, strands.",
        ),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """A structure as OME-Zarr, with a report of what was asked for and what came out."""
    from daemon.synthesize.designs import (
        DEFAULT_FRACTIONS,
        DEFAULT_SIZES_NM,
        DEFAULT_VOXELS_NM,
        Design,
    )
    from daemon.synthesize.structure import synthesize_structure

    design = Design(
        kind,
        size,
        voxel or DEFAULT_VOXELS_NM[kind],
        solid_fraction or DEFAULT_FRACTIONS[kind],
        tuple(ligament or DEFAULT_SIZES_NM[kind]),
        seed,
    )
    report = synthesize_structure(design, out)
    if as_json:
        typer.echo(json.dumps({key: value for key, value in report.items() if key != "correlation"}))
        return
    asked, obtained = report["phase_fractions"].values()
    typer.echo(f"phase fractions: asked {_percent(asked)}, obtained {_percent(obtained)}")
    for level in report["networks"]:
        typer.echo(
            f"{level['network']}: asked {level['asked_nm']:.1f} nm, obtained {level['obtained_nm']:.1f} nm"
        )
    typer.echo(f"{out / 'structure.ome.zarr'}, structure.json and structure.png beside it")


def _percent(shares: list[float]) -> str:
    return " / ".join(f"{100 * share:.2f} %" for share in shares)
