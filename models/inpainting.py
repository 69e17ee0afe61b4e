"""Runs the inpainting network through ONNX Runtime. Does not need torch.

A file of ours says that it inpaints (``slicewatch.task``) and how many channels a section has; see
:mod:`models.inpainting_network`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from algorithms.inpainting import CHANNELS
from models import providers
from models.errors import ModelMetadataInvalidError
from models.model_file import read_checked
from models.session import start_session
from models.spec import PREFIX

TASK = "inpainting"


@dataclass(frozen=True, slots=True)
class InpaintingSpec:
    """What the file says about itself.

    Attributes:
        name: of the network.
        channels: of a section.
        grid_nm: voxel of the volumes it learned from.
        training_data_sha256: of them.
        torch_difference: largest difference from torch's probabilities, seen at export.
        task: what it does.
        sha256: of the file; empty until it was read from one.
    """

    name: str
    channels: int
    grid_nm: float
    training_data_sha256: str
    torch_difference: float
    task: str = TASK
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Inpainter:
    """A network ready to run; ``provider`` is the hardware, asked of the session."""

    spec: InpaintingSpec
    provider: str
    session: onnxruntime.InferenceSession = field(repr=False)


def open_inpainter(path: Path, requested: Sequence[str] = (providers.CPU,), *, threads: int = 2) -> Inpainter:
    """Load a network; without the wanted hardware it runs on the CPU.

    Raises:
        ModelFileMissingError, ModelFileCorruptError: the file is no good.
        ModelMetadataInvalidError: it is no network that inpaints, or takes other sections.
    """
    content, sha256 = read_checked(path)
    tried, _ = providers.usable(requested)
    session = start_session(content, tried or (providers.CPU,), threads, path)
    spec = replace(_spec(session.get_modelmeta().custom_metadata_map, path), sha256=sha256)
    return Inpainter(spec, session.get_providers()[0], session)


def inpaint(inpainter: Inpainter, sections: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability of the solid ``(section, z, u)`` of sections ``(section, CHANNELS, z, u)``."""
    session = inpainter.session
    results: Sequence[Any] = session.run(None, {session.get_inputs()[0].name: sections})
    return results[0]


def to_metadata(spec: InpaintingSpec) -> dict[str, str]:
    """The ``metadata_props`` of a file that holds this network."""
    fields = asdict(spec)
    del fields["sha256"]  # a file cannot state its own checksum
    return {PREFIX + key: json.dumps(value) for key, value in fields.items()}


def _spec(metadata: Mapping[str, str], path: Path) -> InpaintingSpec:
    own = {key.removeprefix(PREFIX): value for key, value in metadata.items() if key.startswith(PREFIX)}
    try:
        spec = InpaintingSpec(**{key: json.loads(value) for key, value in own.items()})
    except (TypeError, ValueError) as problem:
        raise _no_inpainting(path, repr(problem)) from problem
    if spec.task != TASK or spec.channels != CHANNELS:
        raise _no_inpainting(path, f"it is for {spec.task} with {spec.channels} channels")
    return spec


def _no_inpainting(path: Path, why: str) -> ModelMetadataInvalidError:
    return ModelMetadataInvalidError(
        f"this is no network that inpaints sections of {CHANNELS} channels: {why}",
        str(path),
        "Use models/zoo/inpainting.onnx, or one written by `slicewatch train inpainting`.",
    )
