"""Segmenters of single images, trained alike on Monte Carlo images, a generator's, and fast ones, of the same
structures; all are judged on Monte Carlo images of structures that nothing was trained on.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from algorithms.scores import Confusion, confusion, mean_dice, misplaced_percent
from daemon.stages.segmenting import ZOO
from models.architectures import ResidualUNet
from models.cache import cache_folder
from models.datasets import PreparedScene, prepared_scene
from models.fitting import Recipe, Task, fit
from models.gan_images import CARD_SEEDS, FaceDesign, below_face, fast_faces, images_sha256, monte_carlo_faces
from models.image_generator import generator_path, open_generator
from models.material import (
    Material,
    TrainingSettings,
    blocks_of,
    draw_patches,
    validation_loss,
    validation_of,
)
from models.scenes import Scene, SceneSize
from models.schedules import Cosine

LEARNED_SEEDS: Final = CARD_SEEDS[100:200]
JUDGED_SEEDS: Final = CARD_SEEDS[200:300]
VALIDATION: Final = 2
"""Of the images that are learned from, the last ones: they choose the epoch."""
FILTERS: Final = 8
METHOD: Final = 1
"""Of the way a segmenter is made: counted up when it changes, so that what was kept is made anew."""
Images = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TrialEffort:
    """Sizes of one comparison: faces to learn from and to judge by, and the fit."""

    side_px: int = 192
    learned: int = 8
    judged: int = 4
    steps: int = 40
    epochs: int = 8


@dataclass(frozen=True, slots=True)
class Judged:
    """Of a segmenter."""

    mp_percent: float
    mean_dice: float


@dataclass(frozen=True, slots=True)
class Trial:
    """Of a voltage.

    Attributes:
        monte_carlo, generated, fast: by what the segmenter has learned from; on Monte Carlo images.
        kept: of the one that has learned from Monte Carlo images, on what the generator makes of the judged
            structures.
    """

    monte_carlo: Judged
    generated: Judged
    fast: Judged
    kept: Judged


def trial(effort: TrialEffort, voltage_kv: float) -> Trial:
    """Make the images, train the three segmenters and judge them."""
    design = FaceDesign(side_px=effort.side_px)
    learned, judged = LEARNED_SEEDS[: effort.learned], JUDGED_SEEDS[: effort.judged]
    labels, truth = (_labels(design, voltage_kv, seeds) for seeds in (learned, judged))
    simulated, unseen = (_monte_carlo(design, voltage_kv, seeds) for seeds in (learned, judged))
    generated, made = (_generated(design, voltage_kv, seeds) for seeds in (learned, judged))
    fast = counted(fast_faces(design, voltage_kv, learned), design.electrons)
    by_truth, by_generator, by_fast = (
        _trained(images, labels, effort, voltage_kv) for images in (simulated, generated, fast)
    )
    return Trial(
        _judge(by_truth, unseen, truth),
        _judge(by_generator, unseen, truth),
        _judge(by_fast, unseen, truth),
        _judge(by_truth, made, truth),
    )


def told(line: str) -> None:
    """Progress, beside the figures."""
    print(line, file=sys.stderr)


def _labels(design: FaceDesign, voltage_kv: float, seeds: Sequence[int]) -> NDArray[np.uint8]:
    return np.stack([below_face(design, voltage_kv, seed)[0] for seed in seeds])


def _monte_carlo(design: FaceDesign, voltage_kv: float, seeds: Sequence[int]) -> Images:
    return monte_carlo_faces(design, voltage_kv, seeds, cache_folder() / "faces", 2, told)


def _generated(design: FaceDesign, voltage_kv: float, seeds: Sequence[int]) -> Images:
    generator = open_generator(generator_path(ZOO, voltage_kv))
    expected = np.stack([generator(face) for face in fast_faces(design, voltage_kv, seeds)])
    return counted(expected, design.electrons)


def counted(expected: Images, electrons: int) -> Images:
    """Shares of the electrons that are counted where such shares are expected."""
    counts = np.random.default_rng(0).binomial(electrons, np.clip(expected, 0, 1))
    return (counts / electrons).astype(np.float32)


def _trained(
    images: Images, labels: NDArray[np.uint8], effort: TrialEffort, voltage_kv: float
) -> ResidualUNet:
    """Now, or by an earlier run on the same images."""
    settings = training_settings(effort, voltage_kv)
    scenes = [_scene(image, truth, settings) for image, truth in zip(images, labels, strict=True)]
    material = Material(scenes[:-VALIDATION], scenes[-VALIDATION:], [])
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.recipe.seed)
    network = ResidualUNet(1, filters=FILTERS)
    task = Task(
        stage="segmenter",
        network=network,
        logits=network.logits,
        draw=partial(draw_patches, settings, material, [0], settings.recipe.batch),
        validation_loss=partial(
            validation_loss, network.logits, validation_of(settings, material, [0]), settings.recipe
        ),
    )
    fit(task, settings.recipe, kept_in(images, settings), lambda progress: told(str(progress)))
    return network.eval()


def training_settings(effort: TrialEffort, voltage_kv: float) -> TrainingSettings:
    """Of every segmenter of a voltage."""
    recipe = Recipe(
        batch=8,
        steps=effort.steps,
        epochs=effort.epochs,
        learning_rate=2e-3,
        schedule=Cosine(),
        cross_entropy_weight=1.0,
    )
    size = SceneSize(blocks=1, block_px=effort.side_px, slices=1)
    return TrainingSettings(voltages_kv=(voltage_kv,), adjacent_slices=1, size=size, recipe=recipe, threads=1)


def _scene(image: Images, truth: NDArray[np.uint8], settings: TrainingSettings) -> PreparedScene:
    """Counts as grey values."""
    grey = np.rint(image * FaceDesign().electrons).astype(np.uint8)
    scene = Scene(grey[None, None], truth[None], settings.size.block_px, square_pixels=True)
    return prepared_scene(scene, settings.normalisation)


def kept_in(images: Images, settings: TrainingSettings) -> Path:
    """Where a training stays, by everything that it is made from."""
    made_from = json.dumps([METHOD, FILTERS, images_sha256(images), asdict(settings)])
    return cache_folder() / f"gan_segmenter_{hashlib.sha256(made_from.encode()).hexdigest()[:16]}"


@torch.inference_mode()
def _judge(network: ResidualUNet, images: Images, truth: NDArray[np.uint8]) -> Judged:
    effort = TrialEffort(side_px=images.shape[-1])
    settings = training_settings(effort, 1.0)
    total: Confusion = np.zeros((2, 2), np.int64)
    for image, labels in zip(images, truth, strict=True):
        inputs, wanted = blocks_of(settings, [_scene(image, labels, settings)], [0])
        found = network.logits(inputs).argmax(dim=1).numpy().astype(np.uint8)
        total = total + confusion(wanted.numpy().astype(np.uint8), found)
    return Judged(misplaced_percent(total), mean_dice(total))
