"""Messages as bytes and back (DESIGN §7): multipart ``[topic, header, payload…]``.

The header is one flat MessagePack map: the envelope (``schema``, ``run``, ``epoch``, ``seq``, ``time``), the
topic's fields, and ``arrays``, which describes each payload frame in order by ``name``, ``dtype``,
``shape`` and ``codec``. Payloads are C-order little-endian bytes, ``raw`` or compressed by ``blosc2``.
Decoding is strict: whatever is not exactly a message raises ``WireError``; unknown header fields are ignored,
so that fields can be added without a new schema number. Nothing here executes what it reads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import blosc2
import msgspec
import numpy as np

from daemon.errors import WireError
from daemon.header import ArrayDescription, Envelope, header, plain
from daemon.messages import TYPES, Array, Message

SCHEMA = 1
MAX_ARRAY_BYTES = 256 * 2**20
DTYPES = frozenset({"uint8", "uint16", "int32", "int64", "float32", "float64"})
_ON_THE_WIRE = {np.dtype(name): (name, np.dtype(name).newbyteorder("<")) for name in DTYPES}
BLOSC_FROM_BYTES = 4096  # below that the compressed frame's own header eats the gain
SAMPLE_BYTES = 16 * 1024
WORTH_SHARE = 0.9  # grey values with noise do not shrink at all, labels and curves to a half and less

Part = bytes | memoryview
Multipart = tuple[Part, ...]
T = TypeVar("T")

# blosc2's hints describe its keyword arguments as dictionaries; it takes plain values.
_compress = cast(Any, blosc2.compress2)
_compress_sample = cast(Any, blosc2.compress)  # the same bytes; keeps its context, which is most of the time
_decompress = cast(Any, blosc2.decompress2)
_TOPICS = {kind: name.encode("ascii") for name, kind in TYPES.items()}
_raw_fields = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode  # splits a header without reading it


class _Described(msgspec.Struct, frozen=True):
    arrays: tuple[ArrayDescription, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """A message as it came off the wire."""

    envelope: Envelope
    message: Message


def pack(value: object) -> bytes:
    """MessagePack bytes; numpy numbers become plain ones, times become ISO 8601 text."""
    return msgspec.msgpack.encode(msgspec.to_builtins(value, enc_hook=plain))


def encode(message: Message, envelope: Envelope) -> Multipart:
    """A message as ``(topic, header, payload…)``; raw payloads are views of the arrays' own memory."""
    topic = _TOPICS[type(message)]
    if not message.arrays:
        return topic, header(message, envelope, ())
    described, payloads = pack_arrays(message.arrays)
    return topic, header(msgspec.structs.replace(message, arrays={}), envelope, described), *payloads


def decode(parts: Sequence[Part]) -> Event:
    """The message in a multipart.

    Raises
    ------
    WireError
        The parts are not a message of this schema.
    """
    if len(parts) < 2:
        raise garbage(f"a message has a topic and a header, not {len(parts)} part(s)")
    topic = bytes(parts[0])[:32]
    kind = TYPES.get(topic.decode("ascii", errors="replace"))
    if kind is None:
        raise garbage(f"the topic {topic!r} is unknown")
    fields = unpack(parts[1])
    envelope = read_fields(fields, Envelope)
    if envelope.schema != SCHEMA:
        raise garbage(f"schema {envelope.schema} is not {SCHEMA}")
    arrays = unpack_arrays(fields, parts[2:])
    return Event(envelope, read_fields({**fields, "arrays": arrays}, kind))


def without_arrays(parts: Multipart) -> Multipart:
    """The same message with its payload left out, as it is kept when only the figures matter."""
    if len(parts) == 2:
        return parts
    fields = _raw_fields(parts[1])
    return parts[0], msgspec.msgpack.encode({**fields, "arrays": []})


def pack_arrays(arrays: dict[str, Array]) -> tuple[list[ArrayDescription], list[Part]]:
    """Descriptions and payload frames of named arrays, in one order; raw ones are views of their memory."""
    packed = [_pack_array(name, array) for name, array in arrays.items()]
    return [description for description, _ in packed], [payload for _, payload in packed]


def unpack_arrays(header: dict[str, Any], payloads: Sequence[Part]) -> dict[str, Array]:
    """The named arrays of a header and its payload frames; read-only.

    Raises
    ------
    WireError
        Descriptions and payloads do not fit each other.
    """
    described = read_fields({"arrays": header.get("arrays", [])}, _Described).arrays
    if len(described) != len(payloads):
        raise garbage(f"{len(described)} arrays are described and {len(payloads)} came")
    return {d.name: _unpack_array(d, bytes(p)) for d, p in zip(described, payloads, strict=True)}


def unpack(data: Part) -> dict[str, Any]:
    """A MessagePack map with text keys.

    Raises
    ------
    WireError
        The bytes are something else.
    """
    try:
        return msgspec.msgpack.decode(bytes(data), type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise garbage(f"the header is no MessagePack map: {error}") from error


def read_fields(header: dict[str, Any], kind: type[T]) -> T:
    """The fields of ``kind`` in a header, checked; others are ignored.

    Raises
    ------
    WireError
        A field is missing or of the wrong type.
    """
    try:
        return msgspec.convert(header, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise garbage(f"the fields are not those of {kind.__name__}: {error}") from error


def understand(*kinds: type) -> None:
    """Let msgspec look up the fields of these now, on the importing thread.

    It would at the first reading, and a second thread then follows a table that is not filled yet: the
    dashboard of two microscopes ended in a segmentation fault (msgspec 0.22, 2026-11-27).
    """
    for kind in kinds:
        msgspec.json.Decoder(kind)


def garbage(what: str) -> WireError:
    """The error for bytes that are not a message."""
    return WireError(
        what, where="a message on the wire", remedy="Check that both ends run slicewatch of the same schema."
    )


def _pack_array(name: str, array: Array) -> tuple[ArrayDescription, Part]:
    if array.dtype not in _ON_THE_WIRE:
        raise ValueError(f"array {name!r} is {array.dtype}; the wire knows {sorted(DTYPES)}")
    dtype, little = _ON_THE_WIRE[array.dtype]
    # a copy only of what does not lie in C order, or not in the wire's order of bytes
    raw = np.ascontiguousarray(array, dtype=little).reshape(-1).view(np.uint8).data
    if len(raw) < BLOSC_FROM_BYTES or not _shrinks(raw, array.itemsize):
        return ArrayDescription(name, dtype, array.shape, "raw"), raw
    return ArrayDescription(name, dtype, array.shape, "blosc2"), _compressed(raw, array.itemsize)


def _shrinks(raw: memoryview, item_bytes: int) -> bool:
    """Told from the middle: compressing a large picture in vain takes longer than sending it."""
    start = max(0, (len(raw) - SAMPLE_BYTES) // 2) // item_bytes * item_bytes
    sample = bytes(raw[start : start + SAMPLE_BYTES])
    packed = _compress_sample(sample, typesize=item_bytes, codec=blosc2.Codec.LZ4, clevel=5)
    return len(packed) < WORTH_SHARE * len(sample)


def _compressed(raw: memoryview, item_bytes: int) -> bytes:
    return bytes(_compress(raw, typesize=item_bytes, codec=blosc2.Codec.LZ4, clevel=5, nthreads=1))


def _unpack_array(described: ArrayDescription, payload: bytes) -> Array:
    if described.dtype not in DTYPES or any(n < 0 for n in described.shape):
        raise garbage(f"array {described.name!r} is described as {described.dtype} {described.shape}")
    dtype = np.dtype(described.dtype).newbyteorder("<")
    expected = math.prod(described.shape) * dtype.itemsize
    if expected > MAX_ARRAY_BYTES:
        raise garbage(f"array {described.name!r} claims {expected} bytes")
    raw = _decompressed(described, payload, expected)
    if len(raw) != expected:
        raise garbage(f"array {described.name!r} has {len(raw)} bytes, not {expected}")
    return np.frombuffer(raw, dtype=dtype).reshape(described.shape)


def _decompressed(described: ArrayDescription, payload: bytes, expected: int) -> bytes:
    """The bytes of an array; the size that a compressed frame claims is checked before it is believed."""
    if described.codec == "raw":
        return payload
    if described.codec != "blosc2":
        raise garbage(f"codec {described.codec!r} is unknown")
    try:
        claimed, packed, _ = blosc2.get_cbuffer_sizes(payload)
        if (claimed, packed) != (expected, len(payload)):
            raise garbage(f"array {described.name!r} is cut short or unpacks to {claimed} bytes")
        return bytes(_decompress(payload, nthreads=1))
    except (RuntimeError, ValueError, TypeError) as error:
        raise garbage(f"array {described.name!r} does not unpack: {error}") from error


understand(Envelope, _Described, *TYPES.values())
