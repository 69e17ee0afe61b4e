"""Held-out runs photographed electron by electron: other structures and seeds than anything was trained on.

They take minutes to simulate and are kept in the user's cache folder, by the hash of what they were made
from.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

import numpy as np

from algorithms.acquisition import run_conditions, true_labels
from algorithms.instrument import Instrument, default_instrument, expose
from daemon.emulator.beam import Shot, photograph_face
from daemon.picture import Picture
from models.cache import cache_folder
from models.evaluation import HeldOut, RenderedRun, draw_sample
from models.kept_arrays import keep_arrays
from models.scenes import HELD_OUT_SEEDS

SEEDS = HELD_OUT_SEEDS[500:]
"""Beyond those of the rendered runs."""
METHOD = 3
"""Of the way a run is made: counted up when it changes, so that what was kept is made anew."""
MANY_ELECTRONS = 1e8
"""Dose of the instrument, which adds no shot noise to electrons that were counted."""


@dataclass(frozen=True, slots=True)
class ElectronRun:
    """What is simulated: a run's size, electrons sent per pixel, and voxels of the sample across a pixel.

    A voxel of 3.3 nm leaves nothing shallow to shine through at 1 kV; one of 1.1 nm does.
    """

    held_out: HeldOut
    electrons: int
    voxels_per_pixel: int = 3


def electron_run(wanted: ElectronRun, seed: int = SEEDS[0]) -> RenderedRun:
    """The run of a seed, simulated or from the cache."""
    path = cache_folder() / f"electrons_{content_key(wanted, seed)}.npz"
    if not path.is_file():
        run = simulate_run(wanted, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        keep_arrays(path, images=run.images, labels=run.labels)
    with np.load(path) as arrays:
        return RenderedRun(arrays["images"], arrays["labels"], wanted.held_out.voltages_kv)


def content_key(wanted: ElectronRun, seed: int) -> str:
    """Hash of everything that a run is made from."""
    return hashlib.sha256(json.dumps([METHOD, seed, asdict(wanted)]).encode()).hexdigest()[:16]


def simulate_run(wanted: ElectronRun, seed: int) -> RenderedRun:
    """A run of the default microscope, somewhere in a sample of its own; every image has the shot noise of
    its electrons and all that the instrument adds but shot noise."""
    held_out, sample = wanted.held_out, draw_sample(seed, wanted.held_out)
    depths_nm, voltages_kv = sample.depths_nm.tolist(), held_out.voltages_kv
    conditions = run_conditions(sample.depths_nm, len(voltages_kv), held_out.width, sample.rng)
    images = np.empty((len(depths_nm), len(voltages_kv), held_out.height, held_out.width), np.uint8)
    for index, depth_nm in enumerate(depths_nm):
        for channel, voltage in enumerate(voltages_kv):
            key = (seed, index, channel)
            shot = Shot(
                sample.structure,
                depth_nm,
                sample.grid,
                voltage,
                key,
                wanted.electrons,
                wanted.voxels_per_pixel,
            )
            counted = photograph_face(Picture.MONTE_CARLO, shot)
            now = conditions[index][channel]
            images[index, channel] = expose(counted, _noiseless(voltage), sample.rng, now)
    labels = np.stack([true_labels(sample.structure, depth_nm, sample.grid) for depth_nm in depths_nm])
    return RenderedRun(images, labels, held_out.voltages_kv)


def _noiseless(voltage_kv: float) -> Instrument:
    """The microscope of a voltage as it treats counted electrons, whose beam is 0.5 nm wide (rms)."""
    return replace(default_instrument(voltage_kv), dose_electrons=MANY_ELECTRONS, beam_sigma_px=0.0)
