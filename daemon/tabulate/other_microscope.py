"""Another microscope, in the place of a real one: nothing that is shipped has learned from its images.

Fewer electrons, a wider beam, a detector with less contrast that is brighter and bends grey values, three
times the curtains, five times the charge, twice the shade. What the electrons see is the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from algorithms.acquisition import render_stack
from algorithms.instrument import Instrument, default_instrument
from models.acquired import Acquired
from models.adapted_scenes import synthetic_scene
from models.backscatter import network_response
from models.evaluation import HeldOut, RenderedRun, Sample, draw_sample
from models.normalisation import FaceImage
from models.scenes import Scene, SceneSize

BEND: Final = 0.8
"""Exponent of its detector: grey values between dark and bright come out brighter."""
FULL_SCALE: Final = 255


def other_instrument(voltage_kv: float) -> Instrument:
    """Of a voltage."""
    usual = default_instrument(voltage_kv)
    return replace(
        usual,
        dose_electrons=usual.dose_electrons / 8,
        gain=1.1,
        offset=0.12,
        pixel_noise=0.03,
        line_noise=0.012,
        beam_sigma_px=usual.beam_sigma_px + 0.6,
        curtaining=3 * usual.curtaining,
        shading=0.12,
        charging=5 * usual.charging,
    )


def other_run(seed: int, wanted: HeldOut) -> tuple[Sample, RenderedRun]:
    """A run of that microscope somewhere in a sample of its own, and the sample."""
    sample = draw_sample(seed, wanted)
    images, labels = render_stack(
        sample.structure,
        sample.depths_nm,
        sample.grid,
        wanted.voltages_kv,
        [other_instrument(voltage) for voltage in wanted.voltages_kv],
        sample.rng,
        [network_response(voltage) for voltage in wanted.voltages_kv],
    )
    return sample, RenderedRun(_bent(images), labels, wanted.voltages_kv)


def other_scene(seed: int, like: Acquired, size: SceneSize) -> Scene:
    """A labelled scene that is learned from, as that microscope shows it."""
    instruments = [other_instrument(voltage) for voltage in like.voltages_kv]
    scene = synthetic_scene(seed, like, size, instruments)
    return replace(scene, images=_bent(scene.images))


def _bent(images: FaceImage) -> NDArray[np.uint8]:
    table = np.rint(FULL_SCALE * (np.arange(FULL_SCALE + 1) / FULL_SCALE) ** BEND).astype(np.uint8)
    return table[images]
