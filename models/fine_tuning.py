"""Fine-tunes a copy of an exported network on scenes that it was not trained on; the file stays as it is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from models.architectures import ResidualUNet
from models.calibration import Calibration, best_calibration, calibrate
from models.device import following, training_device
from models.domain import network_spec
from models.errors import ModelMismatchError
from models.fitting import Epoch, Task, fit
from models.fusion import LateFusion
from models.material import (
    Material,
    TrainingSettings,
    blocks_of,
    draw_patches,
    scores_of,
    validation_loss,
    validation_of,
)
from models.spec import ModelSpec
from models.starting import STATISTICS_BATCH
from models.warm_start import exported_weights, start_from

FIRST = "encoders.0.first.0.weight"
"""Of a network of one voltage; its length is the number of filters."""
STAGE = "fine-tuning"
Network = ResidualUNet | LateFusion


@dataclass(frozen=True, slots=True)
class Tuned:
    """A network, evaluated, on the processor, and how it came about.

    Attributes:
        network: fine-tuned.
        history: of the fit.
        calibration: of its scores.
    """

    network: Network
    history: tuple[Epoch, ...]
    calibration: Calibration


def tunable(path: Path) -> tuple[Network, ModelSpec]:
    """A network of the architecture in a file, untrained, and what the file says about itself.

    Raises:
        ModelFileMissingError, ModelFileCorruptError: the file is no good.
        ModelMismatchError: it is neither a late fusion nor a network of one voltage, in single precision.
    """
    spec = network_spec(path)
    weights, _ = exported_weights(path)
    first = weights.get(FIRST, weights.get(f"branches.0.{FIRST}"))
    is_late = "ensemble.weight" in weights
    if spec.features or spec.precision != "fp32" or first is None or is_late is (len(spec.channels) == 1):
        raise ModelMismatchError(
            f"{spec.name} ({spec.precision}) cannot be fine-tuned",
            str(path),
            "Give a late fusion or a network of one voltage in single precision, e.g. "
            "models/zoo/late_fusion.onnx or models/zoo/unet_2kv.onnx.",
        )
    branches = [ResidualUNet(spec.adjacent_slices, spec.classes, len(first)) for _ in spec.channels]
    return (LateFusion(branches, spec.classes) if is_late else branches[0]), spec


def fine_tune(
    path: Path, settings: TrainingSettings, material: Material, out_dir: Path, report: Callable[[str], None]
) -> Tuned:
    """Start where the file is, fit to the scenes by ``settings.recipe``, calibrate on those of validation.

    Args:
        path: of the network.
        settings: of its voltages and slices.
        material: scenes to learn from, and those that choose the epoch.
        out_dir: for the checkpoint; an interrupted fit goes on from there.
        report: given a line each epoch.

    Raises:
        ModelMismatchError: of :func:`tunable`.
        CheckpointMismatchError, CheckpointDamagedError: ``out_dir`` holds a fit by another recipe, or what is
            left of one.
    """
    torch.set_num_threads(settings.threads)
    network, _ = tunable(path)
    channels = range(len(settings.voltages_kv))
    sample, _ = draw_patches(
        settings, material, channels, STATISTICS_BATCH, np.random.default_rng(settings.recipe.seed)
    )
    weights, _ = exported_weights(path)
    start_from(network, weights, sample if len(channels) > 1 else sample[:, None], str(path))
    network.to(training_device(settings.device))
    validation = validation_of(settings, material, channels)
    task = Task(
        stage=STAGE,
        network=network,
        logits=network.logits,
        draw=partial(draw_patches, settings, material, channels, settings.recipe.batch),
        validation_loss=partial(
            validation_loss, following(network, network.logits), validation, settings.recipe
        ),
    )
    history = fit(task, settings.recipe, out_dir, lambda progress: report(str(progress)))
    network.cpu().eval()
    return Tuned(network, history, _calibrate(network, settings, material))


def _calibrate(network: Network, settings: TrainingSettings, material: Material) -> Calibration:
    inputs, labels = blocks_of(settings, material.validation, range(len(settings.voltages_kv)))
    calibration = best_calibration([(1.0, scores_of(network.logits, inputs), labels)])
    calibrate(network, calibration)
    return calibration
