"""Translation: content goes where the shift says, smoothly, without inventing or bleeding values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.translation import covered, translate

SHIFTS = st.floats(-9.0, 9.0, allow_nan=False)


def cubic_surface(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return 1.0 + 0.02 * y[:, None] ** 2 - 0.001 * x[None] ** 3 + 0.01 * y[:, None] * x[None]


@given(dy=SHIFTS, dx=SHIFTS)
def test_cubic_surfaces_move_exactly(dy: float, dx: float) -> None:
    """Away from the border, a polynomial of third degree is moved without error (fourth-order kernel)."""
    y, x = np.arange(30.0), np.arange(36.0)
    moved = translate(cubic_surface(y, x).astype(np.float32), dy, dx)
    expected = cubic_surface(y - dy, x - dx)
    inner = tuple(slice(s.start + 3, s.stop - 3) for s in covered(moved.shape, dy, dx))
    assert np.allclose(moved[inner], expected[inner], atol=2e-3)


@given(dy=SHIFTS, dx=SHIFTS)
def test_a_constant_stays_constant_where_covered(dy: float, dx: float) -> None:
    """No value of `fill` bleeds into what the image covers."""
    moved = translate(np.full((20, 25), 77, np.uint8), dy, dx, fill=255.0)
    assert np.all(moved[covered(moved.shape, dy, dx)] == 77)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_whole_pixels_are_moved_untouched(dtype: type) -> None:
    """A whole-pixel shift copies values, whatever the type, and fills what is not covered."""
    image = np.random.default_rng(0).integers(0, 255, (12, 15)).astype(dtype)
    moved = translate(image, 2.0, -3.0, fill=9.0)
    assert moved.dtype == image.dtype
    assert np.array_equal(moved[2:, :-3], image[:-2, 3:])
    assert np.all(moved[:2] == 9)
    assert np.all(moved[:, -3:] == 9)


def test_integers_are_clipped_not_wrapped() -> None:
    """Overshoot at a sharp edge saturates."""
    image = np.zeros((16, 16), np.uint8)
    image[:, 8:] = 255
    moved = translate(image, 0.0, 0.5)
    assert np.all(moved[:, :6] == 0)
    assert np.all(moved[:, 12:] == 255)


def test_a_shift_beyond_the_image_leaves_fill_only() -> None:
    """Nothing wraps around."""
    assert np.all(translate(np.ones((8, 9), np.float32), 20.5, -30.2, fill=-1.0) == -1.0)


def test_an_impossible_shift_is_refused() -> None:
    """A shift that is not a number does not silently become one."""
    with pytest.raises(ValueError, match="finite shift"):
        translate(np.zeros((4, 4), np.float32), float("nan"), 0.0)
