"""What networks are trained on and judged by: rendered scenes by purpose, and batches of their patches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.augmentation import Augmentation, random_patch
from models.datasets import PreparedScene, block_crops, cut_patch, prepare_scenes
from models.fitting import Batch, Recipe
from models.losses import segmentation_loss
from models.normalisation import Normalisation
from models.scenes import ENSEMBLE_SEEDS, TRAINING_SEEDS, VALIDATION_SEEDS, SceneSize

EVALUATION_BATCH = 64
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Everything a training depends on. The defaults follow the papers (Sardhara et al. 2024, Table 1);
    scenes come from :mod:`models.scenes`.

    Attributes:
        voltages_kv: one branch each.
        adjacent_slices: of a window, odd.
        filters: channels of the first block of each branch.
        volume_filters: the same of the early fusion.
        patch_px: side of the patches.
        scenes, validation_scenes, ensemble_scenes: numbers of scenes rendered for each purpose; at
            least 2 for the ensemble.
        size: of a scene.
        recipe: of the single-voltage networks.
        ensemble_learning_rate: first rate of the ensemble layer, whose few weights are far from their
            optimum; the rest is as for the branches.
        joint_recipe: of all of the late fusion together, when its parts have been trained.
        fusion_recipe: of the early and the intermediate fusion.
        start_from: folder of exported single-voltage networks to start from; empty: from scratch.
        threads: of the processor, for torch.
    """

    voltages_kv: tuple[float, ...] = (1.0, 2.0, 4.0)
    adjacent_slices: int = 7
    filters: int = 16
    volume_filters: int = 12
    patch_px: int = 64
    scenes: int = 300
    validation_scenes: int = 16
    ensemble_scenes: int = 24
    size: SceneSize = field(default_factory=SceneSize)
    recipe: Recipe = field(default_factory=Recipe)
    ensemble_learning_rate: float = 0.1
    joint_recipe: Recipe = field(default_factory=Recipe)
    fusion_recipe: Recipe = field(default_factory=Recipe)
    normalisation: Normalisation = field(default_factory=Normalisation)
    augmentation: Augmentation = field(default_factory=Augmentation)
    start_from: str = ""
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Material:
    """Scenes by purpose."""

    training: list[PreparedScene]
    validation: list[PreparedScene]
    ensemble: list[PreparedScene]


def render_material(settings: TrainingSettings, folder: Path, report: Report) -> Material:
    """All scenes; those that lie in ``folder`` already are read."""

    def scenes_of(purpose: str, seeds: Sequence[int]) -> list[PreparedScene]:
        return prepare_scenes(
            folder,
            seeds,
            settings.voltages_kv,
            settings.size,
            settings.normalisation,
            lambda done, wanted: report(f"{purpose} scenes: {done}/{wanted}") if done % 20 == 0 else None,
        )

    return Material(
        scenes_of("training", TRAINING_SEEDS[: settings.scenes]),
        scenes_of("validation", VALIDATION_SEEDS[: settings.validation_scenes]),
        scenes_of("ensemble", ENSEMBLE_SEEDS[: settings.ensemble_scenes]),
    )


def draw_patches(
    settings: TrainingSettings,
    scenes: list[PreparedScene],
    channels: Sequence[int],
    batch: int,
    rng: np.random.Generator,
) -> Batch:
    """Varied patches of random places: (batch, channel, slice, y, x) and labels (batch, y, x).

    Of a single channel, the channel axis is left out, as a branch expects it.
    """
    patches = [
        random_patch(
            scenes,
            channels,
            settings.patch_px,
            settings.adjacent_slices,
            settings.normalisation,
            settings.augmentation,
            rng,
        )
        for _ in range(batch)
    ]
    return _stacked([images for images, _ in patches]), torch.from_numpy(
        np.stack([labels for _, labels in patches])
    )


def blocks_of(settings: TrainingSettings, scenes: Sequence[PreparedScene], channels: Sequence[int]) -> Batch:
    """Every block of the scenes as it is, in the shapes of :func:`draw_patches`."""
    patches = [
        cut_patch(prepared, crop, channels, settings.normalisation)
        for prepared in scenes
        for crop in block_crops(prepared.scene, settings.adjacent_slices)
    ]
    labels = torch.from_numpy(np.stack([labels for _, labels in patches]))
    return _stacked([images for images, _ in patches]), labels


def validation_loss(logits: Callable[[Tensor], Tensor], blocks: Batch, recipe: Recipe) -> float:
    """Of all blocks together."""
    parts = zip(*(part.split(EVALUATION_BATCH) for part in blocks), strict=True)
    scores = torch.cat([logits(inputs) for inputs, _ in parts])
    return segmentation_loss(scores, blocks[1], recipe.cross_entropy_weight).item()


def _stacked(images: Sequence[np.ndarray]) -> Tensor:
    inputs = torch.from_numpy(np.stack(images))
    if inputs.shape[1] == 1:
        return inputs[:, 0].contiguous(memory_format=torch.channels_last)
    return inputs
