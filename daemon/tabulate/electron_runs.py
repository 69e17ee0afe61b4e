"""Held-out runs photographed electron by electron: other structures and seeds than anything was trained on.

They take minutes to simulate and are kept in the user's cache folder, by the hash of what they were made
from.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from algorithms.acquisition import FaceGrid, gamma_depths_nm, run_conditions, true_labels
from algorithms.instrument import Instrument, default_instrument, expose
from algorithms.structures import hierarchical_structure
from daemon.emulator.beam import Shot, photograph_face
from daemon.picture import Picture
from models.evaluation import HeldOut, RenderedRun
from models.scenes import COARSE_SIZE, FINE_SIZE, HELD_OUT_SEEDS

SEEDS = HELD_OUT_SEEDS[500:]
"""Beyond those of the rendered runs."""
METHOD = 1
"""Of the way a run is made: counted up when it changes, so that what was kept is made anew."""
MANY_ELECTRONS = 1e8
"""Dose of the instrument, which adds no shot noise to electrons that were counted."""


@dataclass(frozen=True, slots=True)
class ElectronRun:
    """What is simulated: a run's size, and electrons sent per pixel."""

    held_out: HeldOut
    electrons: int


def electron_run(wanted: ElectronRun, seed: int = SEEDS[0]) -> RenderedRun:
    """The run of a seed, simulated or from the cache."""
    path = cache_folder() / f"electrons_{content_key(wanted, seed)}.npz"
    if not path.is_file():
        run = simulate_run(wanted, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.npz")
        np.savez_compressed(unfinished, images=run.images, labels=run.labels)
        unfinished.replace(path)
    with np.load(path) as arrays:
        return RenderedRun(arrays["images"], arrays["labels"], wanted.held_out.voltages_kv)


def content_key(wanted: ElectronRun, seed: int) -> str:
    """Hash of everything that a run is made from."""
    return hashlib.sha256(json.dumps([METHOD, seed, asdict(wanted)]).encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/slicewatch``, or ``~/.cache/slicewatch``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slicewatch"


def simulate_run(wanted: ElectronRun, seed: int) -> RenderedRun:
    """A run of the default microscope, somewhere in a sample of its own; every image has the shot noise of
    its electrons and all that the instrument adds but shot noise."""
    rng = np.random.default_rng(seed)
    held_out = wanted.held_out
    structure = hierarchical_structure(rng, coarse_size=COARSE_SIZE, fine_size=FINE_SIZE)
    depths_nm = gamma_depths_nm(held_out.slices, held_out.thickness_nm, held_out.thickness_sigma_nm, rng)
    y_px, x_px = rng.uniform(0, 1e4, size=2)
    grid = FaceGrid(held_out.height, held_out.width, held_out.pixel_nm, held_out.pixel_nm, y_px, x_px)
    conditions = run_conditions(depths_nm, len(held_out.voltages_kv), held_out.width, rng)
    images = np.empty((len(depths_nm), len(held_out.voltages_kv), *(grid.height, grid.width)), np.uint8)
    for index, depth_nm in enumerate(depths_nm):
        for channel, voltage in enumerate(held_out.voltages_kv):
            key = (seed, index, channel)
            shot = Shot(structure, float(depth_nm), grid, voltage, key, wanted.electrons)
            counted = photograph_face(Picture.MONTE_CARLO, shot)
            images[index, channel] = expose(counted, _noiseless(voltage), rng, conditions[index][channel])
    labels = np.stack([true_labels(structure, float(depth_nm), grid) for depth_nm in depths_nm])
    return RenderedRun(images, labels, held_out.voltages_kv)


def _noiseless(voltage_kv: float) -> Instrument:
    """The microscope of a voltage as it treats counted electrons, whose beam is 0.5 nm wide (rms)."""
    return replace(default_instrument(voltage_kv), dose_electrons=MANY_ELECTRONS, beam_sigma_px=0.0)
