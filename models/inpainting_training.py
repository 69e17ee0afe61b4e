"""Trains the inpainting network on mimicking sets: structures cut at gamma-distributed distances.

Source: Sardhara et al., slice thickness, section 2.1.2 for the sets and 2.2.3 for the sections.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from algorithms.inpainting import sections, turned, window
from algorithms.structures import hierarchical_structure, solid_at
from models.fitting import Batch, Epoch, Recipe, Task, fit
from models.inpainting_network import InpaintingNetwork
from models.losses import segmentation_loss
from models.schedules import Cosine

SLICES_AROUND = 6
"""Three on either side of an interval, as when it is filled in a run."""

TRAINING_SEEDS = range(40_000, 45_000)
VALIDATION_SEEDS = range(45_000, 46_000)

Labels = NDArray[np.uint8]
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class InpaintingSettings:
    """Everything a training depends on.

    Attributes:
        filters, blocks: of the network.
        structures, validation_structures: cut out of different samples.
        side_px, planes: of each volume.
        grid_nm: voxel.
        mean_nm, spread: ranges from which mean slice thickness and its σ over the mean are drawn.
        ligament_scale: range of the fine ligaments' diameter over 15 nm.
        intervals, sections_each: of a batch; ``width_px`` and ``shown_planes`` are its sections' size.
        recipe: of the fit.
        threads: of the processor, for torch.
    """

    filters: int = 16
    blocks: int = 4
    structures: int = 40
    validation_structures: int = 6
    side_px: int = 160
    planes: int = 160
    grid_nm: float = 2.5
    mean_nm: tuple[float, float] = (9.0, 13.0)
    spread: tuple[float, float] = (0.2, 0.4)
    ligament_scale: tuple[float, float] = (0.85, 1.2)
    intervals: int = 6
    sections_each: int = 8
    width_px: int = 96
    shown_planes: int = 20
    recipe: Recipe = field(
        default_factory=lambda: Recipe(
            batch=48, steps=60, epochs=40, learning_rate=3e-3, schedule=Cosine(), cross_entropy_weight=1.0
        )
    )
    threads: int = 1


@dataclass(frozen=True, slots=True)
class TrainedInpainting:
    """A trained network, evaluated, how it went, and what it learned from."""

    network: InpaintingNetwork
    history: tuple[Epoch, ...]
    training_data_sha256: str


def train_inpainting(settings: InpaintingSettings, out_dir: Path, report: Report) -> TrainedInpainting:
    """Train; interrupted, it goes on from what lies in ``out_dir``.

    Raises:
        CheckpointMismatchError: ``out_dir`` holds a training with another recipe.
    """
    torch.set_num_threads(settings.threads)
    volumes = _volumes(settings, TRAINING_SEEDS[: settings.structures], report)
    unseen = _volumes(settings, VALIDATION_SEEDS[: settings.validation_structures], report)
    validation = [draw_sections(settings, unseen, np.random.default_rng(seed)) for seed in range(24)]
    torch.manual_seed(settings.recipe.seed)
    network = InpaintingNetwork(settings.filters, settings.blocks)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    task = Task(
        stage="inpainting",
        network=network,
        logits=network.logits,
        draw=lambda rng: draw_sections(settings, volumes, rng),
        validation_loss=lambda: _loss(network, validation, settings.recipe),
    )
    history = fit(task, settings.recipe, out_dir, lambda progress: report(str(progress)))
    content = sha256(b"".join(sha256(volume.tobytes()).digest() for volume in volumes)).hexdigest()
    return TrainedInpainting(network.eval(), history, content)


def _volumes(settings: InpaintingSettings, seeds: range, report: Report) -> list[Labels]:
    report(f"{len(seeds)} structures of {settings.planes} × {settings.side_px}² voxels")
    return [_volume(settings, np.random.default_rng(seed)) for seed in seeds]


def _volume(settings: InpaintingSettings, rng: np.random.Generator) -> Labels:
    structure = hierarchical_structure(rng, fine_ligament_nm=15.0 * rng.uniform(*settings.ligament_scale))
    planes, side = (
        np.arange(count, dtype=np.float64) * settings.grid_nm for count in (settings.planes, settings.side_px)
    )
    return solid_at(structure, planes, side, side)


def draw_sections(settings: InpaintingSettings, volumes: list[Labels], rng: np.random.Generator) -> Batch:
    """Sections ``(intervals · sections_each, CHANNELS, shown_planes, width_px)`` and their labels."""
    drawn = [_interval(settings, volumes[rng.integers(len(volumes))], rng) for _ in range(settings.intervals)]
    inputs = np.concatenate([one for one, _ in drawn])
    labels = np.concatenate([truth for _, truth in drawn])
    return torch.from_numpy(inputs).contiguous(memory_format=torch.channels_last), torch.from_numpy(
        labels.astype(np.int64)
    )


def _interval(
    settings: InpaintingSettings, volume: Labels, rng: np.random.Generator
) -> tuple[NDArray[np.float32], Labels]:
    """Sections through one interval between two slices, seen from a random side and direction."""
    turn = volume[:: rng.choice((-1, 1)), :: rng.choice((-1, 1)), :: rng.choice((-1, 1))]
    first, cuts = _cuts(settings, rng)
    solid = turn[first : first + cuts[-1] + 1]
    middle = SLICES_AROUND // 2
    planes = np.arange(cuts[middle - 1] + 1, cuts[middle])
    view = window(cuts, solid[cuts], planes)
    shown = int(planes[0]) - view.wanted.start + np.arange(view.known.size)
    truth = solid[shown]
    if rng.random() < 0.5:
        view, truth = turned(view), truth.transpose(0, 2, 1)
    row = int(rng.integers(settings.side_px - settings.sections_each + 1))
    column = int(rng.integers(settings.side_px - settings.width_px + 1))
    inputs = sections(view, slice(row, row + settings.sections_each))
    labels = truth[:, row : row + settings.sections_each].transpose(1, 0, 2)
    columns = slice(column, column + settings.width_px)
    return _fitted(inputs[..., columns], settings.shown_planes), _fitted(
        labels[..., columns], settings.shown_planes
    )


def _cuts(settings: InpaintingSettings, rng: np.random.Generator) -> tuple[int, NDArray[np.int64]]:
    """Where slices lie: a first plane of the volume and six positions from it, an interval in the middle."""
    while True:
        mean_nm = rng.uniform(*settings.mean_nm)
        spread = rng.uniform(*settings.spread)
        thickness = rng.gamma(spread**-2, mean_nm * spread**2, SLICES_AROUND - 1)
        steps = np.maximum(np.rint(thickness / settings.grid_nm), 1).astype(np.int64)
        cuts = np.concatenate(([0], np.cumsum(steps)))
        if steps[SLICES_AROUND // 2 - 1] > 1 and cuts[-1] < settings.planes:
            return int(rng.integers(settings.planes - cuts[-1])), cuts


def _fitted(array: NDArray[Any], planes: int) -> NDArray[Any]:
    """Cut or extended along z (the last axis but one) to a common number of planes."""
    extra = max(0, planes - array.shape[-2])
    padding = [(0, 0)] * (array.ndim - 2) + [(0, extra), (0, 0)]
    start = max(0, array.shape[-2] - planes) // 2
    return np.ascontiguousarray(np.pad(array, padding, mode="edge")[..., start : start + planes, :])


@torch.inference_mode()
def _loss(network: InpaintingNetwork, batches: list[Batch], recipe: Recipe) -> float:
    losses = [
        segmentation_loss(network.logits(inputs), labels, recipe.cross_entropy_weight)
        for inputs, labels in batches
    ]
    return float(torch.stack(losses).mean())
