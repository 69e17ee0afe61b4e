"""``slicewatch adapt`` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MOST_SLICES = 200


def adapt(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="An acquisition's folder, or run.output of a run.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="For the adapted network, its card and pages.")],
    config: Annotated[
        Path | None,
        typer.Option(metavar="CONFIG.toml", help="Of the acquisition; a run's outputs know their own."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="NAME.onnx", help="Network to copy; default: the one a run would use."),
    ] = None,
    slices: Annotated[
        int, typer.Option(min=8, max=MOST_SLICES, help="Slices from the first one on to learn from.")
    ] = 24,
    quick: Annotated[
        bool, typer.Option("--quick", help="A minute or two; for trying out the way, not for use.")
    ] = False,
) -> None:
    """Fine-tune a copy of a network to the images of an acquisition, unattended; started again, it resumes.

    CycleGANs learn its style from unlabelled slices, the copy learns from synthetic structures in that style.
    Nothing uses it until you name it in a configuration: look at the pages first.
    """
    from daemon.adapt.adapting import adapt_to

    adapt_to(folder, out, config, model, slices, quick=quick)
