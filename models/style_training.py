"""Trains the generators that give synthetic faces the style of an acquisition, a voltage after the other.

Unpaired: nobody knows what lies in the acquired faces. Images are on the segmenting network's scale, so
brightness and contrast are out of them already; what is learned is the rest. Patches are never turned or
flipped: curtains hang down, and charge trails along the scan.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, MultipleOf
from torch import Tensor
from torch.nn import functional

from models.adapted_scenes import missing_noise, with_noise
from models.architectures import STRIDE_PX
from models.cycle_fitting import CycleRecipe, CycleTask, Pair, fit_cycle
from models.cycle_material import Images, epoch_loss, random_windows
from models.fitting import Epoch
from models.gan_samples import draw_row
from models.translation_networks import ImageCycle, ImageGenerator

LARGEST_PX = 256
"""Of the middle of a face, to choose the epoch by and to show."""


@dataclass(frozen=True, slots=True)
class StyleSettings:
    """Of the CycleGAN of each voltage.

    Attributes:
        patch_px: side of a patch; patches begin every half of it.
        filters, discriminator_filters: of the networks' first blocks.
        validation_images: of either style, that choose the epoch and are not learned from.
        recipe: of the fit.
    """

    patch_px: Annotated[int, Ge(16), MultipleOf(STRIDE_PX)] = 128
    filters: Annotated[int, Ge(1)] = 8
    discriminator_filters: Annotated[int, Ge(1)] = 16
    validation_images: Annotated[int, Ge(1)] = 4
    recipe: CycleRecipe = field(default_factory=lambda: CycleRecipe(steps=40, epochs=10))


@dataclass(frozen=True, slots=True)
class TrainedStyle:
    """From synthetic to acquired, and how it came about.

    Attributes:
        generator: evaluated.
        noise_rms: of what is added to synthetic images before, on the network's scale.
        history: of the fit.
    """

    generator: ImageGenerator
    noise_rms: float
    history: tuple[Epoch, ...]

    def __call__(self, images: Images) -> Images:
        """Synthetic images (image, y, x), of any size, in the acquired style."""
        return restyled(self.generator, with_noise(self.noise_rms, images))


def style_name(voltage_kv: float) -> str:
    """Of a voltage's training and of its files."""
    return f"style_{voltage_kv:g}kv"


def train_style(
    settings: StyleSettings,
    voltage_kv: float,
    synthetic: Images,
    acquired: Images,
    out_dir: Path,
    report: Callable[[str], None],
) -> TrainedStyle:
    """Fit the networks of a voltage to images (image, y, x) on the network's scale; a later start goes on.

    The last images of either kind choose the epoch. Samples of each epoch are drawn in ``out_dir``.

    Raises:
        CheckpointMismatchError, CheckpointDamagedError: ``out_dir`` holds a training with another recipe, or
            what is left of one.
    """
    stage, held_back = style_name(voltage_kv), settings.validation_images
    noise_rms = missing_noise(synthetic, acquired)
    synthetic = with_noise(noise_rms, synthetic)
    torch.manual_seed(settings.recipe.seed)
    cycle = ImageCycle(settings.filters, settings.discriminator_filters)
    cycle.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    validation = (to_style(_middles(synthetic[-held_back:])), to_style(_middles(acquired[-held_back:])))
    task = CycleTask(
        stage=stage,
        cycle=cycle,
        draw=partial(_draw, synthetic[:-held_back], acquired[:-held_back], settings),
        develop=lambda _noise, made: made,
        validation_loss=partial(epoch_loss, cycle, validation, lambda _noise, made: made),
        show=partial(_show, cycle, validation, out_dir / "samples", stage),
    )
    history = fit_cycle(task, settings.recipe, out_dir, lambda progress: report(str(progress)))
    return TrainedStyle(cycle.there, noise_rms, history)


@torch.inference_mode()
def restyled(generator: ImageGenerator, images: Images) -> Images:
    """Images (image, y, x) of any size in the acquired style, on the network's scale."""
    height, width = images.shape[-2:]
    missing = [-side % STRIDE_PX for side in (width, height)]
    made = [
        generator(functional.pad(to_style(image[None]), (0, missing[0], 0, missing[1]), mode="replicate"))
        for image in images
    ]
    return from_style(torch.cat(made))[:, 0, :height, :width].numpy().astype(np.float32)


def to_style(images: Images) -> Tensor:
    """Images (image, y, x) from 0 to 1 as the networks see them, (image, 1, y, x) from −1 to 1."""
    return 2 * torch.from_numpy(np.ascontiguousarray(images[:, None])) - 1


def from_style(values: Tensor) -> Tensor:
    """And back."""
    return (values + 1) / 2


def _draw(synthetic: Images, acquired: Images, settings: StyleSettings, rng: np.random.Generator) -> Pair:
    count, side = settings.recipe.batch, settings.patch_px
    plain, styled = (random_windows(images, side, count, rng) for images in (synthetic, acquired))
    return to_style(plain), to_style(styled)


def _middles(images: Images) -> Images:
    """At most LARGEST_PX a side, whole strides."""
    sides = [min(side, LARGEST_PX) // STRIDE_PX * STRIDE_PX for side in images.shape[1:]]
    top, left = ((whole - side) // 2 for whole, side in zip(images.shape[1:], sides, strict=True))
    return images[:, top : top + sides[0], left : left + sides[1]]


@torch.inference_mode()
def _show(cycle: ImageCycle, validation: Pair, folder: Path, stage: str, epoch: int) -> None:
    plain, styled = (images[:1] for images in validation)
    shown = {"synthetic": plain, "adapted": cycle.there(plain)}
    shown |= {"acquired": styled, "back from it": cycle.back(styled)}
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {title: image[0, 0].numpy() for title, image in shown.items()}
    draw_row(pictures, folder / f"{stage}_{epoch:03d}.png")
