"""``slicewatch train``: from the command line to ``models.shipping``, with progress a person can wait by.

Torch, and every module that imports it, is imported only when a training starts.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from daemon.errors import ConfigurationError, SlicewatchError
from daemon.volume_store import make_folder

if TYPE_CHECKING:
    from daemon.forest_training import ForestOrder
    from models.origin import Origin

LIBRARIES: Final = ("torch", "onnx", "onnxscript", "tensorboard")
FOREST_LIBRARIES: Final = ("sklearn", "skl2onnx", "onnx")
ELSEWHERE: Final = "Choose a folder that this user may write to with --out."


class LibraryMissingError(SlicewatchError):
    """A library that only training needs is not installed."""


@dataclass(frozen=True, slots=True)
class _Order:
    """What was typed behind the network's name."""

    command: str
    out: Path
    config: Path | None
    quick: bool

    def origin(self) -> Origin:
        from models.origin import Origin

        text = self.config.read_text(encoding="utf-8") if self.config else ""
        return Origin(self.command, today(), text)


def train_network(network: str, out: Path, *, quick: bool, config: Path | None = None) -> None:
    """Train ``network`` into ``out`` and print where the files lie; started again, it goes on.

    ``quick`` takes minutes and is for trying out the way, not for use. What the file ``config`` says takes
    the place of the shipped settings, or of the quick ones.

    Raises
    ------
    LibraryMissingError
        Torch, or what the export needs, is not installed.
    ConfigurationError
        There is no such network, or the file or the annotated slices that it names are no good.
    StoreError
        ``out`` cannot be written.
    ModelError
        ``out`` holds a training with other settings, or the export differs from the trained network.
    """
    train = _TRAININGS.get(network)
    if train is None:
        raise ConfigurationError(
            f"there is no network {network!r} to train",
            where="slicewatch train",
            remedy=f"Use {' or '.join(_TRAININGS)}.",
        )
    require(*LIBRARIES)
    make_folder(out, remedy=ELSEWHERE)
    console = Console(highlight=False, soft_wrap=True)
    options = f"{f' --config {config}' if config else ''}{' --quick' if quick else ''}"
    order = _Order(f"slicewatch train {network} --out {out}{options}", out, config, quick)
    with console.status("training") as status:
        checksums = train(network, order, reporter(console, status.update))
    for name, sha256 in checksums.items():
        console.print(f"{out / f'{name}.onnx'}  sha256 {sha256[:16]}…")
    console.print(f"cards and learning curves: {out}")


def train_forest_network(order: ForestOrder) -> None:
    """Train a forest and print where its file lies; see :mod:`daemon.forest_training`.

    Raises
    ------
    LibraryMissingError
        scikit-learn, or what the export needs, is not installed.
    ConfigurationError
        The images or labels are no good.
    """
    require(*FOREST_LIBRARIES)
    from daemon.forest_training import command_of, train_own_forest
    from models.origin import Origin

    make_folder(order.out, remedy=ELSEWHERE)
    console = Console(highlight=False, soft_wrap=True)
    origin = Origin(command_of(order), today())
    with console.status("training") as status:
        checksums = train_own_forest(order, origin, reporter(console, status.update))
    for name, sha256 in checksums.items():
        console.print(f"{order.out / f'{name}.onnx'}  sha256 {sha256[:16]}…")
    console.print(f"card and importance of the features: {order.out}")


def require(*libraries: str, command: str = "slicewatch train") -> None:
    """Make sure that libraries which ``command`` needs are installed, without importing them.

    Raises
    ------
    LibraryMissingError
        One is not.
    """
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        raise LibraryMissingError(
            f"training needs {', '.join(missing)}, which the daemon itself does without",
            where=command,
            remedy='Run `pip install "slicewatch[train]"`, or `make test`, which installs everything.',
        )


def _train_fusion(network: str, order: _Order, report: Callable[[str], None]) -> dict[str, str]:
    """Train, and return the checksum of each network by name."""
    from daemon.annotated import read_annotations
    from daemon.training_file import fusion_plan
    from daemon.training_presets import quick_fusion, usual_fusion
    from models.shipping import train_and_ship
    from models.training import train_early_fusion, train_intermediate_fusion, train_late_fusion

    train = {
        "late-fusion": train_late_fusion,
        "early-fusion": train_early_fusion,
        "intermediate-fusion": train_intermediate_fusion,
    }[network]
    plan = fusion_plan(quick_fusion() if order.quick else usual_fusion(), order.config)
    if len(plan.training.voltages_kv) == 1 and network != "late-fusion":
        raise ConfigurationError(
            f"{network} of one voltage has nothing to fuse",
            where=f"{order.config}: training.voltages_kv",
            remedy="Train late-fusion: of one voltage it is the network of that voltage.",
        )
    annotated = read_annotations(plan.annotated, plan.training)
    for kind, slices in (("learned from", annotated.learned), ("held back", annotated.held_back)):
        for one in slices:
            report(f"annotated, {kind}: {one.name}, {one.annotated_pixels} px")
    settings = plan.training
    scenes = settings.scenes + settings.validation_scenes + settings.ensemble_scenes
    report(f"{scenes} scenes are rendered, then the network is trained")
    specs = train_and_ship(train, settings, plan.held_out, order.out, order.origin(), report, annotated)
    return {name: spec.sha256 for name, spec in specs.items()}


def _train_inpainting(network: str, order: _Order, report: Callable[[str], None]) -> dict[str, str]:
    """Train the inpainting network; its checksum by its name."""
    from daemon.training_file import inpainting_plan
    from daemon.training_presets import quick_inpainting, shipped_inpainting
    from models.inpainting_shipping import ship_inpainting

    base = quick_inpainting() if order.quick else shipped_inpainting()
    settings = inpainting_plan(base, order.config).training
    report(f"{settings.volumes.structures} structures are made, then the network is trained")
    return {network: ship_inpainting(settings, order.out, order.origin(), report).sha256}


def _train_gan(network: str, order: _Order, report: Callable[[str], None]) -> dict[str, str]:
    """Train the generators; the checksum of each by its name."""
    require("warp")
    from daemon.training_file import gan_plan
    from daemon.training_presets import quick_gan, shipped_gan
    from models.gan_shipping import ship_gan

    settings = gan_plan(quick_gan() if order.quick else shipped_gan(), order.config).training
    images = settings.monte_carlo_images + settings.validation_images
    report(f"{images} Monte Carlo images at each voltage are made, then the generators are trained")
    specs = ship_gan(settings, order.out, order.origin(), report)
    return {name: spec.sha256 for name, spec in specs.items()}


_TRAININGS: Final = {
    "late-fusion": _train_fusion,
    "early-fusion": _train_fusion,
    "intermediate-fusion": _train_fusion,
    "inpainting": _train_inpainting,
    "gan": _train_gan,
}


def today() -> str:
    """The date, ISO 8601."""
    return datetime.now(UTC).date().isoformat()


def reporter(console: Console, update: Callable[[str], None]) -> Callable[[str], None]:
    """Each line with the time since the start; the newest one stays beside the spinner on a terminal."""
    started = time.monotonic()

    def report(line: str) -> None:
        update(line)
        console.print(f"{timedelta(seconds=round(time.monotonic() - started))}  {line}", markup=False)

    return report
