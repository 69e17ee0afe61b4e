"""``slicewatch evaluate`` and ``shrink``: how good the networks are, and smaller variants of them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

evaluate_app = typer.Typer(no_args_is_help=True, help="Measure the networks on held-out data.")


class PublishedTable(StrEnum):
    """What ``evaluate tables`` can measure."""

    SEGMENTATION = "segmentation"
    ANISOTROPY = "anisotropy"
    INTERPOLATION = "interpolation"
    ADAPTATION = "adaptation"


@evaluate_app.callback()
def evaluate() -> None:
    """Measure the networks on held-out data."""


@evaluate_app.command()
def tables(
    names: Annotated[
        list[PublishedTable] | None, typer.Argument(metavar="[TABLE]...", help="Default: all of them.")
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE.md", help="Each table has a section there; the rest stays.")
    ] = Path("docs/results.md"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Minutes instead of hours; for trying out, not for figures.")
    ] = False,
) -> None:
    """Measure the papers' tables anew, published figures beside."""
    from daemon.tabulate.command import write_tables

    write_tables([str(name) for name in names or PublishedTable], out, typer.echo, quick=quick)


def shrink(
    network: Annotated[Path, typer.Argument(metavar="NAME.onnx", help="A network of slicewatch train.")],
    scenes: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Rendered scenes; default: 'scenes' beside it, made if absent."),
    ] = None,
) -> None:
    """Write NAME.fp16.onnx and NAME.int8.onnx; one that labels worse than the network is not kept."""
    from daemon.shrinking import shrink_network

    shrink_network(network, scenes or network.parent / "scenes", typer.echo)
