"""``slicewatch domain``: what images a network knows, for the comparison with those of a run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from models.errors import ModelMismatchError

if TYPE_CHECKING:
    from models.domain import StoredChannel
    from models.spec import ModelSpec

FEWEST: Final = 96


def domain(
    networks: Annotated[
        list[Path], typer.Argument(metavar="NAME.onnx...", help="Networks of slicewatch train.")
    ],
    images: Annotated[
        int, typer.Option(min=FEWEST, help="Rendered images of each channel to learn from.")
    ] = 600,
) -> None:
    """Write NAME.domain.json: a run that uses the network alarms when its images are unlike those it knows.

    It knows rendered images of gold in epoxy, as published. Leave it out for a network that has learned from
    annotated slices of another sample.
    """
    from models.domain import network_spec, write_domain
    from models.domain_learning import DomainSettings, learn_domain

    begun_s = time.monotonic()
    specs = {path: network_spec(path) for path in networks}
    for path, spec in specs.items():
        _require_rendered(path, spec)
    voltages = sorted({voltage for spec in specs.values() for voltage in spec.voltages_kv})
    settings = DomainSettings(images)
    for normalisation in dict.fromkeys(spec.normalisation for spec in specs.values()):
        learned = learn_domain(voltages, normalisation, settings, typer.echo)
        by_voltage = {channel.voltage_kv: channel for channel in learned}
        for path, spec in specs.items():
            if spec.normalisation == normalisation:
                channels = [by_voltage[voltage] for voltage in spec.voltages_kv]
                typer.echo(_told(write_domain(path, spec, channels, images), spec, channels))
    typer.echo(f"{time.monotonic() - begun_s:.0f} s")


def _told(path: Path, spec: ModelSpec, channels: list[StoredChannel]) -> str:
    pairs = zip(spec.channels, channels, strict=True)
    return f"{path}: limits " + ", ".join(f"{name} {channel.limit:.2f}" for name, channel in pairs)


def _require_rendered(network: Path, spec: ModelSpec) -> None:
    """Make sure that images of the network's kind can be rendered.

    Raises
    ------
    ModelMismatchError
        They cannot: it is a forest, or knows no voltage, or other phases than gold and epoxy.
    """
    if spec.features or spec.classes != 2 or not all(spec.voltages_kv):
        raise ModelMismatchError(
            f"what {spec.name} knows cannot be rendered: it is not of gold in epoxy at given voltages",
            str(network),
            "Leave its images uncompared.",
        )
