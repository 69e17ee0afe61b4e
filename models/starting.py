"""What a training begins with: the weights of exported networks, found by their names."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from models.annotation import Annotations
from models.architectures import ResidualUNet
from models.errors import ModelFileMissingError
from models.fusion import EarlyFusion, IntermediateFusion
from models.material import Material, TrainingSettings, draw_patches
from models.warm_start import check_start, exported_weights, start_from

Fusion = EarlyFusion | IntermediateFusion
STATISTICS_BATCH = 64
"""Patches from which the statistics of a network to start from are taken."""
OUTER = {
    "encoders.0": "encoders.0",
    "encoders.1": "encoders.1",
    "lifts.2": "lifts.0",
    "decoders.2": "decoders.0",
}
"""What a branch of the intermediate fusion takes over from the single-voltage network of its voltage."""


def single_name(voltage_kv: float) -> str:
    """Of the network of one voltage, and of its files."""
    return f"unet_{voltage_kv:g}kv"


def start_file(settings: TrainingSettings, name: str) -> Path:
    """Of the network of a name; a relative folder that is not here is relative to slicewatch itself."""
    folder = Path(settings.start_from)
    here = folder if folder.is_absolute() or folder.exists() else Path(__file__).parents[1] / folder
    return here / f"{name}.onnx"


def check_branches(settings: TrainingSettings) -> None:
    """Make sure that there is a network to start from for each voltage, before anything is rendered.

    Raises:
        ModelFileMissingError, ModelFileCorruptError, ModelMismatchError: with what to set instead.
    """
    if not settings.start_from:
        return
    network = ResidualUNet(settings.adjacent_slices, filters=settings.filters)
    for voltage in settings.voltages_kv:
        path = start_file(settings, single_name(voltage))
        if not path.is_file():
            raise ModelFileMissingError(
                f"there is no network of {voltage:g} kV to start from",
                str(path),
                'Set training.start_from = "" in the file of --config to start from random weights, or name '
                f"a folder that holds {path.name} there.",
            )
        check_start(network, path)


def check_whole(settings: TrainingSettings, name: str, network: Fusion, annotated: Annotations) -> bool:
    """Whether a fusion starts from one of its kind; if so, the file is made sure of.

    Without annotated slices a training is to be repeatable, whether or not its own result lies there already.

    Raises:
        ModelFileCorruptError, ModelMismatchError: with what to set instead.
    """
    path = start_file(settings, name)
    if not (settings.start_from and annotated.learned and path.is_file()):
        return False
    check_start(network, path)
    return True


def start_branch(settings: TrainingSettings, channel: int, network: ResidualUNet, material: Material) -> str:
    """A single-voltage network from the exported one of its voltage; the checksum."""
    path = start_file(settings, single_name(settings.voltages_kv[channel]))
    weights, sha256 = exported_weights(path)
    start_from(network, weights, _sample(settings, material, [channel])[:, None], str(path))
    return sha256


def start_whole(settings: TrainingSettings, name: str, network: Fusion, material: Material) -> dict[str, str]:
    """A fusion from one of its kind; its checksum."""
    path = start_file(settings, name)
    weights, sha256 = exported_weights(path)
    start_from(network, weights, _sample(settings, material, range(len(settings.voltages_kv))), str(path))
    return {name: sha256}


def start_branches(
    settings: TrainingSettings, network: IntermediateFusion, material: Material
) -> dict[str, str]:
    """The outer blocks of each voltage from its single-voltage network, if it is to start; the checksums."""
    if not settings.start_from:
        return {}
    started: dict[str, str] = {}
    weights: dict[str, Tensor] = {}
    for index, voltage in enumerate(settings.voltages_kv):
        path = start_file(settings, single_name(voltage))
        found, started[single_name(voltage)] = exported_weights(path)
        for theirs, ours in OUTER.items():
            parts = {name: part for name, part in found.items() if name.startswith(theirs + ".")}
            weights |= {f"branches.{index}.{ours}{name[len(theirs) :]}": part for name, part in parts.items()}
    channels = range(len(settings.voltages_kv))
    start_from(network, weights, _sample(settings, material, channels), settings.start_from)
    return started


def _sample(settings: TrainingSettings, material: Material, channels: Sequence[int]) -> Tensor:
    rng = np.random.default_rng(settings.recipe.seed)
    return draw_patches(settings, material, channels, STATISTICS_BATCH, rng)[0]
