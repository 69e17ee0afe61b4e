"""Random patches: where they are cut and how they are varied, so that few scenes teach much."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le, Lt

from models.datasets import BLEED_PX, Crop, Patch, PreparedScene, cut_patch
from models.imaging_faults import blurred, curtained, misregistered
from models.normalisation import Normalisation
from models.scenes import Scene
from models.windows import window_slices


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far patches are varied; grey values are on the network's scale, where the phases are about 1 apart.

    Attributes:
        end_share: share of patches cut as if the run began or ended within the window.
        gap_share: share of patches with one neighbouring slice missing.
        contrast: relative change of the whole patch's contrast, at most.
        brightness: change of the whole patch's brightness, at most.
        flicker: the same for each image of the window by itself.
        noise: rms of the Gaussian noise added, at most; mostly much less (the cube of a uniform number), but
            now and then as much as in images taken in a hurry.
        blur: rms radius of a Gaussian, at most, px.
        curtaining: rms of stripes along y, at most.
        misregistration: displacement of each voltage's images from the labels along y and x, at most, px.
        thickness: relative change of the slices' thickness, at most; 0.5: from half to one and a half times.
            Thinner slices repeat neighbours, thicker ones leave some out.
    """

    end_share: Annotated[float, Ge(0), Le(1)] = 0.25
    gap_share: Annotated[float, Ge(0), Le(1)] = 0.05
    contrast: Annotated[float, Ge(0), Lt(1)] = 0.2
    brightness: Annotated[float, Ge(0)] = 0.1
    flicker: Annotated[float, Ge(0)] = 0.03
    noise: Annotated[float, Ge(0)] = 0.4
    blur: Annotated[float, Ge(0), Le(8)] = 0.0
    curtaining: Annotated[float, Ge(0)] = 0.0
    misregistration: Annotated[float, Ge(0), Le(8)] = 0.0
    thickness: Annotated[float, Ge(0), Lt(1)] = 0.0


def random_patch(
    scenes: Sequence[PreparedScene],
    channels: Sequence[int],
    patch_px: int,
    adjacent_slices: int,
    normalisation: Normalisation,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Patch:
    """A varied patch of a random place in a random scene."""
    prepared = scenes[int(rng.integers(len(scenes)))]
    crop = _random_crop(prepared.scene, patch_px, adjacent_slices, augmentation, rng)
    return varied(
        cut_patch(prepared, crop, channels, normalisation), prepared.scene.square_pixels, augmentation, rng
    )


def varied(patch: Patch, square_pixels: bool, augmentation: Augmentation, rng: np.random.Generator) -> Patch:
    """The patch flipped or turned, and its images with the faults of others.

    What is off draws no random number, so that trainings without it stay what they are.
    """
    images, labels = _turned(patch, square_pixels, rng)
    if augmentation.misregistration:
        images = misregistered(images, augmentation.misregistration, rng)
    if augmentation.blur:
        images = blurred(images, augmentation.blur, rng)
    if augmentation.curtaining:
        images = curtained(images, augmentation.curtaining, rng)
    return _relit((images, labels), augmentation, rng)


def random_window(
    centre: int, slices: int, adjacent_slices: int, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[int, ...]:
    """Numbers of the slices that the patch sees, of those numbered 0 to ``slices`` − 1."""
    drawn = _existing(centre, adjacent_slices // 2, augmentation, rng)
    existing = [number for number in drawn if 0 <= number < slices]
    window = window_slices(centre, existing, adjacent_slices)
    if not augmentation.thickness:
        return window
    thickness = 1 + augmentation.thickness * rng.uniform(-1, 1)
    steps = np.rint(thickness * (np.array(window) - centre)).astype(int)
    return tuple(int(number) for number in np.clip(centre + steps, 0, slices - 1))


def farthest_neighbour(adjacent_slices: int, augmentation: Augmentation) -> int:
    """How far from its middle a window of :func:`random_window` may reach, in slices."""
    return round(adjacent_slices // 2 * (1 + augmentation.thickness))


def _random_crop(
    scene: Scene, patch_px: int, adjacent_slices: int, augmentation: Augmentation, rng: np.random.Generator
) -> Crop:
    half = adjacent_slices // 2
    centre = int(rng.integers(half, len(scene.images) - half))
    window = random_window(centre, len(scene.images), adjacent_slices, augmentation, rng)
    block = int(rng.integers(scene.images.shape[-1] // scene.block_px)) * scene.block_px
    margin = min(BLEED_PX, (scene.block_px - patch_px) // 2)
    top, left = (int(start) for start in rng.integers(margin, scene.block_px - patch_px - margin + 1, size=2))
    return Crop(
        centre,
        window,
        slice(top, top + patch_px),
        slice(block + left, block + left + patch_px),
    )


def _existing(centre: int, half: int, augmentation: Augmentation, rng: np.random.Generator) -> list[int]:
    """Slices of the window that are there: all, or up to an end of the run, or with a gap."""
    first, last = centre - half, centre + half
    if half and rng.random() < augmentation.end_share:
        first, last = (
            (centre - int(rng.integers(half)), last)
            if rng.random() < 0.5
            else (first, centre + int(rng.integers(half)))
        )
    missing = rng.integers(first, last + 1) if rng.random() < augmentation.gap_share else None
    return [number for number in range(first, last + 1) if number == centre or number != missing]


def _turned(patch: Patch, square_pixels: bool, rng: np.random.Generator) -> Patch:
    """Flipped, and turned by 90° where rows and columns are alike. Never along z: light comes from above."""
    images, labels = patch
    axes = tuple(axis for axis in (-2, -1) if rng.random() < 0.5)
    images, labels = np.flip(images, axes), np.flip(labels, axes)
    if square_pixels and rng.random() < 0.5:
        images, labels = np.swapaxes(images, -2, -1), np.swapaxes(labels, -2, -1)
    return images, labels


def _relit(patch: Patch, augmentation: Augmentation, rng: np.random.Generator) -> Patch:
    """Other brightness, contrast and noise, each channel by itself."""
    images, labels = patch
    per_channel, per_image = (len(images), 1, 1, 1), (*images.shape[:2], 1, 1)
    contrast = 1 + augmentation.contrast * rng.uniform(-1, 1, per_channel)
    brightness = augmentation.brightness * rng.uniform(-1, 1, per_channel)
    flicker = augmentation.flicker * rng.uniform(-1, 1, per_image)
    noise = (augmentation.noise * rng.uniform(0, 1, per_channel) ** 3).astype(np.float32)
    varied = images * contrast.astype(np.float32) + (brightness + flicker).astype(np.float32)
    varied += noise * rng.standard_normal(images.shape, dtype=np.float32)
    return varied.astype(np.float32, copy=False), labels
