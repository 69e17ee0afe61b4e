"""Random patches: where they are cut and how they are varied, so that few scenes teach much."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.datasets import BLEED_PX, Crop, Patch, PreparedScene, cut_patch
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
    """

    end_share: float = 0.25
    gap_share: float = 0.05
    contrast: float = 0.2
    brightness: float = 0.1
    flicker: float = 0.03
    noise: float = 0.4


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
    patch = _turned(cut_patch(prepared, crop, channels, normalisation), prepared.scene.square_pixels, rng)
    return _relit(patch, augmentation, rng)


def _random_crop(
    scene: Scene, patch_px: int, adjacent_slices: int, augmentation: Augmentation, rng: np.random.Generator
) -> Crop:
    half = adjacent_slices // 2
    centre = int(rng.integers(half, len(scene.images) - half))
    existing = _existing(centre, half, augmentation, rng)
    block = int(rng.integers(scene.images.shape[-1] // scene.block_px)) * scene.block_px
    margin = min(BLEED_PX, (scene.block_px - patch_px) // 2)
    top, left = (int(start) for start in rng.integers(margin, scene.block_px - patch_px - margin + 1, size=2))
    return Crop(
        centre,
        window_slices(centre, existing, adjacent_slices),
        slice(top, top + patch_px),
        slice(block + left, block + left + patch_px),
    )


def _existing(centre: int, half: int, augmentation: Augmentation, rng: np.random.Generator) -> list[int]:
    """Slices of the window that are there: all, or up to an end of the run, or with a gap."""
    first, last = centre - half, centre + half
    if rng.random() < augmentation.end_share:
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
