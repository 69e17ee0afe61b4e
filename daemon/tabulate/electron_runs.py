"""Held-out runs photographed electron by electron: other structures and seeds than anything was trained on.

They take minutes to simulate and are kept in the user's cache folder, by the hash of what they were made
from.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

import numpy as np

from daemon.emulator.electron_run import ElectronRun, simulate_run
from models.cache import cache_folder
from models.evaluation import RenderedRun
from models.kept_arrays import keep_arrays
from models.scenes import HELD_OUT_SEEDS

SEEDS = HELD_OUT_SEEDS[500:]
"""Beyond those of the rendered runs."""
METHOD = 3
"""Of the way a run is made: counted up when it changes, so that what was kept is made anew."""


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
