"""What images a network knows: ``NAME.domain.json`` beside it, with a domain for each of its channels.

Made by :mod:`models.domain_learning`. Reading it needs neither torch nor the network.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError, with_config

from algorithms.image_domain import FIGURES, KnownDomain, image_figures
from models.errors import ModelFileCorruptError, ModelMismatchError
from models.model_file import read_checked
from models.normalisation import FaceImage, Normalisation, face_limits
from models.onnx_metadata import read_metadata
from models.spec import ModelSpec, from_metadata
from models.stated import STRICT

TASK = "known images"
FORMAT = 1
REMEDY = "Make it anew with `slicewatch domain {}`, or remove it: images are not compared then."
PRECISIONS = (".fp16", ".int8")
"""Variants label what the network labels that they were made from."""


@dataclass(frozen=True, slots=True, eq=False)
class ChannelDomain:
    """What is known of the images of one channel.

    Attributes:
        voltage_kv: of the images.
        normalisation: which grey values become 0 and 1 before figures are taken.
        domain: of the figures.
        limit: of the distance; known images are nearer.
    """

    voltage_kv: float
    normalisation: Normalisation
    domain: KnownDomain
    limit: float


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class StoredChannel:
    """A channel as the file has it."""

    voltage_kv: Annotated[float, Gt(0)]
    limit: Annotated[float, Gt(0)]
    mean: list[float]
    whitening: list[list[float]]

    def __post_init__(self) -> None:
        if np.shape(self.mean) != (FIGURES,) or np.shape(self.whitening) != (FIGURES, FIGURES):
            raise ValueError(f"mean and whitening are of {FIGURES} figures")


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class StoredDomain:
    """The file.

    Attributes:
        task, format: what kind of file this is.
        network: name of the network.
        training_data_sha256: as the network's file states it: who was trained on the same knows the same.
        normalisation: the network's.
        images: how many the domain was learned from.
        channels: in the network's order.
    """

    task: str
    format: int
    network: str
    training_data_sha256: str
    normalisation: Normalisation
    images: int
    channels: list[StoredChannel]

    def __post_init__(self) -> None:
        if (self.task, self.format) != (TASK, FORMAT):
            raise ValueError(f"its task and format are not {TASK!r} and {FORMAT}")


def domain_path(network: Path) -> Path:
    """Where the domain of a network lies; its variants share it."""
    stem = network.name.removesuffix(".onnx")
    for precision in PRECISIONS:
        stem = stem.removesuffix(precision)
    return network.with_name(f"{stem}.domain.json")


def read_domain(network: Path) -> tuple[ChannelDomain, ...]:
    """Of every channel of a network, in its order; empty if nobody has learned it.

    Raises:
        ModelFileCorruptError: the file is no such file.
        ModelMismatchError: it belongs to a network of another training.
        ModelFileMissingError: there is no network.
    """
    path = domain_path(network)
    if not path.is_file():
        return ()
    try:
        told = TypeAdapter(StoredDomain).validate_json(path.read_bytes())
    except (OSError, ValidationError) as problem:
        raise ModelFileCorruptError(
            f"what images the network knows cannot be read: {str(problem).splitlines()[0]}",
            str(path),
            REMEDY.format(network.name),
        ) from problem
    _check_belongs(told, network_spec(network), path)
    return tuple(_channel(one, told.normalisation) for one in told.channels)


def network_spec(network: Path) -> ModelSpec:
    """What a network's file says about itself, without starting it."""
    content, sha256 = read_checked(network)
    return from_metadata(read_metadata(content, network), sha256, str(network))


def write_domain(network: Path, spec: ModelSpec, channels: list[StoredChannel], images: int) -> Path:
    """Write the file beside the network; where it lies."""
    path = domain_path(network)
    told: dict[str, Any] = TypeAdapter(StoredDomain).dump_python(
        StoredDomain(TASK, FORMAT, spec.name, spec.training_data_sha256, spec.normalisation, images, channels)
    )
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(told) + "\n", encoding="utf-8")
    unfinished.replace(path)
    return path


def figures_of(image: FaceImage, normalisation: Normalisation) -> NDArray[np.float64]:
    """Figures (FIGURES,) of an image on the network's scale."""
    return image_figures(image, *face_limits(image, normalisation))


def _check_belongs(told: StoredDomain, spec: ModelSpec, path: Path) -> None:
    if told.training_data_sha256 == spec.training_data_sha256:
        voltages = tuple(channel.voltage_kv for channel in told.channels)
        if voltages == spec.voltages_kv:
            return
    raise ModelMismatchError(
        f"the images that this file knows are not those of the network {spec.name}",
        str(path),
        REMEDY.format(f"{spec.name}.onnx"),
    )


def _channel(stored: StoredChannel, normalisation: Normalisation) -> ChannelDomain:
    known = KnownDomain(np.array(stored.mean), np.array(stored.whitening))
    return ChannelDomain(stored.voltage_kv, normalisation, known, stored.limit)
