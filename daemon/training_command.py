"""``slicewatch train`` on the command line."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Network(StrEnum):
    """What ``train`` can train."""

    LATE_FUSION = "late-fusion"
    EARLY_FUSION = "early-fusion"
    INTERMEDIATE_FUSION = "intermediate-fusion"
    INPAINTING = "inpainting"


def train(
    network: Annotated[Network, typer.Argument(help="What to train.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Checkpoints, curves and .onnx files.")],
    config: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Own settings; see examples/training.toml.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Minutes instead of an hour; for trying out.")
    ] = False,
) -> None:
    """Train a network on synthetic and annotated data and export it to ONNX; started again, it resumes."""
    from daemon.training import train_network

    train_network(network.value, out, quick=quick, config=config)
