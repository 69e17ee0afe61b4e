"""Trains the networks: scenes, then a branch per voltage, then what fuses them; or a whole fusion at once.

Late fusion is trained in three steps: the branches each on their own voltage, the ensemble layer on what they
believe about scenes they have not learned from (Sardhara et al. 2024, §2.2.3), and, beyond the papers, all of
it together. Scenes, checkpoints and results lie in one folder; started again, an interrupted training goes on
and ends the same.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from models.annotation import NONE, Annotations
from models.architectures import ResidualUNet
from models.calibration import Calibration, Segmenting, best_calibration, calibrate
from models.datasets import scenes_sha256
from models.device import following, training_device
from models.fitting import Batch, Epoch, Progress, Task, fit
from models.fusion import EarlyFusion, IntermediateFusion, LateFusion
from models.material import (
    EVALUATION_BATCH,
    Material,
    Report,
    TrainingSettings,
    blocks_of,
    draw_patches,
    judged_by,
    render_material,
    scores_of,
    validation_loss,
    validation_of,
)
from models.starting import (
    check_branches,
    check_whole,
    single_name,
    start_branch,
    start_branches,
    start_whole,
)

ENSEMBLE_CROSS_ENTROPY = 0.03
"""Beside Dice. Without any, the threshold drifts; with as much as the branches', the layer buys calibration
with sharpness."""
ENSEMBLE_VALIDATION = 4
"""One in so many of the ensemble's scenes is kept back to judge it."""
Histories = dict[str, tuple[Epoch, ...]]


@dataclass(frozen=True, slots=True)
class Trained:
    """Networks and how they came about.

    Attributes:
        networks: evaluated, on the CPU, by name, with the voltages that each needs.
        histories: the epochs of each stage.
        calibrations: of each network, by its name.
        training_data_sha256: of the scenes, the ensemble's among them, and the annotated slices that were
            learned from or calibrated on.
        started_from: checksums of the exported networks that were started from, by name.
    """

    networks: dict[str, tuple[Segmenting, tuple[float, ...]]]
    histories: Histories
    calibrations: dict[str, Calibration]
    training_data_sha256: str
    started_from: dict[str, str]


def channel_name(voltage_kv: float) -> str:
    return f"{voltage_kv:g}kV"


def train_late_fusion(
    settings: TrainingSettings, out_dir: Path, report: Report, annotated: Annotations = NONE
) -> Trained:
    """Train the single-voltage networks and their fusion; of one voltage there is nothing to fuse.

    Args:
        settings: the same settings on the same machine give the same networks.
        out_dir: for scenes and checkpoints; an interrupted training goes on from what lies here.
        report: given a line now and then.
        annotated: slices to learn from and to be judged by, beside the rendered scenes; the ensemble layer,
            which needs scenes that no branch has seen, keeps to rendered ones.

    Raises:
        CheckpointMismatchError, CheckpointDamagedError: ``out_dir`` holds a training with other settings, or
            what is left of one.
        ModelFileMissingError, ModelFileCorruptError, ModelMismatchError: of the networks to start from; told
            before anything is written or rendered.
        ProviderUnavailableError: there is no such device as ``settings.device``.
    """
    torch.set_num_threads(settings.threads)
    check_branches(settings)
    material = render_material(settings, out_dir, report, annotated)
    histories: Histories = {}
    started: dict[str, str] = {}
    branches: list[ResidualUNet] = []
    for channel, voltage in enumerate(settings.voltages_kv):
        branch, sha256 = _branch(settings, channel, material)
        started |= {single_name(voltage): sha256} if sha256 else {}
        histories[channel_name(voltage)] = _train_branch(settings, channel, branch, material, out_dir, report)
        branches.append(branch)
    networks: dict[str, tuple[Segmenting, tuple[float, ...]]] = {}
    if len(branches) > 1:
        fused = _fuse(settings, branches, material, out_dir, report, histories)
        networks["late_fusion"] = (fused, settings.voltages_kv)
    for branch, voltage in zip(branches, settings.voltages_kv, strict=True):
        networks[single_name(voltage)] = (branch, (voltage,))
    return _finished(settings, material, networks, histories, started)


def train_early_fusion(
    settings: TrainingSettings, out_dir: Path, report: Report, annotated: Annotations = NONE
) -> Trained:
    """Train the 3-D network whose channels are the voltages; arguments as of :func:`train_late_fusion`."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.fusion_recipe.seed)
    network = EarlyFusion(len(settings.voltages_kv), settings.adjacent_slices, settings.volume_filters)
    goes_on = check_whole(settings, "early_fusion", network, annotated)
    material = render_material(settings, out_dir, report, annotated)
    started = start_whole(settings, "early_fusion", network, material) if goes_on else {}
    network.to(training_device(settings.device))
    history = _train_whole(settings, "early_fusion", network, material, out_dir, report)
    return _finished(
        settings, material, {"early_fusion": (network, settings.voltages_kv)}, {"early": history}, started
    )


def train_intermediate_fusion(
    settings: TrainingSettings, out_dir: Path, report: Report, annotated: Annotations = NONE
) -> Trained:
    """Train the network that joins features of the voltages; arguments as of :func:`train_late_fusion`."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.fusion_recipe.seed)
    network = IntermediateFusion(
        len(settings.voltages_kv), settings.adjacent_slices, filters=settings.filters
    )
    goes_on = check_whole(settings, "intermediate_fusion", network, annotated)
    if not goes_on:
        check_branches(settings)
    material = render_material(settings, out_dir, report, annotated)
    start = partial(start_whole, name="intermediate_fusion") if goes_on else start_branches
    started = start(settings, network=network, material=material)
    network.to(training_device(settings.device))
    history = _train_whole(settings, "intermediate_fusion", network, material, out_dir, report)
    networks: dict[str, tuple[Segmenting, tuple[float, ...]]] = {
        "intermediate_fusion": (network, settings.voltages_kv)
    }
    return _finished(settings, material, networks, {"intermediate": history}, started)


def _finished(
    settings: TrainingSettings,
    material: Material,
    networks: dict[str, tuple[Segmenting, tuple[float, ...]]],
    histories: Histories,
    started: dict[str, str],
) -> Trained:
    """Calibrated on the scenes of the ensemble, which no branch has learned from, and on the slices held back
    that are annotated as a whole, if there are any. Where only strokes are, no offset is found: it would be
    that of rendered scenes, and move labels of another sample."""
    annotated = material.annotated
    offsets = bool(annotated.calibrated_on or not annotated.held_back)
    calibrations: dict[str, Calibration] = {}
    for name, (network, voltages_kv) in networks.items():
        network.cpu()
        channels = [settings.voltages_kv.index(voltage) for voltage in voltages_kv]
        parts = judged_by(settings, material.ensemble, annotated.calibrated_on, channels)
        judged = [(weight, scores_of(network.logits, inputs), labels) for weight, (inputs, labels) in parts]
        calibrations[name] = best_calibration(judged, offsets=offsets)
        calibrate(network, calibrations[name])
    own = [chosen.prepared for chosen in (*annotated.learned, *annotated.calibrated_on)]
    learned = [*material.training, *material.ensemble, *own]
    return Trained(networks, histories, calibrations, scenes_sha256(learned), started)


def _branch(settings: TrainingSettings, channel: int, material: Material) -> tuple[ResidualUNet, str]:
    """An untrained branch, or a started one and the checksum of what it started from; on the device."""
    torch.manual_seed(settings.recipe.seed + channel)
    network = ResidualUNet(settings.adjacent_slices, filters=settings.filters)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    sha256 = start_branch(settings, channel, network, material) if settings.start_from else ""
    return network.to(training_device(settings.device)), sha256


def _train_branch(
    settings: TrainingSettings,
    channel: int,
    network: ResidualUNet,
    material: Material,
    folder: Path,
    report: Report,
) -> tuple[Epoch, ...]:
    validation = validation_of(settings, material, [channel])
    logits = following(network, network.logits)
    task = Task(
        stage=f"branch_{channel_name(settings.voltages_kv[channel])}",
        network=network,
        logits=network.logits,
        draw=partial(draw_patches, settings, material, [channel], settings.recipe.batch),
        validation_loss=partial(validation_loss, logits, validation, settings.recipe),
    )
    history = fit(task, settings.recipe, folder, _line(report))
    network.eval()
    return history


def _fuse(
    settings: TrainingSettings,
    branches: list[ResidualUNet],
    material: Material,
    folder: Path,
    report: Report,
    histories: Histories,
) -> LateFusion:
    """The late fusion of copies of the branches; its histories are added to the others."""
    network = LateFusion([deepcopy(branch) for branch in branches]).eval()
    network.to(training_device(settings.device))
    histories["ensemble"] = _train_ensemble(settings, network, material, folder, report)
    together = replace(settings, fusion_recipe=settings.joint_recipe)
    histories["together"] = _train_whole(together, "together", network, material, folder, report)
    return network


def _train_ensemble(
    settings: TrainingSettings, network: LateFusion, material: Material, folder: Path, report: Report
) -> tuple[Epoch, ...]:
    channels = range(len(settings.voltages_kv))
    kept_back = material.ensemble[::ENSEMBLE_VALIDATION]
    learned_from = [scene for number, scene in enumerate(material.ensemble) if number % ENSEMBLE_VALIDATION]
    unseen = _believed(network, blocks_of(settings, learned_from, channels))
    validation = _believed(network, blocks_of(settings, kept_back, channels))
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
        validation_loss=partial(
            validation_loss, following(network.ensemble, network.ensemble), [(1.0, validation)], recipe
        ),
    )
    return fit(task, recipe, folder, _line(report))


def _train_whole(
    settings: TrainingSettings,
    stage: str,
    network: EarlyFusion | IntermediateFusion | LateFusion,
    material: Material,
    folder: Path,
    report: Report,
) -> tuple[Epoch, ...]:
    """All of a fusion at once, by its ``fusion_recipe``."""
    channels, recipe = range(len(settings.voltages_kv)), settings.fusion_recipe
    validation = validation_of(settings, material, channels)
    logits = following(network, network.logits)
    task = Task(
        stage=stage,
        network=network,
        logits=network.logits,
        draw=partial(draw_patches, settings, material, channels, recipe.batch),
        validation_loss=partial(validation_loss, logits, validation, recipe),
    )
    history = fit(task, recipe, folder, _line(report))
    network.eval()
    return history


def _draw_beliefs(blocks: Batch, batch: int, rng: np.random.Generator) -> Batch:
    chosen = torch.from_numpy(rng.integers(len(blocks[0]), size=batch))
    return blocks[0][chosen], blocks[1][chosen]


@torch.inference_mode()
def _believed(network: LateFusion, blocks: Batch) -> Batch:
    """The branches' evidence in place of the images."""
    inputs, labels = blocks
    evidence = following(network, network.branch_evidence)
    beliefs = [evidence(part).cpu() for part in inputs.split(EVALUATION_BATCH)]
    return torch.cat(beliefs).clone(), labels


def _line(report: Report) -> Callable[[Progress], None]:
    return lambda progress: report(str(progress))
