"""What a client may ask of the daemon (DESIGN §7), as bytes and back.

A request is one MessagePack map: ``schema``, ``id`` (the client's, echoed), ``command`` and the command's
fields. A reply is multipart ``[header, payload…]``: ``schema``, ``id``, ``ok``, and the answer's fields, or
``error`` with ``what``, ``where`` and ``remedy``. Texts are bounded in length; whatever else comes is
garbage.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from daemon.errors import SlicewatchError
from daemon.wire import SCHEMA, Envelope, Multipart, Part, garbage, pack

# No controls, line separators or changes of direction: these texts come to terminals and logs.
_PRINTABLE = r"^(?![\s\S]*[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])"
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=80, pattern=_PRINTABLE)]
Text = Annotated[str, msgspec.Meta(max_length=400, pattern=_PRINTABLE)]
Token = Annotated[str, msgspec.Meta(max_length=64, pattern=_PRINTABLE)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**40)]


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="command"):
    """A request of any kind; ``id`` comes back in the reply."""

    schema: int = SCHEMA
    id: Count = 0


class Snapshot(Request, frozen=True, kw_only=True, tag="snapshot"):
    """The last message on every subject, and the number to go on from."""


class Latest(Request, frozen=True, kw_only=True, tag="latest"):
    """The last message of one topic, with its arrays."""

    topic: Name


class Replay(Request, frozen=True, kw_only=True, tag="replay"):
    """The messages of a run's epoch from number ``seq`` on."""

    run: Name
    epoch: Count
    seq: Count


class ReadPlanes(Request, frozen=True, kw_only=True, tag="planes"):
    """A block of the volume at a pyramid level, in voxels of that level."""

    level: Count = 0
    first: Count
    count: Annotated[int, msgspec.Meta(ge=1, le=2**20)]
    y: Count = 0
    x: Count = 0
    height: Count = 0
    width: Count = 0


class ReadFace(Request, frozen=True, kw_only=True, tag="face"):
    """A block of a face's layer in the layer's own px, every ``step``-th pixel's worth of it.

    ``layer`` is ``image/NAME``, a channel's whole image moved into the frame; ``labels``, the final
    segmentation of the region of interest; or ``solid``, the coarse probability of the solid there, 255 = 1.
    """

    slice: Count
    layer: Name
    y: Count = 0
    x: Count = 0
    height: Count = 0
    width: Count = 0
    step: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1


class Command(Request, frozen=True, kw_only=True):
    """A request that changes something, and who made it.

    ``key`` is filled in by the daemon with the name of the key that the peer has proven to hold: what a
    request says there is overwritten. A command whose ``token`` was seen before is not obeyed again.
    """

    by: Name
    token: Token = ""
    key: Text = ""


class Acknowledge(Command, frozen=True, kw_only=True, tag="acknowledge"):
    """Somebody has seen an alarm."""

    alarm: Name


class Arm(Command, frozen=True, kw_only=True, tag="arm"):
    """From now on an alarm of drift stops the microscope."""


class Disarm(Command, frozen=True, kw_only=True, tag="disarm"):
    """From now on an alarm of drift only tells."""


class Stop(Command, frozen=True, kw_only=True, tag="stop"):
    """Finish the slice in hand and end the run; the microscope goes on."""

    reason: Text = ""


class Abort(Command, frozen=True, kw_only=True, tag="abort"):
    """Stop the microscope now."""

    reason: Text = ""


AnyCommand = Acknowledge | Arm | Disarm | Stop | Abort
AnyRequest = Snapshot | Latest | Replay | ReadPlanes | ReadFace | AnyCommand
_decoder = msgspec.msgpack.Decoder(AnyRequest)


class Failure(msgspec.Struct, frozen=True):
    """Why a request was refused."""

    what: str
    where: str
    remedy: str


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The header of every reply; a command's own fields stand beside these."""

    schema: int
    id: int
    ok: bool
    error: Failure | None = None


def decode_request(data: bytes) -> AnyRequest:
    """The request in a frame.

    Raises
    ------
    WireError
        The bytes are no request of this schema.
    """
    try:
        request = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise garbage(f"this is no request: {error}") from error
    if request.schema != SCHEMA:
        raise garbage(f"schema {request.schema} is not {SCHEMA}")
    return request


def accepted(request: Request) -> Multipart:
    """The reply to a command that was handed to the run."""
    return (pack(Reply(schema=SCHEMA, id=request.id, ok=True)),)


def refused(request: Request, error: SlicewatchError) -> Multipart:
    """The reply that says why not."""
    failure = Failure(error.what, error.where, error.remedy)
    return (pack(Reply(schema=SCHEMA, id=request.id, ok=False, error=failure)),)


def answered(request: Request, envelope: Envelope, fields: dict[str, object], *payload: Part) -> Multipart:
    """The reply with an answer: envelope, the answer's fields, payload frames."""
    header = {**msgspec.structs.asdict(envelope), "id": request.id, "ok": True, **fields}
    return (pack(header), *payload)
