"""What adaptation is worth: shipped networks and their adapted copies on a microscope that neither knows.

A copy is adapted to unlabelled slices of one sample under that microscope, and judged on others: by their
truth, which a real acquisition has not, and by how isotropic they look, which is all that it has. Copies take
minutes to make and are kept in the user's cache folder, by the hash of what they were made from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from algorithms.reposition import place_all
from daemon.stages.segmenting import ZOO
from daemon.tabulate.anisotropy import Errors, true_volume, volume_errors
from daemon.tabulate.other_microscope import other_run, other_scene
from daemon.tabulate.reconstruction import shipped_filling
from models.acquired import Acquired
from models.cache import cache_folder
from models.domain import network_spec
from models.evaluation import (
    HeldOut,
    RenderedRun,
    Sample,
    Score,
    held_out_runs,
    score_segmenter,
    segment_run,
)
from models.mimicking_sets import filled
from models.scenes import HELD_OUT_SEEDS
from models.session import Segmenter, open_segmenter

if TYPE_CHECKING:
    from models.adapting import AdaptationSettings, PlainScenes

METHOD: Final = 1
"""Of the way a copy is made: counted up when it changes, so that what was kept is made anew."""
LEARNED_SEED: Final = HELD_OUT_SEEDS[800]
JUDGED_SEEDS: Final = HELD_OUT_SEEDS[810:820]
NETWORKS: Final = {"unet_1kv": (1.0,), "unet_2kv": (2.0,), "unet_4kv": (4.0,), "late_fusion": (1.0, 2.0, 4.0)}


@dataclass(frozen=True, slots=True)
class Effort:
    """What is measured.

    Attributes:
        networks: of the shipped ones.
        learned: the acquisition that is adapted to.
        judged: others by the same microscope.
        synthetic: runs of the shipped networks' own kind.
    """

    networks: tuple[str, ...]
    learned: HeldOut = field(default_factory=lambda: HeldOut(height=256, width=384, slices=24))
    judged: HeldOut = field(default_factory=lambda: HeldOut(runs=2, height=224, width=224, slices=56))
    synthetic: HeldOut = field(default_factory=lambda: HeldOut(runs=2, height=256, width=384, slices=9))


QUICK: Final = Effort(
    ("unet_4kv",),
    HeldOut(height=192, width=192, slices=9),
    HeldOut(runs=1, height=96, width=96, slices=16),
    HeldOut(runs=1, height=64, width=96, slices=4),
)
FULL: Final = Effort(("unet_1kv", "unet_2kv", "unet_4kv"))


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """Of one network: scores on synthetic runs and on the other microscope's, and the errors there."""

    synthetic: Score
    other: Score
    errors: Errors

    @property
    def mean_error(self) -> float:
        """Of e_TPCF, e_LPF and e_D."""
        return float(self.errors.mean())


@dataclass(frozen=True, slots=True)
class Compared:
    """A network as it ships, a copy trained on synthetic scenes as they are, one on adapted scenes, and one
    that was taught: on labelled scenes by the other microscope itself, which nobody has.

    All copies start from the shipped network and are trained alike.
    """

    shipped: Worth
    unadapted: Worth
    adapted: Worth
    taught: Worth


def compared(
    effort: Effort, settings: AdaptationSettings, report: Callable[[str], None]
) -> dict[str, Compared]:
    """By network."""
    synthetic = held_out_runs(effort.synthetic)
    judged = _judged(effort)
    found: dict[str, Compared] = {}
    for name in effort.networks:
        copies = _copies(name, effort.learned, settings, report)
        paths = (ZOO / f"{name}.onnx", *copies)
        found[name] = Compared(*(_worth(open_segmenter(path), synthetic, judged) for path in paths))
        every = [getattr(found[name], when.name) for when in fields(Compared)]
        report(f"{name}: mean error {', '.join(f'{one.mean_error:.4f}' for one in every)}")
    return found


def structure_errors(effort: Effort) -> Errors:
    """Of the judged samples themselves: not 0, as they are finite."""
    return np.mean([_structure_errors(*drawn) for drawn in _judged(effort)], axis=0)


def _copies(
    name: str, learned: HeldOut, settings: AdaptationSettings, report: Callable[[str], None]
) -> tuple[Path, Path, Path]:
    """Trained on synthetic scenes as they are, adapted to the other microscope, and taught by it; made now or
    before."""
    from models.adapting import SUFFIX, adapt_network, plain_scenes

    network, acquired = ZOO / f"{name}.onnx", _acquired(learned, NETWORKS[name])
    made_from = [METHOD, network_spec(network).sha256, asdict(learned), asdict(settings)]
    key = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:16]
    folder = cache_folder() / f"adapted_{name}_{key}"
    unadapted, adapted, taught = (folder / f"{name}{what}.onnx" for what in ("_unadapted", SUFFIX, "_taught"))
    if not adapted.is_file():
        adapt_network(network, acquired, settings, folder, report)
    if not unadapted.is_file():
        _train(network, plain_scenes(acquired, settings, report), settings, unadapted, report)
    if not taught.is_file():
        _train(network, _taught_scenes(acquired, settings), settings, taught, report)
    return unadapted, adapted, taught


def _taught_scenes(acquired: Acquired, settings: AdaptationSettings) -> PlainScenes:
    """Those of an adaptation, as the other microscope shows them."""
    from models.adapting import PlainScenes, scene_seeds

    return PlainScenes(
        *([other_scene(seed, acquired, settings.size) for seed in seeds] for seeds in scene_seeds(settings))
    )


def _train(
    network: Path,
    scenes: PlainScenes,
    settings: AdaptationSettings,
    path: Path,
    report: Callable[[str], None],
) -> None:
    """The adaptation's own training, on other scenes."""
    from models.adapted_scenes import prepared_scenes
    from models.adapting import copy_provenance, copy_training
    from models.export import export_network
    from models.fine_tuning import fine_tune
    from models.material import Material

    spec = network_spec(network)
    prepared = (prepared_scenes(part, spec.normalisation) for part in (scenes.learned, scenes.chosen_by))
    material = Material(*prepared, ensemble=[])
    training = copy_training(spec, network, settings)
    tuned = fine_tune(network, training, material, path.with_suffix(""), report)
    export_network(tuned.network, copy_provenance(spec, material), path)


def _acquired(learned: HeldOut, voltages_kv: tuple[float, ...]) -> Acquired:
    _, run = other_run(LEARNED_SEED, learned)
    places = [run.voltages_kv.index(voltage) for voltage in voltages_kv]
    pixel_nm, thickness_nm = (learned.pixel_nm, learned.pixel_nm), learned.thickness_nm
    return Acquired(run.images[:, places], voltages_kv, pixel_nm, (thickness_nm, learned.thickness_sigma_nm))


def _judged(effort: Effort) -> list[tuple[Sample, RenderedRun]]:
    return [other_run(seed, effort.judged) for seed in JUDGED_SEEDS[: effort.judged.runs]]


def _worth(
    network: Segmenter, synthetic: list[RenderedRun], judged: list[tuple[Sample, RenderedRun]]
) -> Worth:
    errors = [_errors(network, sample, run) for sample, run in judged]
    return Worth(
        score_segmenter(network, synthetic),
        score_segmenter(network, [run for _, run in judged]),
        np.mean(errors, axis=0),
    )


def _errors(network: Segmenter, sample: Sample, run: RenderedRun) -> Errors:
    """Slices at their true depths on a grid of the pixels, filled by the shipped network."""
    grid_nm = sample.grid.pixel_x_nm
    planes = place_all((sample.depths_nm - sample.depths_nm[0]).tolist(), grid_nm)
    return volume_errors(filled(segment_run(network, run), shipped_filling(), planes), grid_nm)


def _structure_errors(sample: Sample, _run: RenderedRun) -> Errors:
    grid_nm = sample.grid.pixel_x_nm
    planes = place_all((sample.depths_nm - sample.depths_nm[0]).tolist(), grid_nm)
    return volume_errors(true_volume(sample, planes[-1] + 1), grid_nm)
