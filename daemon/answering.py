"""What is answered to questions: what has been told, and blocks of the volume and of faces."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from daemon.errors import SlicewatchError, WireError
from daemon.face_block import FACE_FIELDS, FaceBlock
from daemon.publish import Publisher
from daemon.requests import (
    AnyRequest,
    Latest,
    ReadFace,
    ReadPlanes,
    Replay,
    Snapshot,
    answered,
    refused,
)
from daemon.wire import Multipart, pack_arrays

MAX_BLOCK_BYTES: Final = 64 * 2**20

_log = structlog.get_logger("slicewatch")


class VolumeReader(Protocol):
    """Reads the volume while it grows; called from the thread that answers for blocks."""

    def shape(self, level: int) -> tuple[int, int, int]:
        """(z, y, x) of a pyramid level in voxels; SlicewatchError if there is no such level."""
        ...

    def read(
        self, level: int, first: int, count: int, y: int, x: int, height: int, width: int
    ) -> NDArray[np.uint8]:
        """The labels (count, height, width) of a block that lies inside."""
        ...


class FaceReader(Protocol):
    """Shows any face of the run again; called from the thread that answers for blocks."""

    def read(self, request: ReadFace) -> FaceBlock:
        """The asked part of a layer; SlicewatchError if there is none."""
        ...


class Answers:
    """Answers the questions of one daemon; what has been told and blocks each on a thread of their own."""

    def __init__(self, publisher: Publisher, volume: VolumeReader | None, faces: FaceReader | None) -> None:
        self._publisher = publisher
        self._volume = volume
        self._faces = faces

    def reply(self, request: AnyRequest) -> Multipart:
        """The answer, or why there is none."""
        try:
            return self._answer(request)
        except SlicewatchError as error:
            return refused(request, error)
        except Exception as error:  # whatever a question runs into, the next one must find a listener
            _log.exception("control.unexpected", request=type(request).__name__)
            what = f"the request failed: {type(error).__name__}"
            return refused(request, WireError(what, where="control", remedy="See the daemon's log."))

    def _answer(self, request: AnyRequest) -> Multipart:
        match request:
            case Snapshot():
                return self._stream(request, *self._publisher.snapshot())
            case Latest():
                return self._latest(request)
            case Replay():
                return self._replay(request)
            case ReadPlanes():
                return self._planes(request)
            case ReadFace():
                return self._face(request)
            case _:
                raise WireError("this is no question", where="control", remedy="Command it.")

    def _stream(self, request: AnyRequest, seq: int, messages: list[Multipart]) -> Multipart:
        """Messages inside one payload frame: a MessagePack array of multiparts."""
        body = msgspec.msgpack.encode(messages)
        return answered(request, self._publisher.envelope(seq), {"messages": len(messages)}, body)

    def _latest(self, request: Latest) -> Multipart:
        seq, message = self._publisher.latest(request.topic)
        return self._stream(request, seq, [] if message is None else [message])

    def _replay(self, request: Replay) -> Multipart:
        seq, messages = self._publisher.since(request.seq)
        asked, here = (request.run, request.epoch), (self._publisher.run, self._publisher.epoch)
        if messages is None or asked != here or request.seq > seq + 1:
            raise WireError(
                f"messages from {request.seq} of epoch {request.epoch} are not kept",
                where=f"replay, at epoch {here[1]}, message {seq}",
                remedy="Ask for a snapshot and go on from there.",
            )
        return self._stream(request, seq, messages)

    def _planes(self, request: ReadPlanes) -> Multipart:
        if self._volume is None:
            raise WireError("there is no volume yet", where="planes", remedy="Wait for the first plane.")
        height, width = _extent(request, self._volume.shape(request.level))
        block = self._volume.read(
            request.level, request.first, request.count, request.y, request.x, height, width
        )
        described, payloads = pack_arrays({"labels": block})
        return answered(
            request, self._publisher.envelope(self._publisher.seq), {"arrays": described}, *payloads
        )

    def _face(self, request: ReadFace) -> Multipart:
        if self._faces is None:
            raise WireError("there is no face yet", where="face", remedy="Wait for the first slice.")
        block = self._faces.read(request)
        _require_size(block.pixels.size)
        described, payloads = pack_arrays({"face": block.pixels})
        told: dict[str, object] = {
            "arrays": described,
            **{name: getattr(block, name) for name in FACE_FIELDS},
        }
        return answered(request, self._publisher.envelope(self._publisher.seq), told, *payloads)


def _extent(request: ReadPlanes, shape: tuple[int, int, int]) -> tuple[int, int]:
    """Height and width of a requested block, 0 meaning to the edge; refused when it sticks out or is huge."""
    height = request.height or shape[1] - request.y
    width = request.width or shape[2] - request.x
    ends = (request.first + request.count, request.y + height, request.x + width)
    if any(end > size for end, size in zip(ends, shape, strict=True)) or min(height, width) < 1:
        raise WireError(
            f"the block up to {ends} sticks out", where=f"a volume of {shape}", remedy="Ask for less."
        )
    _require_size(request.count * height * width)
    return height, width


def _require_size(values: int) -> None:
    """Refuse a block of too many values of a byte each."""
    if values > MAX_BLOCK_BYTES:
        raise WireError(
            f"{values} values are too many for one reply",
            where="control",
            remedy=f"Ask for at most {MAX_BLOCK_BYTES} at a time, or for a coarser level.",
        )
