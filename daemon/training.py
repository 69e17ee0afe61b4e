"""``slicewatch train``: from the command line to ``models.shipping``, with progress a person can wait by.

Torch is imported here and nowhere else in ``daemon``, and only when a training starts.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from daemon.errors import ConfigurationError, SlicewatchError, StoreError

if TYPE_CHECKING:
    from models.evaluation import HeldOut
    from models.material import TrainingSettings
    from models.shipping import Training

LIBRARIES: Final = ("torch", "onnx", "onnxscript")
START: Final = "models/zoo"
"""The networks to start from, beside slicewatch itself."""


class LibraryMissingError(SlicewatchError):
    """A library that only training needs is not installed."""


def train_network(network: str, out: Path, *, quick: bool) -> None:
    """Train ``network`` into ``out`` and print where the files lie; started again, it goes on.

    ``quick`` takes minutes and is for trying out the way, not for use.

    Raises
    ------
    LibraryMissingError
        Torch, or what the export needs, is not installed.
    ConfigurationError
        There is no such network.
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
    _make(out)
    console = Console(highlight=False, soft_wrap=True)
    command = f"slicewatch train {network} --out {out}{' --quick' if quick else ''}"
    with console.status("training") as status:
        checksums = train(out, command, _reporter(console, status.update), quick)
    for name, sha256 in checksums.items():
        console.print(f"{out / f'{name}.onnx'}  sha256 {sha256[:16]}…")
    console.print(f"cards and learning curves: {out}")


def require(*libraries: str) -> None:
    """Make sure that libraries are installed, without importing them.

    Raises
    ------
    LibraryMissingError
        One is not.
    """
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        raise LibraryMissingError(
            f"training needs {', '.join(missing)}, which the daemon itself does without",
            where="slicewatch train",
            remedy='Run `pip install "slicewatch[train]"`, or `make test`, which installs everything.',
        )


def shipped_settings() -> TrainingSettings:
    """How a network is trained unless quickly.

    The late fusion takes some 26 minutes of one core, estimated from 0.36 s a step of 16 patches and voltage
    (AMD EPYC, 2026-11-27). The cards in ``models/zoo`` hold the settings of the networks beside them.
    """
    from models.fitting import Recipe
    from models.material import TrainingSettings
    from models.schedules import Cosine

    recipe = Recipe(
        batch=24,
        steps=30,
        epochs=20,
        learning_rate=1e-3,
        schedule=Cosine(),
        patience_epochs=20,
        cross_entropy_weight=1.0,
    )
    return TrainingSettings(
        recipe=recipe,
        joint_recipe=replace(recipe, epochs=12, learning_rate=5e-4, patience_epochs=12),
        fusion_recipe=replace(recipe, epochs=40, learning_rate=2e-3, patience_epochs=40),
        scenes=120,
        validation_scenes=6,
        ensemble_scenes=12,
        start_from=START,
        threads=_cores(),
    )


def quick_settings() -> TrainingSettings:
    """The same way with few scenes, narrow networks and few steps: a poor network within minutes."""
    from models.fitting import Recipe
    from models.material import TrainingSettings
    from models.schedules import Cosine

    recipe = Recipe(
        batch=32, steps=18, epochs=3, learning_rate=4e-3, schedule=Cosine(), cross_entropy_weight=1.0
    )
    return TrainingSettings(
        filters=8,
        volume_filters=6,
        recipe=recipe,
        joint_recipe=recipe,
        fusion_recipe=recipe,
        scenes=10,
        validation_scenes=2,
        ensemble_scenes=4,
        threads=_cores(),
    )


def quick_held_out() -> HeldOut:
    """Enough held-out faces to see that something was learned."""
    from models.evaluation import HeldOut

    return HeldOut(runs=2, height=128, width=192, slices=6)


def _train_late(out: Path, command: str, report: Callable[[str], None], quick: bool) -> dict[str, str]:
    from models.training import train_late_fusion

    return _train_fusion(train_late_fusion, out, command, report, quick)


def _train_early(out: Path, command: str, report: Callable[[str], None], quick: bool) -> dict[str, str]:
    from models.training import train_early_fusion

    return _train_fusion(train_early_fusion, out, command, report, quick)


def _train_intermediate(
    out: Path, command: str, report: Callable[[str], None], quick: bool
) -> dict[str, str]:
    from models.training import train_intermediate_fusion

    return _train_fusion(train_intermediate_fusion, out, command, report, quick)


def _train_fusion(
    train: Training, out: Path, command: str, report: Callable[[str], None], quick: bool
) -> dict[str, str]:
    """Train, and return the checksum of each network by name."""
    from models.evaluation import HeldOut
    from models.shipping import Origin, train_and_ship

    settings, held_out = (quick_settings(), quick_held_out()) if quick else (shipped_settings(), HeldOut())
    scenes = settings.scenes + settings.validation_scenes + settings.ensemble_scenes
    report(f"{scenes} scenes are rendered, then the network is trained")
    specs = train_and_ship(train, settings, held_out, out, Origin(command, _today()), report)
    return {name: spec.sha256 for name, spec in specs.items()}


def _train_inpainting(out: Path, command: str, report: Callable[[str], None], quick: bool) -> dict[str, str]:
    """Train the inpainting network; its checksum by its name."""
    from models.inpainting_shipping import Origin, ship_inpainting
    from models.inpainting_training import InpaintingSettings
    from models.mimicking import MimickingSettings

    settings = InpaintingSettings(threads=_cores())
    if quick:
        recipe = replace(settings.recipe, steps=20, epochs=3)
        volumes = MimickingSettings(structures=4)
        settings = replace(settings, volumes=volumes, recipe=recipe, filters=8, validation_patches=64)
    report(f"{settings.volumes.structures} structures are made, then the network is trained")
    return {"inpainting": ship_inpainting(settings, out, Origin(command, _today()), report).sha256}


_TRAININGS: Final = {
    "late-fusion": _train_late,
    "early-fusion": _train_early,
    "intermediate-fusion": _train_intermediate,
    "inpainting": _train_inpainting,
}


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _reporter(console: Console, update: Callable[[str], None]) -> Callable[[str], None]:
    """Each line with the time since the start; the newest one stays beside the spinner on a terminal."""
    started = time.monotonic()

    def report(line: str) -> None:
        update(line)
        console.print(f"{timedelta(seconds=round(time.monotonic() - started))}  {line}", markup=False)

    return report


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder cannot be made: {error.strerror or error}",
            where=str(out),
            remedy="Choose a folder that this user may write to with --out.",
        ) from error


def _cores() -> int:
    return os.cpu_count() or 1
