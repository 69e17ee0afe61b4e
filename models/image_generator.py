"""Runs an exported generator on faces of any size: fast image in, Monte Carlo image out. No torch."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray
from pydantic import with_config

from models import providers, runtime
from models.canary import check_generator
from models.model_file import read_checked
from models.runtime import Runtime
from models.session import LARGEST_TILE_PX, check_tiles
from models.stated import STRICT, read_stated, stated
from models.tile_by_tile import Cut, made_tile_by_tile

TASK = "image translation"
FORMAT = 1
NAME = re.compile(r"gan_(?P<voltage>\d+(\.\d+)?)kv\.onnx")
STATED = {"task": TASK, "format": FORMAT}
REMEDY = "Use a file written by `slicewatch train gan`."


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class GeneratorSpec:
    """What the file says about itself.

    Attributes:
        voltage_kv: of the images.
        voxel_nm: edge of a voxel and of a pixel that it was trained on.
        electrons: per pixel, of the Monte Carlo images that it was trained on.
        stride_px: sides of an image and origins of tiles must be multiples of it.
        reach_px: input farther away than this does not matter.
        training_data_sha256: of the images it was trained on.
        torch_difference: largest difference from torch's shares, seen at export.
        sha256: of the file; empty until it was read from one.
    """

    voltage_kv: Annotated[float, Gt(0)]
    voxel_nm: Annotated[float, Gt(0)]
    electrons: Annotated[int, Ge(1)]
    stride_px: Annotated[int, Ge(1)]
    reach_px: Annotated[int, Ge(0)]
    training_data_sha256: str
    torch_difference: Annotated[float, Ge(0)]
    sha256: str = ""

    def __post_init__(self) -> None:
        if self.reach_px % self.stride_px:
            raise ValueError("reach_px is a multiple of stride_px")

    def to_metadata(self) -> dict[str, str]:
        """The ``metadata_props`` of a file that holds this network."""
        return stated(self, STATED)


@dataclass(frozen=True, slots=True)
class ImageGeneratorSession:
    """A generator ready to run."""

    spec: GeneratorSpec
    runtime: Runtime
    largest_tile_px: int = LARGEST_TILE_PX

    def __call__(self, shares: NDArray[np.float32]) -> NDArray[np.float32]:
        """Shares of the electrons that come back, (y, x), of a fast image in the same unit.

        The result does not depend on how the face is cut into tiles.
        """
        cut = Cut(self.largest_tile_px, self.spec.reach_px, self.spec.stride_px)
        return np.clip(made_tile_by_tile(self.runtime.run, shares[None], 1, cut)[0], 0, 1)


def generator_path(folder: Path, voltage_kv: float) -> Path:
    """Where the generator of a voltage lies, if there is one."""
    return folder / f"gan_{voltage_kv:g}kv.onnx"


def known_voltages_kv(folder: Path) -> tuple[float, ...]:
    """The voltages for which a folder has a generator by its name, rising."""
    names = (NAME.fullmatch(path.name) for path in folder.glob("gan_*kv.onnx"))
    return tuple(sorted(float(name["voltage"]) for name in names if name))


def generators_sha256(folder: Path, voltages_kv: Sequence[float]) -> tuple[str, ...]:
    """Of the files of these voltages, as far as they are there."""
    paths = (generator_path(folder, voltage) for voltage in voltages_kv)
    return tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file())


def open_generator(
    path: Path,
    requested: Sequence[str] = (providers.CPU,),
    *,
    allow_cpu_fallback: bool = True,
    threads: int = 2,
    largest_tile_px: int = LARGEST_TILE_PX,
) -> ImageGeneratorSession:
    """Load a generator; the arguments are :func:`models.session.open_segmenter`'s.

    Raises:
        ModelFileMissingError, ModelFileCorruptError, ModelMetadataInvalidError: the file is no good.
        ModelMismatchError: the network sees too far for tiles of this size.
        ProviderUnavailableError: only the CPU works, and falling back to it was not allowed.
    """
    content, sha256 = read_checked(path)
    started = runtime.start(content, requested, path, allow_cpu_fallback=allow_cpu_fallback, threads=threads)
    spec = read_stated(GeneratorSpec, started.metadata, STATED, sha256, str(path), REMEDY)
    check_tiles(spec.stride_px, spec.reach_px, largest_tile_px, str(path))
    check_generator(started.run, spec.stride_px, spec.reach_px, str(path), REMEDY)
    return ImageGeneratorSession(spec, started, largest_tile_px)
