"""The header of a message as bytes: a flat MessagePack map, spliced from three that are made in one go each.

The maps are the envelope, the descriptions of the arrays, and the record. Merging them as dictionaries and
encoding the outcome gives the same bytes (``tests/contract/test_header_bytes.py``) and takes three times as
long: 1.9 against 0.7 µs for a thickness (2026-11-20, one core of an EPYC), of 1.5 µs that sending takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import numpy as np

from daemon.messages import TYPES, HeartbeatMessage, Message, RunMessage

TIMED: frozenset[type[Message]] = frozenset({RunMessage, HeartbeatMessage})  # these may hold a time
SHORT_MAP_FIELDS = 15  # a map of so many fields has one byte of head, one of more has three
_ARRAYS = b"\xa6arrays"  # the field of every record that comes first


class Envelope(msgspec.Struct, frozen=True):
    """What every header carries: the protocol's number, the run, the daemon's start, the message's number."""

    schema: int
    run: str
    epoch: int
    seq: int
    time: datetime


class ArrayDescription(msgspec.Struct, frozen=True):
    """How one payload frame becomes an array."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    codec: str


def plain(value: object) -> object:
    """For msgspec: numpy numbers as plain ones."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot travel in a header")


def header(message: Message, envelope: Envelope, described: Sequence[ArrayDescription]) -> bytes:
    """The header of a message whose own ``arrays`` are empty: they are ``described`` instead."""
    kind = type(message)
    head, skipped = _FRAMES[kind]
    record = _encode(msgspec.to_builtins(message, enc_hook=plain) if kind in TIMED else message)
    enveloped = _encode(msgspec.to_builtins(envelope))
    return b"".join((head, enveloped[1:], _ARRAYS, _encode(described), record[skipped:]))


def _map_head(fields: int) -> bytes:
    """How MessagePack begins a map of so many fields."""
    return bytes([0x80 | fields]) if fields <= SHORT_MAP_FIELDS else b"\xde" + fields.to_bytes(2, "big")


def _frame(kind: type[Message]) -> tuple[bytes, int]:
    """The beginning of the whole header, and how many bytes of the record's map it replaces."""
    fields = len(kind.__struct_fields__)
    empty_arrays = len(_ARRAYS) + len(_map_head(0))
    return _map_head(fields + len(Envelope.__struct_fields__)), len(_map_head(fields)) + empty_arrays


# A time would become one of MessagePack's extension types, which ISO 8601 text is not: hence ``TIMED``.
_encode = msgspec.msgpack.Encoder(enc_hook=plain).encode
_FRAMES = {kind: _frame(kind) for kind in TYPES.values()}
