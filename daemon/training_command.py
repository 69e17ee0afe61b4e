"""``slicewatch train`` on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from daemon.errors import ConfigurationError


class Network(StrEnum):
    """What ``train`` can train."""

    LATE_FUSION = "late-fusion"
    EARLY_FUSION = "early-fusion"
    INTERMEDIATE_FUSION = "intermediate-fusion"
    INPAINTING = "inpainting"
    FOREST = "forest"
    GAN = "gan"


DEFAULT_FEATURES: Final = "tailored"
DEFAULT_DENOISE: Final = "none"
_OWN_SLICES: Final = (
    "Name your images and labels in [[annotated]] of a file that you give with --config; "
    "examples/training.toml explains it."
)
REMEDIES: Final = {
    Network.LATE_FUSION: _OWN_SLICES,
    Network.EARLY_FUSION: _OWN_SLICES,
    Network.INTERMEDIATE_FUSION: _OWN_SLICES,
    Network.INPAINTING: "Leave them out: it learns from rendered structures; "
    "examples/inpainting-training.toml lists what can be set.",
    Network.GAN: "Leave them out: it learns from simulated structures; "
    "examples/gan-training.toml lists what can be set.",
    Network.FOREST: "Leave it out: a forest has --features, --images, --labels, --channel, --judge and "
    "--denoise.",
}
"""Against options that mean nothing for a network."""


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
    features: Annotated[
        str | None,
        typer.Option(help=f"forest: tailored, two-signals or one-signal; default: {DEFAULT_FEATURES}."),
    ] = None,
    denoise: Annotated[
        str | None,
        typer.Option(help="forest: non-local-means, as in [segmentation] of the runs; default: none."),
    ] = None,
) -> None:
    """Train a network on synthetic and annotated data and export it to ONNX; started again, it resumes.

    A forest learns within minutes from strokes painted on some slices, or else from rendered electrodes.
    """
    from daemon.forest_training import ForestOrder
    from daemon.training import train_forest_network, train_network

    if network is Network.FOREST:
        refuse_options(network, {"--config": config})
        order = ForestOrder(
            out,
            features or DEFAULT_FEATURES,
            denoise or DEFAULT_DENOISE,
            images,
            labels,
            tuple(channel or ()),
            judge,
            quick,
        )
        train_forest_network(order)
        return
    refuse_options(
        network,
        {
            "--images": images,
            "--labels": labels,
            "--channel": channel,
            "--judge": judge,
            "--features": features,
            "--denoise": denoise,
        },
    )
    train_network(network.value, out, quick=quick, config=config)


def refuse_options(network: Network, given: Mapping[str, object]) -> None:
    """Refuse options that mean nothing for a network, instead of training something else than was asked for.

    Raises
    ------
    ConfigurationError
        One of them was given.
    """
    idle = [option for option, value in given.items() if value is not None and value != []]
    if idle:
        raise ConfigurationError(
            f"without meaning here: {' and '.join(idle)}",
            where=f"slicewatch train {network.value}",
            remedy=REMEDIES[network],
        )
