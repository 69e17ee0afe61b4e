"""Trains the inpainting network on mimicking volumes; checkpoints, and goes on from them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from models.fitting import Batch, Epoch, Progress, Recipe, Task, fit
from models.inpainting import PlaneInpainter
from models.losses import segmentation_loss
from models.mimicking import (
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    MimickingSettings,
    mimicking_volumes,
    random_plane,
    volumes_sha256,
)
from models.schedules import Cosine

VALIDATION_SHARE = 10
"""Structures to learn from for each one to validate on."""


@dataclass(frozen=True, slots=True)
class InpaintingSettings:
    """Of one training.

    Attributes:
        volumes: to learn from.
        filters: of the network's first block.
        patch_px: side of a patch.
        validation_patches: of other structures, always the same.
        recipe: of the fit.
        threads: of torch.
    """

    volumes: MimickingSettings = field(default_factory=MimickingSettings)
    filters: int = 16
    patch_px: int = 64
    validation_patches: int = 512
    recipe: Recipe = field(
        default_factory=lambda: Recipe(
            batch=32,
            steps=100,
            epochs=60,
            learning_rate=2e-3,
            schedule=Cosine(),
            patience_epochs=60,
            cross_entropy_weight=1.0,
            bfloat16=True,
        )
    )
    threads: int = 1


@dataclass(frozen=True, slots=True)
class TrainedInpainter:
    """A trained network and where it comes from."""

    network: PlaneInpainter
    history: tuple[Epoch, ...]
    training_data_sha256: str


def train_inpainting(
    settings: InpaintingSettings, out_dir: Path, report: Callable[[str], None]
) -> TrainedInpainter:
    """Fit the network; volumes and checkpoint stay in ``out_dir``, and a later start goes on from them.

    Raises:
        CheckpointMismatchError: ``out_dir`` holds a training with another recipe.
    """
    torch.set_num_threads(settings.threads)
    out_dir.mkdir(parents=True, exist_ok=True)
    structures = settings.volumes.structures
    learned = mimicking_volumes(
        settings.volumes, TRAINING_SEEDS[:structures], out_dir / "volumes.npy", report
    )
    others = mimicking_volumes(
        settings.volumes,
        VALIDATION_SEEDS[: max(2, structures // VALIDATION_SHARE)],
        out_dir / "validation.npy",
        report,
    )
    torch.manual_seed(settings.recipe.seed)
    network = PlaneInpainter(settings.filters)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    validation = _draw(others, settings, settings.validation_patches, np.random.default_rng(0))
    task = Task(
        stage="inpainting",
        network=network,
        logits=network.logits,
        draw=partial(_draw, learned, settings, settings.recipe.batch),
        validation_loss=partial(_validation_loss, network, validation, settings.recipe),
    )
    history = fit(task, settings.recipe, out_dir, lambda progress: report(_line(progress)))
    return TrainedInpainter(network.eval(), history, volumes_sha256(learned))


def _draw(
    volumes: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    settings: InpaintingSettings,
    count: int,
    rng: np.random.Generator,
) -> Batch:
    samples = [random_plane(volumes, settings.patch_px, rng) for _ in range(count)]
    maps = torch.from_numpy(np.stack([maps for maps, _ in samples]))
    labels = torch.from_numpy(np.stack([labels for _, labels in samples]).astype(np.int64))
    return maps.contiguous(memory_format=torch.channels_last), labels


def _validation_loss(network: PlaneInpainter, validation: Batch, recipe: Recipe) -> float:
    scores = torch.cat([network.logits(maps) for maps in validation[0].split(recipe.batch)])
    return segmentation_loss(scores, validation[1], recipe.cross_entropy_weight).item()


def _line(progress: Progress) -> str:
    return str(progress)
