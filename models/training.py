"""Trains the late-fusion network: scenes, then a branch per voltage, then the layer that fuses them.

Late fusion is trained in two steps (Sardhara et al. 2024, §2.2.3): the branches each on their own voltage,
then the ensemble layer on what they believe about scenes they have not learned from. Scenes, checkpoints
and results lie in one folder; started again, an interrupted training goes on and ends the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.architectures import LateFusion, ResidualUNet
from models.augmentation import Augmentation, random_patch
from models.datasets import PreparedScene, block_crops, cut_patch, prepare_scenes, scenes_sha256
from models.fitting import Batch, Epoch, Progress, Recipe, Task, fit
from models.losses import segmentation_loss
from models.normalisation import Normalisation
from models.scenes import ENSEMBLE_SEEDS, TRAINING_SEEDS, VALIDATION_SEEDS, SceneSize

EVALUATION_BATCH = 64
ENSEMBLE_CROSS_ENTROPY = 0.03
"""Beside Dice. Without any, the threshold drifts; with as much as the branches', the layer buys calibration,
which a weighted sum of probabilities cannot have, with sharpness."""
ENSEMBLE_VALIDATION = 4
"""One in so many of the ensemble's scenes is kept back to judge it."""
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Everything a training depends on. The defaults follow the papers (Sardhara et al. 2024, Table 1);
    scenes come from :mod:`models.scenes`.

    Attributes:
        voltages_kv: one branch each.
        adjacent_slices: of a window, odd.
        filters: channels of each branch's first block.
        patch_px: side of the patches.
        scenes, validation_scenes, ensemble_scenes: numbers of scenes rendered for each purpose; at
            least 2 for the ensemble.
        size: of a scene.
        recipe: of the branches.
        ensemble_learning_rate: first rate of the ensemble layer, whose few weights are far from their
            optimum; the rest is as for the branches.
        threads: of the processor, for torch.
    """

    voltages_kv: tuple[float, ...] = (1.0, 2.0, 4.0)
    adjacent_slices: int = 7
    filters: int = 16
    patch_px: int = 64
    scenes: int = 300
    validation_scenes: int = 16
    ensemble_scenes: int = 24
    size: SceneSize = field(default_factory=SceneSize)
    recipe: Recipe = field(default_factory=Recipe)
    ensemble_learning_rate: float = 0.1
    normalisation: Normalisation = field(default_factory=Normalisation)
    augmentation: Augmentation = field(default_factory=Augmentation)
    threads: int = 2


@dataclass(frozen=True, slots=True)
class TrainedFusion:
    """A trained network and how it went.

    Attributes:
        network: evaluated, on the CPU; its branches are the single-voltage networks.
        histories: the epochs of each stage.
        training_data_sha256: of the scenes that the branches learned from.
    """

    network: LateFusion
    histories: dict[str, tuple[Epoch, ...]]
    training_data_sha256: str


@dataclass(frozen=True, slots=True)
class _Material:
    """Scenes by purpose."""

    training: list[PreparedScene]
    validation: list[PreparedScene]
    ensemble: list[PreparedScene]


def channel_name(voltage_kv: float) -> str:
    return f"{voltage_kv:g}kV"


def train_late_fusion(settings: TrainingSettings, out_dir: Path, report: Report) -> TrainedFusion:
    """Train all of it.

    Args:
        settings: the same settings on the same machine give the same network.
        out_dir: for scenes and checkpoints; an interrupted training goes on from what lies here.
        report: given a line now and then.

    Raises:
        CheckpointMismatchError: ``out_dir`` holds a training with another recipe.
    """
    torch.set_num_threads(settings.threads)
    material = _render(settings, out_dir / "scenes", report)
    histories: dict[str, tuple[Epoch, ...]] = {}
    branches: list[ResidualUNet] = []
    for channel in range(len(settings.voltages_kv)):
        branch, history = _train_branch(settings, channel, material, out_dir, report)
        branches.append(branch)
        histories[channel_name(settings.voltages_kv[channel])] = history
    network = LateFusion(branches).eval()
    histories["ensemble"] = _train_ensemble(settings, network, material, out_dir, report)
    return TrainedFusion(network, histories, scenes_sha256(material.training))


def _render(settings: TrainingSettings, folder: Path, report: Report) -> _Material:
    def scenes_of(purpose: str, seeds: Sequence[int]) -> list[PreparedScene]:
        return prepare_scenes(
            folder,
            seeds,
            settings.voltages_kv,
            settings.size,
            settings.normalisation,
            lambda done, wanted: report(f"{purpose} scenes: {done}/{wanted}") if done % 20 == 0 else None,
        )

    return _Material(
        scenes_of("training", TRAINING_SEEDS[: settings.scenes]),
        scenes_of("validation", VALIDATION_SEEDS[: settings.validation_scenes]),
        scenes_of("ensemble", ENSEMBLE_SEEDS[: settings.ensemble_scenes]),
    )


def _train_branch(
    settings: TrainingSettings, channel: int, material: _Material, folder: Path, report: Report
) -> tuple[ResidualUNet, tuple[Epoch, ...]]:
    torch.manual_seed(settings.recipe.seed + channel)
    network = ResidualUNet(settings.adjacent_slices, filters=settings.filters)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    validation = _blocks(settings, material.validation, [channel])
    task = Task(
        stage=f"branch_{channel_name(settings.voltages_kv[channel])}",
        network=network,
        logits=network.logits,
        draw=partial(_draw_patches, settings, material.training, channel),
        validation_loss=partial(_validation_loss, network.logits, validation, settings.recipe),
    )
    history = fit(task, settings.recipe, folder, _line(report))
    return network.eval(), history


def _train_ensemble(
    settings: TrainingSettings, network: LateFusion, material: _Material, folder: Path, report: Report
) -> tuple[Epoch, ...]:
    channels = range(len(settings.voltages_kv))
    kept_back = material.ensemble[::ENSEMBLE_VALIDATION]
    learned_from = [scene for number, scene in enumerate(material.ensemble) if number % ENSEMBLE_VALIDATION]
    unseen = _believed(network, _blocks(settings, learned_from, channels))
    validation = _believed(network, _blocks(settings, kept_back, channels))
    recipe = replace(
        settings.recipe,
        learning_rate=settings.ensemble_learning_rate,
        cross_entropy_weight=ENSEMBLE_CROSS_ENTROPY,
        bfloat16=False,
    )
    task = Task(
        stage="ensemble",
        network=network.ensemble,
        logits=network.ensemble,
        draw=partial(_draw_beliefs, unseen, recipe.batch),
        validation_loss=partial(_validation_loss, network.ensemble, validation, recipe),
    )
    return fit(task, recipe, folder, _line(report))


def _draw_patches(
    settings: TrainingSettings, scenes: list[PreparedScene], channel: int, rng: np.random.Generator
) -> Batch:
    patches = [
        random_patch(
            scenes,
            [channel],
            settings.patch_px,
            settings.adjacent_slices,
            settings.normalisation,
            settings.augmentation,
            rng,
        )
        for _ in range(settings.recipe.batch)
    ]
    inputs = torch.from_numpy(np.stack([images[0] for images, _ in patches]))
    labels = torch.from_numpy(np.stack([labels for _, labels in patches]))
    return inputs.contiguous(memory_format=torch.channels_last), labels


def _draw_beliefs(blocks: Batch, batch: int, rng: np.random.Generator) -> Batch:
    chosen = torch.from_numpy(rng.integers(len(blocks[0]), size=batch))
    return blocks[0][chosen], blocks[1][chosen]


def _blocks(settings: TrainingSettings, scenes: Sequence[PreparedScene], channels: Sequence[int]) -> Batch:
    """Every block of the scenes as it is: (block, channel, slice, y, x) and labels (block, y, x).

    Of a single channel, the channel axis is left out, as a branch expects it.
    """
    patches = [
        cut_patch(prepared, crop, channels, settings.normalisation)
        for prepared in scenes
        for crop in block_crops(prepared.scene, settings.adjacent_slices)
    ]
    inputs = torch.from_numpy(np.stack([images for images, _ in patches]))
    labels = torch.from_numpy(np.stack([labels for _, labels in patches]))
    return (inputs[:, 0] if len(channels) == 1 else inputs), labels


@torch.inference_mode()
def _believed(network: LateFusion, blocks: Batch) -> Batch:
    """The branches' probabilities in place of the images."""
    inputs, labels = blocks
    beliefs = [network.branch_probabilities(part) for part in inputs.split(EVALUATION_BATCH)]
    return torch.cat(beliefs).clone(), labels


def _validation_loss(logits: Callable[[Tensor], Tensor], blocks: Batch, recipe: Recipe) -> float:
    parts = zip(*(part.split(EVALUATION_BATCH) for part in blocks), strict=True)
    scores = torch.cat([logits(inputs) for inputs, _ in parts])
    return segmentation_loss(scores, blocks[1], recipe.cross_entropy_weight).item()


def _line(report: Report) -> Callable[[Progress], None]:
    return lambda progress: report(str(progress))
