"""Frozen records to bytes and back, exactly: what the journal keeps of every state.

A record is a dataclass of numbers, strings, arrays, tuples, mappings, enums, paths and other such records.
Floats survive bit for bit (MessagePack stores IEEE doubles), arrays with dtype and shape. Nothing is
executed on reading: the expected type decides what may come out, so a journal is data, never a program.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

_ARRAY = 1
_NAME = "="


def pack(record: object) -> bytes:
    """MessagePack bytes of a record.

    Raises
    ------
    TypeError
        The record holds something that is not data (a function, an open file, …).
    """
    return msgspec.msgpack.encode(_plain(record))


def unpack(expected: type[T], data: bytes) -> T:
    """The record of type ``expected`` that ``pack`` wrote.

    Raises
    ------
    ValueError
        The bytes are not such a record.
    """
    try:
        return cast(T, _record(expected, msgspec.msgpack.decode(data, ext_hook=_read_array)))
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a stored {expected.__name__}: {error}") from error


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str() | bytes():
            return value.value if isinstance(value, Enum) else value
        case np.ndarray():
            return msgspec.msgpack.Ext(_ARRAY, _array_bytes(value))
        case np.generic():
            return value.item()
        case Path():
            return str(value)
        case datetime():
            return value.isoformat()
        case Mapping():
            return [[_plain(key), _plain(item)] for key, item in value.items()]
        case tuple() | list():
            return [_plain(item) for item in cast(Sequence[Any], value)]
        case _ if dataclasses.is_dataclass(value):
            fields = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
            return {_NAME: type(value).__name__, **fields}
        case _:
            raise TypeError(f"{type(value).__name__} is not data and cannot be stored")


def _array_bytes(array: NDArray[Any]) -> bytes:
    head = msgspec.msgpack.encode([array.dtype.str, list(array.shape)])
    return len(head).to_bytes(4, "little") + head + np.ascontiguousarray(array).tobytes()


def _read_array(code: int, data: memoryview) -> NDArray[Any]:
    if code != _ARRAY:
        raise ValueError(f"unknown extension {code}")
    size = int.from_bytes(data[:4], "little")
    dtype, shape = msgspec.msgpack.decode(data[4 : 4 + size])
    return np.frombuffer(bytearray(data[4 + size :]), dtype=np.dtype(dtype)).reshape(shape)


def _record(expected: Any, plain: Any) -> Any:
    """Rebuild one value; ``expected`` is the annotation of the field it goes to."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin in (typing.Union, types.UnionType):
        return _member(arguments, plain)
    if origin is tuple:
        return _tuple(arguments, plain)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {_record(arguments[0], key): _record(arguments[1], item) for key, item in plain}
    if isinstance(expected, type) and dataclasses.is_dataclass(expected):
        return _dataclass(expected, plain)
    if isinstance(expected, type) and issubclass(expected, Enum | Path):
        return expected(plain)
    if expected is datetime:
        return datetime.fromisoformat(plain)
    return float(plain) if expected is float else plain


def _member(members: tuple[Any, ...], plain: Any) -> Any:
    """The member of a union that a stored value belongs to: by record name, else the first not None."""
    if plain is None:
        return None
    concrete = [member for member in members if member is not types.NoneType]
    if isinstance(plain, dict):
        name = cast(dict[str, Any], plain)[_NAME]
        return _record(next(member for member in concrete if member.__name__ == name), plain)
    return _record(concrete[0], plain)


def _tuple(arguments: tuple[Any, ...], plain: Sequence[Any]) -> tuple[Any, ...]:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_record(arguments[0], item) for item in plain)
    return tuple(_record(kind, item) for kind, item in zip(arguments, plain, strict=True))


def _dataclass(expected: type, plain: dict[str, Any]) -> Any:
    if plain[_NAME] != expected.__name__:
        raise TypeError(f"a {plain[_NAME]} where a {expected.__name__} belongs")
    hints = typing.get_type_hints(expected)
    return expected(**{f.name: _record(hints[f.name], plain[f.name]) for f in dataclasses.fields(expected)})
