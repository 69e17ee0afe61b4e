"""Reads the metadata of an ONNX file without starting it: a session costs its weights, and how it is to be
started is among what the file says.

The file is a protocol buffer, ``ModelProto`` of onnx.proto; its ``metadata_props`` are field 14, each a
message of a key (1) and a value (2).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from models.errors import ModelFileCorruptError

METADATA_PROPS: Final = 14
VARINT, EIGHT_BYTES, PREFIXED, FOUR_BYTES = 0, 1, 2, 5
"""Wire types."""
LONGEST_VARINT: Final = 10


def read_metadata(content: bytes, path: Path) -> dict[str, str]:
    """Values of a file's ``metadata_props`` by their keys.

    Raises:
        ModelFileCorruptError: it is no such file, or cut off.
    """
    try:
        entries = [
            dict(_fields(entry)) for number, entry in _fields(memoryview(content)) if number == METADATA_PROPS
        ]
        return {bytes(entry[1]).decode(): bytes(entry.get(2, b"")).decode() for entry in entries}
    except (IndexError, KeyError, ValueError) as problem:
        raise ModelFileCorruptError(
            "this is no ONNX network, or not all of one",
            str(path),
            "Fetch the file again, or name another in the configuration.",
        ) from problem


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each field; of numbers nothing is kept."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            _, end = _varint(message, place)
        elif kind == PREFIXED:
            length, place = _varint(message, place)
            end = place + length
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            end = place + (8 if kind == EIGHT_BYTES else 4)
        else:
            raise ValueError(f"wire type {kind}")
        if end > len(message) or number == 0:
            raise ValueError("a field goes beyond the end, or has no number")
        yield number, message[place:end]
        place = end


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number of 7 bits a byte, the last byte without its highest bit; and where it ends."""
    value = 0
    for count in range(LONGEST_VARINT):
        byte = message[place + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, place + count + 1
    raise ValueError("a number without end")
