"""Trains the inpainting network on mimicking volumes; checkpoints, and goes on from them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, MultipleOf

from models.architectures import STRIDE_PX
from models.device import Device, following, training_device
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
        threads: of torch, on the processor.
        device: to train on (:mod:`models.device`).
    """

    volumes: MimickingSettings = field(default_factory=MimickingSettings)
    filters: Annotated[int, Ge(1)] = 16
    patch_px: Annotated[int, Ge(8), MultipleOf(STRIDE_PX)] = 64
    validation_patches: Annotated[int, Ge(1)] = 512
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
    threads: Annotated[int, Ge(1)] = 1
    device: Device = "auto"

    def __post_init__(self) -> None:
        if self.patch_px > self.volumes.side_voxels:
            raise ValueError("patch_px is at most volumes.side_voxels")


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
    network.to(training_device(settings.device))
    validation = _draw(others, settings, settings.validation_patches, np.random.default_rng(0))
    task = Task(
        stage="inpainting",
        network=network,
        logits=network.logits,
        draw=partial(_draw, learned, settings, settings.recipe.batch),
        validation_loss=partial(_validation_loss, network, validation, settings.recipe),
    )
    history = fit(task, settings.recipe, out_dir, lambda progress: report(_line(progress)))
    return TrainedInpainter(network.eval().cpu(), history, volumes_sha256(learned))


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
    logits = following(network, network.logits)
    scores = torch.cat([logits(maps).cpu() for maps in validation[0].split(recipe.batch)])
    return segmentation_loss(scores, validation[1], recipe.cross_entropy_weight).item()


def _line(progress: Progress) -> str:
    return str(progress)
