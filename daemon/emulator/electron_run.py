"""A run photographed electron by electron, without drift or marks: registered images and their truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from algorithms.acquisition import run_conditions, true_labels
from algorithms.instrument import Instrument, default_instrument, expose
from daemon.emulator.beam import Shot, photograph_face
from daemon.picture import Picture
from models.evaluation import HeldOut, RenderedRun, draw_sample

MANY_ELECTRONS: Final = 1e8
"""Dose of the instrument, which adds no shot noise to electrons that were counted."""


@dataclass(frozen=True, slots=True)
class ElectronRun:
    """What is simulated: a run's size, electrons sent per pixel, and voxels of the sample across a pixel.

    A voxel of 3.3 nm leaves nothing shallow to shine through at 1 kV; one of 1.1 nm does.
    """

    held_out: HeldOut
    electrons: int
    voxels_per_pixel: int = 3


def simulate_run(
    wanted: ElectronRun, seed: int, told: Callable[[int, int], None] = lambda _done, _all: None
) -> RenderedRun:
    """A run of the default microscope, somewhere in a sample of its own; every image has the shot noise of
    its electrons and all that the instrument adds but shot noise.

    ``told`` hears (images done, images).
    """
    held_out, sample = wanted.held_out, draw_sample(seed, wanted.held_out)
    depths_nm, voltages_kv = sample.depths_nm.tolist(), held_out.voltages_kv
    conditions = run_conditions(sample.depths_nm, len(voltages_kv), held_out.width, sample.rng)
    images = np.empty((len(depths_nm), len(voltages_kv), held_out.height, held_out.width), np.uint8)
    for index, depth_nm in enumerate(depths_nm):
        for channel, voltage in enumerate(voltages_kv):
            shot = Shot(
                sample.structure,
                depth_nm,
                sample.grid,
                voltage,
                (seed, index, channel),
                wanted.electrons,
                wanted.voxels_per_pixel,
            )
            counted = photograph_face(Picture.MONTE_CARLO, shot)
            now = conditions[index][channel]
            images[index, channel] = expose(counted, _noiseless(voltage), sample.rng, now)
            told(index * len(voltages_kv) + channel + 1, len(depths_nm) * len(voltages_kv))
    labels = np.stack([true_labels(sample.structure, depth_nm, sample.grid) for depth_nm in depths_nm])
    return RenderedRun(images, labels, held_out.voltages_kv)


def _noiseless(voltage_kv: float) -> Instrument:
    """The microscope of a voltage as it treats counted electrons, whose beam is 0.5 nm wide (rms)."""
    return replace(default_instrument(voltage_kv), dose_electrons=MANY_ELECTRONS, beam_sigma_px=0.0)
