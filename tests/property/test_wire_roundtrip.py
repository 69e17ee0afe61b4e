"""Whatever is said arrives unchanged, and whatever was not said is refused."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daemon import wire
from daemon.errors import WireError
from daemon.items import Status, ThicknessSource
from daemon.messages import ChannelPlacement, PreviewMessage, SliceMessage, ThicknessMessage
from daemon.requests import decode_request

ENVELOPE = wire.Envelope(wire.SCHEMA, "run-1", 2, 7, datetime(2026, 3, 1, 12, tzinfo=UTC))
numbers = st.floats(width=64)
arrays = st.one_of(
    [
        hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=40))
        for dtype in (np.uint8, np.uint16, np.float32, np.float64)
    ]
)


@given(
    index=st.integers(0, 2**40),
    depth=numbers,
    sigma=numbers,
    notes=st.lists(st.text(max_size=20), max_size=3),
)
def test_numbers_and_texts_arrive_to_the_last_bit(
    index: int, depth: float, sigma: float, notes: list[str]
) -> None:
    """Every float, NaN and infinities too, and every text is the same after the journey."""
    said = ThicknessMessage(
        index=index,
        depth_nm=depth,
        depth_sigma_nm=sigma,
        source=ThicknessSource.ASV,
        notes=tuple(notes),
    )
    heard = wire.decode(wire.encode(said, ENVELOPE))
    assert heard.envelope == ENVELOPE
    assert isinstance(heard.message, ThicknessMessage)
    assert struct.pack("<d", heard.message.depth_nm) == struct.pack("<d", depth) or math.isnan(depth)
    assert math.isnan(heard.message.depth_sigma_nm) == math.isnan(sigma)
    assert (heard.message.index, heard.message.notes) == (index, tuple(notes))


@given(array=arrays)
@example(array=np.zeros((300, 300), np.uint8))
@example(array=np.random.default_rng(1).integers(0, 2**16, (100, 90)).astype(np.uint16)[::-2, 1::3])
@example(array=np.arange(4000, dtype=">f8").reshape(40, 100).astype(np.float64).T)
def test_arrays_arrive_bit_for_bit(array: np.ndarray) -> None:
    """Any shape, any strides, compressed or not: same dtype, shape and bytes."""
    said = PreviewMessage(index=0, arrays={"a": array, "b": array[:0] if array.ndim else array})
    heard = wire.decode(wire.encode(said, ENVELOPE)).message.arrays
    assert list(heard) == ["a", "b"]
    assert (heard["a"].dtype, heard["a"].shape) == (array.dtype, array.shape)
    assert heard["a"].tobytes() == np.ascontiguousarray(array).tobytes()


def test_numpy_numbers_travel_as_plain_ones() -> None:
    """A runner may hand over numpy scalars; MessagePack sees floats and ints."""
    said = SliceMessage(
        index=np.int64(3),  # type: ignore[arg-type]
        status=Status.FINAL,
        channels={
            "1kV": ChannelPlacement(
                np.float32(0.5),  # type: ignore[arg-type]
                np.float64(-2.0),
                0.1,
                0.9,
                "face",
                domain_distance=np.float64(0.7),
                domain_limit=2.0,
            )
        },
        displacement_nm=np.float64(0.0),
    )
    heard = wire.decode(wire.encode(said, ENVELOPE)).message
    assert heard == SliceMessage(
        index=3,
        status=Status.FINAL,
        channels={
            "1kV": ChannelPlacement(0.5, -2.0, 0.1, 0.9, "face", domain_distance=0.7, domain_limit=2.0)
        },
        displacement_nm=0.0,
    )


PICTURE = wire.encode(
    PreviewMessage(index=1, arrays={"a": np.arange(20_000, dtype=np.uint16).reshape(100, 200)}), ENVELOPE
)


def _with_header(**changes: object) -> tuple[bytes, ...]:
    return (PICTURE[0], wire.pack({**wire.unpack(PICTURE[1]), **changes}), *PICTURE[2:])


def _array(**changes: object) -> tuple[bytes, ...]:
    described = wire.unpack(PICTURE[1])["arrays"][0]
    return _with_header(arrays=[{**described, **changes}])


GARBAGE = {
    "nothing": (),
    "topic only": (b"slice",),
    "unknown topic": (b"slyce", PICTURE[1]),
    "topic that is no text": (b"\xff\xfe", PICTURE[1]),
    "another topic's header": (b"thickness", PICTURE[1], *PICTURE[2:]),
    "header is no MessagePack": (b"preview", b"\xc1"),
    "header is a list": (b"preview", msgspec.msgpack.encode([1, 2])),
    "header with numbers as keys": (b"preview", msgspec.msgpack.encode({1: 2})),
    "header nested 100000 deep": (b"preview", b"\x81\xa1a" * 100_000 + b"\xc0"),
    "empty header": (b"preview", b""),
    "text where a number belongs": _with_header(index="one"),
    "fraction where an index belongs": _with_header(index=1.5),
    "a status that does not exist": _with_header(status="perhaps"),
    "a time that is none": _with_header(time="yesterday"),
    "schema of the future": _with_header(schema=99),
    "payload missing": PICTURE[:2],
    "payload too many": (*PICTURE, b"x"),
    "payload cut short": (*PICTURE[:2], PICTURE[2][:-1]),
    "payload is noise": (*PICTURE[:2], b"\x07" * 5000),
    "dtype object": _array(dtype="object"),
    "dtype that would be evaluated": _array(dtype="__import__('os')"),
    "shape does not fit": _array(shape=[100, 201]),
    "shape negative": _array(shape=[-100, -200]),
    "shape of a terabyte": _array(shape=[2**20, 2**20]),
    "codec unknown": _array(codec="pickle"),
    "raw that is compressed": _array(codec="raw"),
}


@pytest.mark.parametrize("parts", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_refused_with_a_reason(parts: tuple[bytes, ...]) -> None:
    """What is not exactly a message raises WireError, never another exception and never a wrong array."""
    with pytest.raises(WireError):
        wire.decode(parts)


@given(parts=st.lists(st.binary(max_size=60), max_size=4))
def test_random_bytes_are_never_a_message(parts: list[bytes]) -> None:
    """Random frames raise WireError and nothing else."""
    with pytest.raises(WireError):
        wire.decode([b"preview", *parts])


@given(data=st.binary(max_size=200), at=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_a_damaged_header_or_payload_never_crashes(data: bytes, at: int, flip: int) -> None:
    """One changed byte anywhere gives a message or WireError, no other error."""
    frame = 1 + at % 2
    damaged = bytearray(PICTURE[frame])
    damaged[at % len(damaged)] ^= flip
    parts = [*PICTURE]
    parts[frame] = bytes(damaged) + data
    try:
        heard = wire.decode(parts)
    except WireError:
        return
    assert all(array.nbytes < 10**6 for array in heard.message.arrays.values())


@given(data=st.binary(max_size=120))
def test_random_bytes_are_never_a_request(data: bytes) -> None:
    """The control socket takes maps with a known command only."""
    with pytest.raises(WireError):
        decode_request(data)


def test_unknown_fields_are_left_alone_so_that_fields_can_be_added() -> None:
    """A reader of this version understands a writer that says more."""
    assert wire.decode(_with_header(mood="good")).envelope == ENVELOPE
