"""Adapts a network to an acquisition: CycleGANs learn its style, a copy learns synthetic scenes in it.

Unpaired and unattended: nobody labels anything. What came of it is measured where a truth is known, on
synthetic scenes; on the acquisition itself only what changed can be told. So the copy is offered, not used.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Le

from algorithms.image_domain import FIGURES
from models.acquired import Acquired, on_network_scale
from models.adapted_scenes import (
    ADAPTED_DOMAIN_SEEDS,
    ADAPTED_SEEDS,
    ADAPTED_VALIDATION_SEEDS,
    Restyle,
    channel_images,
    prepared_scenes,
    restyled_scene,
    synthetic_scene,
    synthetic_scenes,
)
from models.datasets import scenes_sha256
from models.domain import figures_of, write_domain
from models.domain_learning import learned_channel
from models.export import Provenance, export_network
from models.fine_tuning import STAGE, Tuned, fine_tune, tunable
from models.fitting import Epoch, Recipe
from models.kept_settings import keep_settings
from models.material import Material, Report, TrainingSettings
from models.normalisation import Normalisation
from models.scenes import Scene, SceneSize
from models.schedules import Cosine
from models.spec import ModelSpec
from models.style_training import StyleSettings, TrainedStyle, style_name, train_style

DOMAIN_PX = 208
"""Side of the faces by which the adapted network's domain is learned."""
STYLE_THREADS = 1
"""Of torch while styles are learned: batches are so small that a second thread waits more than it works."""
SUFFIX = "_adapted"
"""Of the name of a network's copy."""


@dataclass(frozen=True, slots=True)
class AdaptationSettings:
    """Of one adaptation.

    Attributes:
        scenes, validation_scenes: synthetic ones, to learn from and to choose epochs by.
        size: of a scene.
        style: of the CycleGAN of each voltage.
        patch_px: side of the patches that the copy learns from.
        recipe: of the copy's fit.
        synthetic_share: of the scenes that it learns from, left as they are: it is not to forget them.
        known_images: by which the copy's domain is learned, of each voltage.
        threads: of the copy's fit.
    """

    scenes: Annotated[int, Ge(2), Le(len(ADAPTED_SEEDS))] = 16
    validation_scenes: Annotated[int, Ge(1), Le(len(ADAPTED_VALIDATION_SEEDS))] = 3
    size: SceneSize = field(default_factory=lambda: SceneSize(blocks=2, block_px=144, slices=11))
    style: StyleSettings = field(default_factory=StyleSettings)
    patch_px: Annotated[int, Ge(8)] = 64
    recipe: Recipe = field(
        default_factory=lambda: Recipe(
            batch=16, steps=20, epochs=8, learning_rate=3e-4, schedule=Cosine(), cross_entropy_weight=1.0
        )
    )
    synthetic_share: Annotated[float, Gt(0), Le(0.5)] = 0.25
    known_images: Annotated[int, Ge(6 * FIGURES), Le(len(ADAPTED_DOMAIN_SEEDS))] = 120
    threads: Annotated[int, Ge(1)] = 1

    @property
    def kept_scenes(self) -> int:
        """How many of the scenes are learned from as they were, beside all of them in style."""
        share = self.synthetic_share
        return max(1, round(share / (1 - share) * self.scenes))


@dataclass(frozen=True, slots=True, eq=False)
class Adapted:
    """What an adaptation leaves behind.

    Attributes:
        spec: of the adapted network's file.
        path: of that file.
        styles: of each channel.
        tuned: the network.
        synthetic, restyled: the scenes that chose the epoch, as they were and in the acquired style.
    """

    spec: ModelSpec
    path: Path
    styles: tuple[TrainedStyle, ...]
    tuned: Tuned
    synthetic: list[Scene]
    restyled: list[Scene]

    @property
    def histories(self) -> dict[str, tuple[Epoch, ...]]:
        """Epochs of every stage."""
        pairs = zip(self.spec.voltages_kv, self.styles, strict=True)
        return {style_name(kv): style.history for kv, style in pairs} | {STAGE: self.tuned.history}


def adapt_network(
    network: Path, acquired: Acquired, settings: AdaptationSettings, out_dir: Path, report: Report
) -> Adapted:
    """Adapt a copy of a network; it and the domain it knows go to ``out_dir``. A later start goes on.

    Args:
        network: an exported late fusion, or a network of one voltage.
        acquired: faces with the network's channels.
        settings: the same settings and faces on the same machine give the same network.
        out_dir: for checkpoints, samples and the adapted network.
        report: given a line now and then.

    Raises:
        ModelMismatchError: the network cannot be fine-tuned.
        CheckpointMismatchError, CheckpointDamagedError: ``out_dir`` holds an adaptation of something else, or
            what is left of one.
        ExportError: the file does not compute what torch does.
    """
    _, spec = tunable(network)
    keep_settings(out_dir, asdict(settings) | {"network": spec.sha256}, acquired.sha256)
    torch.set_num_threads(STYLE_THREADS)
    told = _counting(report, stages=len(spec.channels) + 3)
    plain = plain_scenes(acquired, settings, next(told))
    styles = tuple(
        _style(channel, plain.learned, acquired, spec.normalisation, settings, out_dir, next(told))
        for channel in range(len(spec.channels))
    )
    learned, chosen_by = (
        [restyled_scene(scene, styles, spec.normalisation) for scene in scenes]
        for scenes in (plain.learned, plain.chosen_by)
    )
    kept = plain.learned[: settings.kept_scenes]
    material = Material(
        prepared_scenes([*learned, *kept], spec.normalisation),
        prepared_scenes(chosen_by, spec.normalisation),
        [],
    )
    tuned = fine_tune(network, copy_training(spec, network, settings), material, out_dir, next(told))
    path = out_dir / f"{spec.name}{SUFFIX}.onnx"
    copy = export_network(tuned.network, copy_provenance(spec, material), path)
    _learn_domain(path, copy, acquired, styles, settings.known_images, next(told))
    return Adapted(copy, path, styles, tuned, plain.chosen_by, chosen_by)


@dataclass(frozen=True, slots=True)
class PlainScenes:
    """Synthetic scenes to learn from, and those that choose the epoch."""

    learned: list[Scene]
    chosen_by: list[Scene]


def plain_scenes(like: Acquired, settings: AdaptationSettings, report: Report) -> PlainScenes:
    """Those of an adaptation, before they are given the acquired style."""
    return PlainScenes(
        *(synthetic_scenes(seeds, like, settings.size, report) for seeds in scene_seeds(settings))
    )


def scene_seeds(settings: AdaptationSettings) -> tuple[range, range]:
    """Of the scenes that are learned from, and of those that choose the epoch."""
    return ADAPTED_SEEDS[: settings.scenes], ADAPTED_VALIDATION_SEEDS[: settings.validation_scenes]


def _counting(report: Report, stages: int) -> Iterator[Report]:
    """Reports of one stage after the other, each told which one it is."""

    def of(number: int) -> Report:
        return lambda line: report(f"[{number}/{stages}] {line}")

    return (of(number) for number in range(1, stages + 1))


def _style(
    channel: int,
    plain: Sequence[Scene],
    acquired: Acquired,
    normalisation: Normalisation,
    settings: AdaptationSettings,
    out_dir: Path,
    report: Report,
) -> TrainedStyle:
    synthetic = channel_images(plain, channel, normalisation)
    faces = on_network_scale(acquired.images[:, channel], normalisation)
    return train_style(settings.style, acquired.voltages_kv[channel], synthetic, faces, out_dir, report)


def copy_training(spec: ModelSpec, network: Path, settings: AdaptationSettings) -> TrainingSettings:
    """How the copy of a network is fine-tuned."""
    return TrainingSettings(
        voltages_kv=spec.voltages_kv,
        adjacent_slices=spec.adjacent_slices,
        patch_px=settings.patch_px,
        scenes=settings.scenes,
        validation_scenes=settings.validation_scenes,
        size=settings.size,
        recipe=settings.recipe,
        normalisation=spec.normalisation,
        start_from=str(network),
        threads=settings.threads,
        device="cpu",
    )


def copy_provenance(spec: ModelSpec, material: Material) -> Provenance:
    """What the file of the copy says about itself."""
    return Provenance(
        name=f"{spec.name}{SUFFIX}",
        channels=spec.channels,
        voltages_kv=spec.voltages_kv,
        adjacent_slices=spec.adjacent_slices,
        classes=spec.classes,
        normalisation=spec.normalisation,
        training_data_sha256=scenes_sha256(material.training),
    )


def _learn_domain(
    path: Path, spec: ModelSpec, like: Acquired, styles: Sequence[Restyle], images: int, report: Report
) -> None:
    """Write what images the adapted network knows: other synthetic faces in the acquired style."""
    size = SceneSize(blocks=1, block_px=DOMAIN_PX, slices=1)
    figures: list[list[np.ndarray]] = [[] for _ in styles]
    for done, seed in enumerate(ADAPTED_DOMAIN_SEEDS[:images], 1):
        scene = restyled_scene(synthetic_scene(seed, like, size), styles, spec.normalisation)
        for channel, found in enumerate(figures):
            found.append(figures_of(scene.images[0, channel], spec.normalisation))
        if done % 40 == 0:
            report(f"faces by which it is told what the network knows: {done}/{images}")
    pairs = zip(spec.voltages_kv, figures, strict=True)
    write_domain(path, spec, [learned_channel(kv, np.array(found)) for kv, found in pairs], images)
