"""Synthetic scenes like an acquisition in size and thickness, and the same in its style: labels are kept.

The structure is that of the published sample, its microscope the default one; only pixels and slices are the
acquisition's own. What is different in the acquisition's images, generators put in (:mod:`style_training`),
but for the amount of noise: a network without a random input cannot make any, so it is measured and added.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from algorithms.instrument import Instrument
from models.acquired import Acquired, on_network_scale
from models.datasets import PreparedScene, prepared_scene
from models.normalisation import Normalisation
from models.scenes import LARGEST_ERROR_PX, Scene, SceneSize, photographed_scene, published_subject

ADAPTED_SEEDS = range(70_000, 72_000)
ADAPTED_VALIDATION_SEEDS = range(72_000, 73_000)
ADAPTED_DOMAIN_SEEDS = range(73_000, 74_000)
"""Structures that nothing else is rendered from: of what is learned, what chooses the epoch, and what the
adapted network is said to know."""
FULL_SCALE = 255
BLIND_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
Images = NDArray[np.float32]
Restyle = Callable[[Images], Images]
"""Images (image, y, x) on the network's scale into another style."""


def synthetic_scene(
    seed: int, like: Acquired, size: SceneSize, instruments: Sequence[Instrument] = ()
) -> Scene:
    """The scene of a seed with the pixels, voltages and slices of an acquisition; by the usual instruments
    if none are given, one per voltage."""
    rng = np.random.default_rng((seed, len(like.voltages_kv)))
    row_nm, column_nm = like.pixel_nm
    published = published_subject(like.voltages_kv, rng)
    subject = replace(
        published,
        pixel_nm=column_nm,
        thickness_nm=like.thickness_nm,
        instruments=list(instruments) or published.instruments,
    )
    return photographed_scene(subject, row_nm, LARGEST_ERROR_PX, like.voltages_kv, size, rng)


def synthetic_scenes(
    seeds: Sequence[int], like: Acquired, size: SceneSize, report: Callable[[str], None]
) -> list[Scene]:
    """Those of all seeds."""
    scenes: list[Scene] = []
    for done, seed in enumerate(seeds, 1):
        scenes.append(synthetic_scene(seed, like, size))
        if done % 10 == 0 or done == len(seeds):
            report(f"synthetic scenes: {done}/{len(seeds)}")
    return scenes


def channel_images(scenes: Sequence[Scene], channel: int, normalisation: Normalisation) -> Images:
    """All images (image, y, x) of a channel on the network's scale."""
    return np.concatenate([on_network_scale(scene.images[:, channel], normalisation) for scene in scenes])


def restyled_scene(scene: Scene, styles: Sequence[Restyle], normalisation: Normalisation) -> Scene:
    """The scene with the images of each channel in its style; its labels are the same."""
    channels = [
        as_grey(style(on_network_scale(scene.images[:, channel], normalisation)), normalisation)
        for channel, style in enumerate(styles)
    ]
    return replace(scene, images=np.stack(channels, axis=1))


def prepared_scenes(scenes: Sequence[Scene], normalisation: Normalisation) -> list[PreparedScene]:
    """Ready to be learned from."""
    return [prepared_scene(scene, normalisation) for scene in scenes]


def noise_rms(images: Images) -> float:
    """Of images (image, y, x), from what a mask that is blind to slopes and edges leaves of them.

    J. Immerkær, "Fast noise variance estimation", Computer Vision and Image Understanding 64 (1996). Fine
    structure counts as noise, in synthetic and acquired images alike.
    """
    left = np.abs(ndimage.convolve(images, BLIND_MASK[None])[:, 1:-1, 1:-1])
    return float(np.sqrt(np.pi / 2) / 6 * left.mean())


def with_noise(rms: float, images: Images) -> Images:
    """Images with white noise added, the same for the same images."""
    rng = np.random.default_rng(zlib.crc32(np.ascontiguousarray(images).data))
    noisy = images + np.float32(rms) * rng.standard_normal(images.shape, dtype=np.float32)
    return noisy.astype(np.float32, copy=False)


def missing_noise(synthetic: Images, acquired: Images) -> float:
    """Rms of the noise that acquired images have more than synthetic ones; 0 if they have less."""
    return float(np.sqrt(max(0.0, noise_rms(acquired) ** 2 - noise_rms(synthetic) ** 2)))


def as_grey(images: Images, normalisation: Normalisation) -> NDArray[np.uint8]:
    """Grey values of images on the network's scale, from its floor to its ceiling."""
    share = (images - normalisation.floor) / (normalisation.ceiling - normalisation.floor)
    return np.rint(FULL_SCALE * np.clip(share, 0, 1)).astype(np.uint8)
