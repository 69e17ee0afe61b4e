"""What networks are trained on and judged by: rendered scenes by purpose, and batches of their patches."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Le, Len, Lt, MultipleOf
from torch import Tensor

from models import annotation
from models.annotation import AnnotatedSlice, Annotations, annotated_patch, annotated_tiles
from models.architectures import STRIDE_PX
from models.augmentation import Augmentation, random_patch
from models.datasets import BLEED_PX, Patch, PreparedScene, block_patches, prepare_scenes, scenes_sha256
from models.device import Device
from models.fitting import Batch, Recipe
from models.kept_settings import keep_settings
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
        adjacent_slices: of a window, odd, up to 9.
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
        start_from: folder of exported networks to start from, the single-voltage ones; empty: from scratch.
            Where slices are annotated, an early or intermediate fusion starts from its like, if it is there.
        annotated_share: of a batch, and of the validation loss, where slices are annotated.
        held_back_share: of the annotated slices of each source, the last ones, to judge by.
        threads: of the processor, for torch.
        device: to train on (:mod:`models.device`).
    """

    voltages_kv: Annotated[tuple[Annotated[float, Gt(0)], ...], Len(1)] = (1.0, 2.0, 4.0)
    adjacent_slices: Annotated[int, Ge(1), Le(9)] = 7
    filters: Annotated[int, Ge(1)] = 16
    volume_filters: Annotated[int, Ge(1)] = 12
    patch_px: Annotated[int, Ge(STRIDE_PX), MultipleOf(STRIDE_PX)] = 64
    scenes: Annotated[int, Ge(1), Le(len(TRAINING_SEEDS))] = 300
    validation_scenes: Annotated[int, Ge(1), Le(len(VALIDATION_SEEDS))] = 16
    ensemble_scenes: Annotated[int, Ge(2), Le(len(ENSEMBLE_SEEDS))] = 24
    size: SceneSize = field(default_factory=SceneSize)
    recipe: Recipe = field(default_factory=Recipe)
    ensemble_learning_rate: Annotated[float, Gt(0)] = 0.1
    joint_recipe: Recipe = field(default_factory=Recipe)
    fusion_recipe: Recipe = field(default_factory=Recipe)
    normalisation: Normalisation = field(default_factory=Normalisation)
    augmentation: Augmentation = field(default_factory=Augmentation)
    start_from: str = ""
    annotated_share: Annotated[float, Gt(0), Le(1)] = 0.5
    held_back_share: Annotated[float, Gt(0), Lt(1)] = 0.25
    threads: Annotated[int, Ge(1)] = 2
    device: Device = "auto"

    def __post_init__(self) -> None:
        if len(set(self.voltages_kv)) < len(self.voltages_kv):
            raise ValueError("voltages_kv repeat")
        if self.adjacent_slices % 2 == 0:
            raise ValueError("adjacent_slices is odd: as many neighbours above as below")
        if self.size.slices < self.adjacent_slices:
            raise ValueError("size.slices is at least adjacent_slices")
        if self.tile_px % STRIDE_PX:
            raise ValueError(f"size.block_px is a multiple of {STRIDE_PX}")
        if self.patch_px > self.size.block_px:
            raise ValueError("patch_px is at most size.block_px")

    @property
    def tile_px(self) -> int:
        """Side of what is validated on: a block without its bleeding edges."""
        return self.size.block_px - 2 * BLEED_PX


@dataclass(frozen=True, slots=True)
class Material:
    """Scenes by purpose, and what a person has annotated."""

    training: list[PreparedScene]
    validation: list[PreparedScene]
    ensemble: list[PreparedScene]
    annotated: Annotations = annotation.NONE


def render_material(
    settings: TrainingSettings, out_dir: Path, report: Report, annotated: Annotations
) -> Material:
    """All scenes, annotated slices beside them; scenes that lie in ``out_dir`` already are read.

    Raises:
        CheckpointMismatchError, CheckpointDamagedError: a training with other settings was begun there.
    """
    every = [one.prepared for one in (*annotated.learned, *annotated.held_back)]
    keep_settings(out_dir, asdict(settings), scenes_sha256(every) if every else "")

    def scenes_of(purpose: str, seeds: Sequence[int]) -> list[PreparedScene]:
        return prepare_scenes(
            out_dir / "scenes",
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
        annotated,
    )


def draw_patches(
    settings: TrainingSettings,
    material: Material,
    channels: Sequence[int],
    batch: int,
    rng: np.random.Generator,
) -> Batch:
    """Varied patches of random places: (batch, channel, slice, y, x) and labels (batch, y, x).

    Of a single channel, the channel axis is left out, as a branch expects it. The last patches are of
    annotated slices, if there are any.
    """
    own = round(batch * settings.annotated_share) if material.annotated.learned else 0
    how = (
        channels,
        settings.patch_px,
        settings.adjacent_slices,
        settings.normalisation,
        settings.augmentation,
        rng,
    )
    rendered = [random_patch(material.training, *how) for _ in range(batch - own)]
    return _batch([*rendered, *(annotated_patch(material.annotated.learned, *how) for _ in range(own))])


def blocks_of(settings: TrainingSettings, scenes: Sequence[PreparedScene], channels: Sequence[int]) -> Batch:
    """Every block of the scenes as it is, in the shapes of :func:`draw_patches`."""
    return _batch(block_patches(scenes, channels, settings.adjacent_slices, settings.normalisation))


def validation_of(
    settings: TrainingSettings, material: Material, channels: Sequence[int]
) -> list[tuple[float, Batch]]:
    """What a network is judged by while it is fitted, and with what weight."""
    return judged_by(settings, material.validation, material.annotated.held_back, channels)


def judged_by(
    settings: TrainingSettings,
    scenes: Sequence[PreparedScene],
    held_back: Sequence[AnnotatedSlice],
    channels: Sequence[int],
) -> list[tuple[float, Batch]]:
    """Parts and their weights: rendered scenes, and annotated slices that were held back."""
    rendered = blocks_of(settings, scenes, channels)
    if not held_back:
        return [(1.0, rendered)]
    tiles = annotated_tiles(
        held_back,
        channels,
        settings.tile_px,
        settings.adjacent_slices,
        settings.normalisation,
    )
    return [(1 - settings.annotated_share, rendered), (settings.annotated_share, _batch(tiles))]


def validation_loss(
    logits: Callable[[Tensor], Tensor], parts: Sequence[tuple[float, Batch]], recipe: Recipe
) -> float:
    """Weighted mean of the parts' losses, each of all its blocks together."""
    return sum(weight * _loss(logits, blocks, recipe) for weight, blocks in parts)


@torch.inference_mode()
def scores_of(logits: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Of all of a batch, part by part, on the CPU."""
    return torch.cat([logits(part).cpu() for part in inputs.split(EVALUATION_BATCH)])


def _loss(logits: Callable[[Tensor], Tensor], blocks: Batch, recipe: Recipe) -> float:
    scores = scores_of(logits, blocks[0])
    return segmentation_loss(scores, blocks[1], recipe.cross_entropy_weight).item()


def _batch(patches: Sequence[Patch]) -> Batch:
    labels = torch.from_numpy(np.stack([labels for _, labels in patches]))
    return _stacked([images for images, _ in patches]), labels


def _stacked(images: Sequence[np.ndarray]) -> Tensor:
    inputs = torch.from_numpy(np.stack(images))
    if inputs.shape[1] == 1:
        return inputs[:, 0].contiguous(memory_format=torch.channels_last)
    return inputs
