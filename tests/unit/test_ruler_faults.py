"""A ruler's image, or what it is told, without values: said, never raised."""

import numpy as np
import pytest

from algorithms.ruler import RulerState, advance, read_depth, start_ruler
from benchmarks.ruler_scene import RulerScene, render

SCENE = RulerScene(width=500, places=((60.4, 0), (150.7, 1), (350.2, -1), (440.9, 0)), rows=60)
NAN, INF = float("nan"), float("inf")


def learned() -> RulerState:
    state = start_ruler(SCENE.marks(), SCENE.pixel_size_nm)
    image = render(SCENE, 0.0, np.random.default_rng(0))
    return advance(state, read_depth(state, image, "2kV"))


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_an_image_without_values_is_unreadable_on_the_first_slice_and_later(value: float) -> None:
    """It says why and raises nothing."""
    image = np.full((90, 500), value, dtype=np.float32)
    for state in (start_ruler(SCENE.marks(), SCENE.pixel_size_nm), learned()):
        reading = read_depth(state, image, "2kV")
        assert not reading.readable
        assert any("without values" in note for note in reading.notes)


def test_a_mark_beside_pixels_without_values_is_left_out_and_the_others_are_read() -> None:
    """The depth rests on the three others and is right."""
    image = render(SCENE, 10.0, np.random.default_rng(1)).astype(np.float32)
    image[:, :100] = NAN
    reading = read_depth(learned(), image, "2kV")
    assert reading.readable
    assert ("2kV", 0) not in reading.used
    assert reading.depth_nm == pytest.approx(10.0, abs=5.0 * reading.depth_sigma_nm)


GUESSES = {
    "no row shift": ((NAN, 0.0), None),
    "no column shift": ((0.0, NAN), None),
    "endless shift": ((0.0, INF), None),
    "no expected depth": ((0.0, 0.0), NAN),
}


@pytest.mark.parametrize("name", GUESSES)
def test_a_guess_that_is_no_number_makes_the_ruler_unreadable(name: str) -> None:
    """Nobody knows where to look for the marks then."""
    shift, expected_nm = GUESSES[name]
    image = render(SCENE, 10.0, np.random.default_rng(1))
    reading = read_depth(learned(), image, "2kV", shift, expected_nm)
    assert not reading.readable
    assert "nobody knows where to look" in reading.notes[0]


@pytest.mark.parametrize("pixel_size_nm", [0.0, -3.0, NAN, INF])
def test_a_pixel_size_that_is_no_length_is_refused(pixel_size_nm: float) -> None:
    """The message names the key to correct."""
    with pytest.raises(ValueError, match=r"geometry\.pixel_size_nm"):
        start_ruler(SCENE.marks(), pixel_size_nm)


def test_other_lengths_of_a_ruler_are_checked_as_well() -> None:
    """The target is needed to search, the reach to begin with."""
    with pytest.raises(ValueError, match="target_thickness_nm"):
        start_ruler(SCENE.marks(), SCENE.pixel_size_nm, target_thickness_nm=NAN)
    with pytest.raises(ValueError, match="searched within nan px"):
        start_ruler(SCENE.marks(), SCENE.pixel_size_nm, search_px=NAN)
