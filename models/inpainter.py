"""Runs the exported inpainting network through ONNX Runtime on planes of any size. Does not need torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray
from pydantic import with_config

from algorithms.plane_inpainting import MAPS
from models import providers, runtime
from models.canary import check_network
from models.errors import ModelMetadataInvalidError
from models.model_file import read_checked
from models.runtime import Runtime
from models.session import LARGEST_TILE_PX, check_tiles
from models.stated import STRICT, read_stated, stated
from models.tile_by_tile import Cut, made_tile_by_tile

TASK = "inpainting"
FORMAT = 1
STATED = {"task": TASK, "format": FORMAT}
PHASES = 2
REMEDY = "Use models/zoo/inpainting.onnx, or one written by `slicewatch train inpainting`."


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class InpainterSpec:
    """What the file says about itself.

    Attributes:
        maps: that it takes of a plane, as :func:`algorithms.plane_inpainting.plane_maps` makes them.
        stride_px: sides of a plane and origins of tiles must be multiples of it.
        reach_px: input farther away than this does not matter.
        grid_nm: of the voxels it was trained on.
        training_data_sha256: of the volumes it was trained on.
        torch_difference: largest difference from torch's probabilities, seen at export.
        sha256: of the file; empty until it was read from one.
    """

    maps: Annotated[int, Ge(1)]
    stride_px: Annotated[int, Ge(1)]
    reach_px: Annotated[int, Ge(0)]
    grid_nm: Annotated[float, Gt(0)]
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
class Inpainter:
    """A network ready to paint; calling it is :data:`algorithms.plane_inpainting.Paint`."""

    spec: InpainterSpec
    runtime: Runtime
    largest_tile_px: int = LARGEST_TILE_PX

    def __call__(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities float32 (2, y, x) of pore and solid for maps (MAPS, y, x), of any size.

        The result does not depend on how the plane is cut into tiles.
        """
        cut = Cut(self.largest_tile_px, self.spec.reach_px, self.spec.stride_px)
        return made_tile_by_tile(self.runtime.run, maps, PHASES, cut)


def open_inpainter(
    path: Path,
    requested: Sequence[str] = (providers.CPU,),
    *,
    allow_cpu_fallback: bool = True,
    threads: int = 2,
    largest_tile_px: int = LARGEST_TILE_PX,
) -> Inpainter:
    """Load an inpainting network; the arguments are :func:`models.session.open_segmenter`'s.

    Raises:
        ModelFileMissingError, ModelFileCorruptError, ModelMetadataInvalidError: the file is no good.
        ModelMismatchError: the network sees too far for tiles of this size.
        ProviderUnavailableError: only the CPU works, and falling back to it was not allowed.
    """
    content, sha256 = read_checked(path)
    started = runtime.start(content, requested, path, allow_cpu_fallback=allow_cpu_fallback, threads=threads)
    spec = read_stated(InpainterSpec, started.metadata, STATED, sha256, str(path), REMEDY)
    if spec.maps != MAPS or started.input_shape[1:2] != [MAPS]:
        raise ModelMetadataInvalidError(
            f"the inpainting network takes {started.input_shape}, and not {MAPS} maps of a plane",
            str(path),
            "Use models/zoo/inpainting.onnx, or train anew with `slicewatch train inpainting`.",
        )
    check_tiles(spec.stride_px, spec.reach_px, largest_tile_px, str(path))
    check_network(started.run, (MAPS,), PHASES, spec.stride_px, spec.reach_px, str(path), REMEDY)
    return Inpainter(spec, started, largest_tile_px)
