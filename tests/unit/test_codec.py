"""States survive storage exactly, and only the expected type comes back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from daemon.codec import pack, unpack


class Colour(StrEnum):
    """A small enumeration."""

    RED = "red"


@dataclass(frozen=True)
class Inner:
    """A nested record."""

    value: float
    name: str | None


@dataclass(frozen=True)
class Other:
    """Another member of a union."""

    count: int


@dataclass(frozen=True)
class Outer:
    """Everything a state may hold."""

    array: NDArray[np.float64]
    items: tuple[Inner, ...]
    pair: tuple[int, float]
    table: dict[str, Inner]
    either: Inner | Other | None
    colour: Colour
    path: Path


def outer(array: NDArray[np.float64], value: float, either: Inner | Other | None) -> Outer:
    inner = Inner(value, None)
    return Outer(array, (inner, inner), (3, value), {"a": inner}, either, Colour.RED, Path("x/y"))


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
    st.floats(),
    st.one_of(st.none(), st.builds(Other, st.integers(-(2**60), 2**60))),
)
def test_every_state_comes_back_bit_for_bit(array, value, either):
    """Arrays, floats, unions, enums and paths: what went in comes out, in the same bytes."""
    state = outer(array, value, either)
    back = unpack(Outer, pack(state))
    assert pack(back) == pack(state)
    assert back.array.dtype == array.dtype
    assert back.array.shape == array.shape
    assert type(back.either) is type(either)
    assert back.colour is Colour.RED
    assert back.path == Path("x/y")
    assert math.isnan(back.pair[1]) if math.isnan(value) else back.pair == (3, value)


@pytest.mark.parametrize("dtype", ["uint8", "<i8", "bool", "<f4", "<u8"])
def test_arrays_keep_their_type(dtype):
    """A bit-packed plane comes back as the same bytes of the same type, and can be written to."""

    @dataclass(frozen=True)
    class Plane:
        bits: NDArray[np.generic]

    array = np.arange(6).reshape(2, 3).astype(dtype)
    bits = np.asarray(unpack(Plane, pack(Plane(array))).bits)
    assert bits.dtype == array.dtype
    np.testing.assert_array_equal(bits, array)
    assert bits.flags.writeable


def test_a_function_is_not_data():
    """What cannot be stored is refused when it is written, not when it is needed."""
    with pytest.raises(TypeError, match="not data"):
        pack({"f": len})


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\xc1\xc1", pack({"value": 1})])
def test_damaged_bytes_are_refused(damage):
    """Bytes that are no such record raise ValueError, never anything else."""
    with pytest.raises(ValueError, match="not a stored Inner"):
        unpack(Inner, damage)


def test_another_record_is_refused():
    """A state of another type is not mistaken for this one."""
    with pytest.raises(ValueError, match="Other where a Inner"):
        unpack(Inner, pack(Other(1)))
