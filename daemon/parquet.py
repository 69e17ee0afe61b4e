"""Tables as Apache Parquet, for programs that want types with their columns; a writer for exactly our tables.

One row group, one uncompressed page per column, every column optional: a missing number is null, never 0.
Source: https://parquet.apache.org/docs/file-format/ and ``parquet.thrift`` of apache/parquet-format 2.10,
whose structures are written in Thrift's compact protocol.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

MAGIC: Final = b"PAR1"
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
_INT64, _DOUBLE, _BYTE_ARRAY = 2, 5, 6
_OPTIONAL, _UTF8, _PLAIN, _RLE, _UNCOMPRESSED, _DATA_PAGE = 1, 0, 0, 3, 0, 0

Field = tuple[int, int, Any]
"""Identifier, compact type and value of a Thrift field; of a list the value is (type, items)."""


def parquet_table(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]], created_by: str = "slicewatch"
) -> bytes:
    """The bytes of a Parquet file. A column is int64, double or text, whatever all its values are.

    NaN and None become null; a column of nothing else is double.
    """
    table = list(rows)
    parts, chunks, schema = [MAGIC], list[list[Field]](), [_root(len(columns))]
    offset = len(MAGIC)
    for name in columns:
        values = [_or_none(row.get(name)) for row in table]
        physical = _physical_type(values)
        page = _page(values, physical)
        schema.append(_element(name, physical))
        chunks.append(_chunk(name, physical, len(values), offset, len(page)))
        parts.append(page)
        offset += len(page)
    footer = _footer(schema, chunks, len(table), offset - len(MAGIC), created_by)
    return b"".join([*parts, footer, struct.pack("<I", len(footer)), MAGIC])


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _physical_type(values: Sequence[Any]) -> int:
    known = [value for value in values if value is not None]
    if any(isinstance(value, str) for value in known):
        return _BYTE_ARRAY
    return _INT64 if known and all(isinstance(value, int) for value in known) else _DOUBLE


def _page(values: Sequence[Any], physical: int) -> bytes:
    """A page header and its page: which values are there, then those."""
    is_known = np.array([value is not None for value in values], dtype=np.bool_)
    bits = np.packbits(is_known, bitorder="little").tobytes()
    levels = _varint(len(bits) << 1 | 1) + bits
    body = struct.pack("<I", len(levels)) + levels
    body += b"".join(_plain(value, physical) for value in values if value is not None)
    data_page = [(1, _I32, len(values)), (2, _I32, _PLAIN), (3, _I32, _RLE), (4, _I32, _RLE)]
    header = [(1, _I32, _DATA_PAGE), (2, _I32, len(body)), (3, _I32, len(body)), (5, _STRUCT, data_page)]
    return _struct(header) + body


def _plain(value: Any, physical: int) -> bytes:
    if physical == _BYTE_ARRAY:
        text = str(value).encode()
        return struct.pack("<I", len(text)) + text
    return struct.pack("<q", value) if physical == _INT64 else struct.pack("<d", value)


def _root(children: int) -> list[Field]:
    return [(4, _BINARY, "table"), (5, _I32, children)]


def _element(name: str, physical: int) -> list[Field]:
    text = [(6, _I32, _UTF8)] if physical == _BYTE_ARRAY else []
    return [(1, _I32, physical), (3, _I32, _OPTIONAL), (4, _BINARY, name), *text]


def _chunk(name: str, physical: int, count: int, offset: int, size: int) -> list[Field]:
    about = [
        (1, _I32, physical),
        (2, _LIST, (_I32, [_PLAIN, _RLE])),
        (3, _LIST, (_BINARY, [name])),
        (4, _I32, _UNCOMPRESSED),
        (5, _I64, count),
        (6, _I64, size),
        (7, _I64, size),
        (9, _I64, offset),
    ]
    return [(2, _I64, offset), (3, _STRUCT, about)]


def _footer(
    schema: list[list[Field]], chunks: list[list[Field]], rows: int, size: int, created_by: str
) -> bytes:
    group = [(1, _LIST, (_STRUCT, chunks)), (2, _I64, size), (3, _I64, rows)]
    return _struct(
        [
            (1, _I32, 1),
            (2, _LIST, (_STRUCT, schema)),
            (3, _I64, rows),
            (4, _LIST, (_STRUCT, [group])),
            (6, _BINARY, created_by),
        ]
    )


def _struct(fields: Iterable[Field]) -> bytes:
    encoded, before = b"", 0
    for identifier, kind, value in fields:
        encoded += bytes([(identifier - before) << 4 | kind]) + _value(kind, value)
        before = identifier
    return encoded + b"\0"


def _value(kind: int, value: Any) -> bytes:
    match kind:
        case 5 | 6:
            return _varint(value << 1 if value >= 0 else ~value << 1 | 1)
        case 8:
            text = str(value).encode()
            return _varint(len(text)) + text
        case 9:
            item_kind, items = value
            short = len(items) < 15
            head = bytes([(len(items) if short else 15) << 4 | item_kind])
            return (
                head + (b"" if short else _varint(len(items))) + b"".join(_value(item_kind, i) for i in items)
            )
        case _:
            return _struct(value)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
