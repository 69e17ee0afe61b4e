"""``slicewatch synthesize runs``: Monte Carlo runs with their truth, as a training takes annotated slices."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import tifffile

from algorithms.electron_transport.tables import HIGHEST_KEV
from daemon import __version__
from daemon.emulator.electron_run import ElectronRun, simulate_run
from daemon.errors import ConfigurationError
from daemon.synthesize.common import channel_names, claim, voltage_checks
from daemon.synthesize.options import SAMPLES
from daemon.toml_text import toml_text
from daemon.volume_store import write_atomically
from models.evaluation import RenderedRun

PLAN: Final = "runs.json"
TRAINING: Final = "training.toml"
LABELS: Final = "labels"
SEEDS: Final = range(80_000, 80_000 + SAMPLES)
"""Of the samples, from which nothing else is rendered."""
SMALLEST_PX: Final = 80
"""That a training takes unless it is told otherwise."""
UNFINISHED: Final = ".part"
NOBODYS_S: Final = 3600.0
"""A run that is still unfinished so long after it was begun to be written is nobody's."""
Told = Callable[[str], None]


def synthesize_runs(wanted: ElectronRun, out: Path, samples: range, told: Told) -> Path:
    """Simulate a run of each sample into ``out``; started again, it goes on with the next one, or adds some.

    Samples are counted from 0. Each run is a folder with a stack of pages for every voltage and a label
    image for every slice. ``training.toml`` beside them names their voltages and all that are there as
    ``[[annotated]]``; returns the path of that.

    Raises
    ------
    ConfigurationError
        Such runs cannot be simulated, or ``out`` holds runs of another kind.
    """
    _check(wanted)
    claim(out / PLAN, json.dumps(asdict(wanted) | {"version": __version__}, indent=2), "runs")
    _forget_unfinished(out)
    for number, sample in enumerate(samples, 1):
        seed = SEEDS[sample]
        if not _is_whole(folder := out / f"run_{seed}"):
            _write(simulate_run(wanted, seed, _telling(told, number, len(samples))), folder)
    training = out / TRAINING
    there = (folder for seed in SEEDS if _is_whole(folder := out / f"run_{seed}"))
    voltages_kv = {"voltages_kv": wanted.held_out.voltages_kv}
    learned = {
        "training": voltages_kv,
        "held_out": voltages_kv,
        "annotated": [_source(folder) for folder in there],
    }
    write_atomically(training, toml_text(learned))
    return training


def _check(wanted: ElectronRun) -> None:
    held_out = wanted.held_out
    checks = (
        (
            min(held_out.height, held_out.width) >= SMALLEST_PX,
            f"faces of {held_out.height} × {held_out.width} px",
            f"Give a --size of {SMALLEST_PX} px a side or more.",
        ),
        *voltage_checks(held_out.voltages_kv, HIGHEST_KEV, "electrons are followed"),
    )
    for good, what, remedy in checks:
        if not good:
            raise ConfigurationError(what, where="slicewatch synthesize runs", remedy=remedy)


def _telling(told: Told, number: int, runs: int) -> Callable[[int, int], None]:
    return lambda done, images: told(f"run {number} of {runs}: image {done} of {images}")


def _write(run: RenderedRun, folder: Path) -> None:
    """The whole run or nothing. If another start was quicker with the same sample, its run stays."""
    unfinished = Path(mkdtemp(prefix=f"{folder.name}.", suffix=UNFINISHED, dir=folder.parent))
    (unfinished / LABELS).mkdir()
    for channel, name in enumerate(channel_names(run.voltages_kv)):
        tifffile.imwrite(unfinished / f"{name}.tif", run.images[:, channel], photometric="minisblack")
    for number, labels in enumerate(run.labels, 1):
        tifffile.imwrite(unfinished / LABELS / f"{number}.tif", labels)
    unfinished.chmod(0o755)
    try:
        unfinished.rename(folder)
    except OSError:
        if not _is_whole(folder):
            raise
        shutil.rmtree(unfinished)


def _is_whole(folder: Path) -> bool:
    return (folder / LABELS).is_dir()


def _forget_unfinished(out: Path) -> None:
    """What a start left that was killed while it wrote; others may be writing now."""
    for left in out.glob(f"*{UNFINISHED}"):
        if time.time() - left.stat().st_mtime > NOBODYS_S:
            shutil.rmtree(left, ignore_errors=True)


def _source(folder: Path) -> dict[str, Any]:
    """As a training's file names annotated slices; paths are relative to it."""
    return {"images": folder.name, "labels": f"{folder.name}/{LABELS}", "square_pixels": True}
