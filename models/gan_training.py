"""Trains the generators that make Monte Carlo images of fast ones, a voltage after the other.

The generator says what share of the electrons comes back, as the fast image does; the noise of those that
are counted is known physics and is put in by counting. What the network has to learn is the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Le, Len, MultipleOf
from torch import Tensor

from models.architectures import STRIDE_PX
from models.cycle_fitting import CycleRecipe, CycleTask, Pair, fit_cycle
from models.cycle_material import Images, epoch_loss, random_windows, turned
from models.fitting import Epoch, Progress
from models.gan_images import (
    FAST_SEEDS,
    MONTE_CARLO_SEEDS,
    VALIDATION_SEEDS,
    FaceDesign,
    fast_faces,
    images_sha256,
    monte_carlo_faces,
)
from models.gan_samples import draw_samples
from models.translation_networks import ImageCycle

CONTRAST = 4.0
"""Shares of 0 to ½ become the networks' −1 to 1."""


@dataclass(frozen=True, slots=True)
class GanSettings:
    """Of one training.

    Attributes:
        voltages_kv: a generator for each.
        face: the images, in both styles.
        fast_images, monte_carlo_images: to learn from, of each style; of different structures.
        validation_images: of other structures, in both styles.
        patch_px: side of a patch; patches begin every half of it.
        filters, discriminator_filters: of the networks' first blocks.
        recipe: of the fit.
        threads: of torch and of the simulation.
    """

    voltages_kv: Annotated[tuple[Annotated[float, Gt(0)], ...], Len(1)] = (1.0, 2.0, 4.0)
    face: FaceDesign = field(default_factory=FaceDesign)
    fast_images: Annotated[int, Ge(1), Le(len(FAST_SEEDS))] = 24
    monte_carlo_images: Annotated[int, Ge(1), Le(len(MONTE_CARLO_SEEDS))] = 10
    validation_images: Annotated[int, Ge(1), Le(len(VALIDATION_SEEDS))] = 1
    patch_px: Annotated[int, Ge(16), MultipleOf(STRIDE_PX)] = 128
    filters: Annotated[int, Ge(1)] = 8
    discriminator_filters: Annotated[int, Ge(1)] = 16
    recipe: CycleRecipe = field(default_factory=CycleRecipe)
    threads: Annotated[int, Ge(1)] = 1

    def __post_init__(self) -> None:
        if self.patch_px > self.face.side_px:
            raise ValueError("patch_px is at most face.side_px")


@dataclass(frozen=True, slots=True)
class TrainedGenerator:
    """The networks of a voltage, evaluated, and where they come from."""

    cycle: ImageCycle
    history: tuple[Epoch, ...]
    training_data_sha256: str


def stage_name(voltage_kv: float) -> str:
    """Of a voltage's training and of its file."""
    return f"gan_{voltage_kv:g}kv"


def train_generator(
    settings: GanSettings, voltage_kv: float, out_dir: Path, report: Callable[[str], None]
) -> TrainedGenerator:
    """Fit the networks of a voltage; images and checkpoint stay in ``out_dir``, a later start goes on.

    Raises:
        CheckpointMismatchError, CheckpointDamagedError: ``out_dir`` holds a training with another recipe, or
            what is left of one.
    """
    torch.set_num_threads(settings.threads)
    stage = stage_name(voltage_kv)
    fast = fast_faces(settings.face, voltage_kv, FAST_SEEDS[: settings.fast_images])
    counted = _counted(
        settings, voltage_kv, MONTE_CARLO_SEEDS[: settings.monte_carlo_images], out_dir, report
    )
    validation = _validation(settings, voltage_kv, out_dir, report)
    torch.manual_seed(settings.recipe.seed)
    cycle = ImageCycle(settings.filters, settings.discriminator_filters)
    cycle.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    develop = partial(count_electrons, settings.face.electrons)
    task = CycleTask(
        stage=stage,
        cycle=cycle,
        draw=partial(_draw, fast, counted, settings),
        develop=develop,
        validation_loss=partial(epoch_loss, cycle, validation, develop),
        show=partial(draw_samples, cycle, validation, develop, out_dir / "samples", stage),
    )
    history = fit_cycle(task, settings.recipe, out_dir, lambda progress: report(_line(progress)))
    return TrainedGenerator(cycle, history, images_sha256(fast, counted))


def to_network(shares: Images) -> Tensor:
    """Images (batch, y, x) as the networks see them, (batch, 1, y, x)."""
    return to_contrast(torch.from_numpy(np.ascontiguousarray(shares[:, None])))


def to_contrast(shares: Tensor) -> Tensor:
    """Shares of the electrons as the networks see them."""
    return CONTRAST * shares - 1


def from_contrast(values: Tensor) -> Tensor:
    """And back."""
    return (values + 1) / CONTRAST


def count_electrons(electrons: int, noise: torch.Generator, made: Tensor) -> Tensor:
    """The shares of so many electrons that are counted where ``made`` says what to expect.

    Counts are binomial, as in a Monte Carlo image, and a gradient passes as if nothing had been counted.
    """
    expected = from_contrast(made.detach()).clamp(0, 1)
    counts = torch.binomial(torch.full_like(expected, electrons), expected, generator=noise)
    return made + (to_contrast(counts / electrons) - made.detach())


def _counted(
    settings: GanSettings, voltage_kv: float, seeds: range, out_dir: Path, report: Callable[[str], None]
) -> Images:
    folder = out_dir / "images"
    return monte_carlo_faces(settings.face, voltage_kv, seeds, folder, settings.threads, report)


def _validation(
    settings: GanSettings, voltage_kv: float, out_dir: Path, report: Callable[[str], None]
) -> Pair:
    """Whole faces in both styles: of the same structures, so that their distributions can be compared."""
    seeds = VALIDATION_SEEDS[: settings.validation_images]
    fast = fast_faces(settings.face, voltage_kv, seeds)
    return to_network(fast), to_network(_counted(settings, voltage_kv, seeds, out_dir, report))


def _draw(fast: Images, counted: Images, settings: GanSettings, rng: np.random.Generator) -> Pair:
    batch, side = settings.recipe.batch, settings.patch_px
    plain, styled = (turned(random_windows(images, side, batch, rng), rng) for images in (fast, counted))
    return to_network(plain), to_network(styled)


def _line(progress: Progress) -> str:
    return str(progress)
