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
    FOREST = "forest"


def train(
    network: Annotated[Network, typer.Argument(help="What to train.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Checkpoints, curves and .onnx files.")],
    config: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Own settings; see examples/training.toml.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Minutes instead of an hour; for trying out.")
    ] = False,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="forest: registered images, by channel.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="DIR", help="forest: sparse labels of some slices, 255 elsewhere.")
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="forest: a signal, in order; repeat it.")
    ] = None,
    judge: Annotated[
        int | None,
        typer.Option(metavar="SLICE", help="forest: labelled slice to judge by, not to learn from."),
    ] = None,
    features: Annotated[str, typer.Option(help="forest: tailored, two-signals or one-signal.")] = "tailored",
) -> None:
    """Train a network on synthetic and annotated data and export it to ONNX; started again, it resumes.

    A forest learns within minutes from strokes painted on some slices, or else from rendered electrodes.
    """
    from daemon.training import train_forest_network, train_network

    if network is Network.FOREST:
        train_forest_network(out, features, images, labels, tuple(channel or ()), judge, quick=quick)
        return
    train_network(network.value, out, quick=quick, config=config)
