"""Every face of the run again, as it was seen and as it was segmented, at any size a screen asks for.

Images are not stored for this: they are read from the acquisition once more and moved as the journal says.
The final labels come from ``faces.zarr``, how sure the network was from ``certainty.ome.zarr``. It happens on
the thread that answers requests, beside the run.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from daemon.certainty import read_certainty
from daemon.config import Configuration
from daemon.errors import WireError
from daemon.face_block import FaceBlock
from daemon.frame_shelf import FrameShelf
from daemon.geometry import FaceGeometry, conformed
from daemon.items import Image, RegisteredSlice, Status
from daemon.journal import Journal
from daemon.outputs import Outputs, open_faces
from daemon.pipeline_state import PipelineState
from daemon.preview import block_centre, grey_block
from daemon.requests import ReadFace
from daemon.stages.segmenting import moved

_KEPT: Final = 3
"""Whole images in memory: the voltages of the slice that somebody looks at."""


@dataclass(frozen=True, slots=True)
class SeenImage:
    """Where an image lies, what it was when it was read, and how it was moved.

    Plain strings and numbers: one is kept for every image of the run, and path objects are larger.
    """

    path: str
    sha256: str
    dy_px: float
    dx_px: float


class SeenFaces:
    """The faces of one run; the loop adds to it while requests read from it."""

    def __init__(self, configuration: Configuration, outputs: Outputs, shelf: FrameShelf) -> None:
        self.geometry: FaceGeometry | None = None
        self._configuration = configuration
        self._outputs = outputs
        self._shelf = shelf
        self._lock = Lock()
        self._images: dict[int, Mapping[str, SeenImage]] = {}
        self._order: dict[int, int] = {}
        self._moved: OrderedDict[tuple[int, str], Image] = OrderedDict()

    def add(self, index: int, images: Mapping[str, SeenImage]) -> None:
        """A face was registered."""
        with self._lock:
            self._images[index] = images

    def settle(self, index: int, order: int) -> None:
        """A face is final: the ``order``-th in ``faces.zarr``."""
        with self._lock:
            self._order[index] = order

    def recall(self, journal: Journal, pipeline: PipelineState | None) -> None:
        """What an earlier start of the run has seen."""
        for index, told in journal.latest("face").items():
            self.add(index, {name: _recalled(image) for name, image in told["images"].items()})
        final = sorted(i for i, told in journal.latest("slice").items() if told["status"] == Status.FINAL)
        for order, index in enumerate(final):
            self.settle(index, order)
        self.geometry = pipeline.geometry if pipeline else self.geometry

    def read(self, request: ReadFace) -> FaceBlock:
        """The asked part of a layer.

        Raises
        ------
        WireError
            There is no such layer, or the block sticks out of it.
        JournalError
            The image is no longer where it was.
        """
        if self.geometry is None:
            raise WireError("there is no face yet", where="face", remedy="Wait for the first slice.")
        pixel_nm = (self.geometry.pixel_y_nm, self.geometry.pixel_x_nm)
        kind, _, channel = request.layer.partition("/")
        if kind in ("labels", "solid"):
            layer = self._labels(request.slice) if kind == "labels" else self._solid(request.slice)
            roi = self._configuration.geometry.roi
            pixels = block_centre(_cut(layer, request), request.step)
            return FaceBlock(pixels, _shape(layer), (roi.y, roi.x), pixel_nm, request.step)
        image = self._image(request.slice, channel, self.geometry)
        pixels = grey_block(_cut(image, request), request.step)
        return FaceBlock(pixels, _shape(image), (0, 0), pixel_nm, request.step)

    def _labels(self, index: int) -> NDArray[np.uint8]:
        order = self._final(index, "labels")
        return open_faces(self._outputs, self._region(index)).read(order, order + 1)[0]

    def _solid(self, index: int) -> NDArray[np.uint8]:
        order = self._final(index, "solid")
        solid = read_certainty(self._outputs.certainty, order, self._region(index))
        if solid is None:
            raise _absent(index, "solid")
        return solid

    def _final(self, index: int, layer: str) -> int:
        """Which of the final faces a slice is."""
        with self._lock:
            order = self._order.get(index)
        if order is None:
            raise _absent(index, layer)
        return order

    def _region(self, index: int) -> tuple[int, int]:
        """Height and width of the region of interest, px."""
        roi = self._configuration.geometry.roi
        if roi.height and roi.width:
            return roi.height, roi.width
        name = self._configuration.reference_channel
        whole = self._image(index, name, self.geometry)  # type: ignore[arg-type]
        return roi.height or whole.shape[0] - roi.y, roi.width or whole.shape[1] - roi.x

    def _image(self, index: int, channel: str, geometry: FaceGeometry) -> Image:
        """A whole image in the frame; the last few are kept."""
        key = index, channel
        if key in self._moved:
            self._moved.move_to_end(key)
            return self._moved[key]
        with self._lock:
            seen = self._images.get(index, {}).get(channel)
        if seen is None:
            raise _absent(index, channel)
        frame = conformed(self._configuration, geometry, self._shelf.reread(Path(seen.path), seen.sha256))
        self._moved[key] = moved(frame.image, seen.dy_px, seen.dx_px)
        while len(self._moved) > _KEPT:
            self._moved.popitem(last=False)
        return self._moved[key]


def as_seen(registered: RegisteredSlice) -> dict[str, SeenImage]:
    """What must be kept of a slice's images to show them again."""
    shifts = registered.shifts
    return {
        name: SeenImage(str(frame.path), frame.sha256, shifts[name].dy_px, shifts[name].dx_px)
        for name, frame in registered.frames.items()
    }


def _recalled(told: Mapping[str, Any]) -> SeenImage:
    return SeenImage(told["path"], told["sha256"], told["dy_px"], told["dx_px"])


def _cut(layer: NDArray[Any], request: ReadFace) -> NDArray[Any]:
    """The asked block of a layer, 0 meaning to the edge; what sticks out is left out."""
    height, width = request.height or layer.shape[0], request.width or layer.shape[1]
    block = layer[request.y : request.y + height, request.x : request.x + width]
    if min(block.shape) < request.step:
        raise WireError(
            f"the block at ({request.y}, {request.x}) lies outside, or is smaller than a step",
            where=f"a layer of {layer.shape}",
            remedy="Ask for a block inside the layer.",
        )
    return block


def _shape(layer: NDArray[Any]) -> tuple[int, int]:
    return int(layer.shape[0]), int(layer.shape[1])


def _absent(index: int, layer: str) -> WireError:
    return WireError(
        f"slice {index} has no {layer!r}", where="face", remedy="Ask for a slice and layer of this run."
    )
