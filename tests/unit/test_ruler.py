"""Depth from the ruler: truth recovered from images made by other code, errors that are what they claim."""

import numpy as np
import pytest

from algorithms.ruler import (
    DepthReading,
    RulerState,
    advance,
    combine_readings,
    expected_depth_nm,
    read_depth,
    read_depth_profile,
    start_ruler,
)
from algorithms.ruler_marks import RulerMark
from benchmarks.ruler_scene import RulerScene, render

SCENE = RulerScene(curtain=0.005, curtain_columns=3.0, rows=60)


def rounded(scene: RulerScene) -> tuple[RulerMark, ...]:
    """The marks as a configuration gives them: whole pixels."""
    return tuple(
        RulerMark(m.kind, round(m.x_px), m.y_px, m.height_px, m.direction, m.angle_deg, m.width_nm)
        for m in scene.marks()
    )


def measure(
    state: RulerState,
    depth_nm: float,
    rng: np.random.Generator,
    scene: RulerScene = SCENE,
    **conditions: object,
) -> tuple[RulerState, DepthReading]:
    shift = float(rng.normal(0.0, 2.0))
    image = render(scene, depth_nm, rng, shift_x_px=shift, **conditions)  # type: ignore[arg-type]
    reading = read_depth(state, image, "2kV", (0.0, shift + float(rng.normal(0.0, 0.5))))
    return advance(state, reading), reading


def follow(depths: list[float], seed: int = 0) -> tuple[RulerState, list[DepthReading]]:
    rng = np.random.default_rng(seed)
    state, readings = start_ruler(rounded(SCENE), SCENE.pixel_size_nm), []
    for depth in depths:
        state, reading = measure(state, depth, rng)
        readings.append(reading)
    return state, readings


DEPTHS = [0.0, *np.cumsum(np.random.default_rng(11).gamma(10.6, 0.96, 25))]


def test_depth_and_its_error_are_right() -> None:
    """Every depth within 4 of its claimed errors; thickness RMSE below 0.3 nm and χ² about 1."""
    _, readings = follow(DEPTHS)
    depth = np.array([reading.depth_nm for reading in readings])
    total = np.array([reading.depth_sigma_nm for reading in readings[1:]])
    own = np.array([reading.sigma_nm for reading in readings])
    assert np.all(np.abs(depth - DEPTHS)[1:] < 4.0 * total)
    error = np.diff(depth) - np.diff(DEPTHS)
    assert np.sqrt(np.mean(error**2)) < 0.3
    assert 0.4 < np.mean(error**2 / (own[1:] ** 2 + own[:-1] ** 2)) < 1.9


def test_the_first_face_is_depth_zero_whatever_the_configuration_says() -> None:
    """Marks configured half a pixel off do not shift any depth: their places are learned."""
    _, readings = follow([0.0, 10.0, 20.0], seed=1)
    assert (readings[0].depth_nm, readings[0].depth_sigma_nm) == (0.0, 0.0)
    assert readings[0].sigma_nm > 0.0
    assert readings[2].depth_nm == pytest.approx(20.0, abs=5.0 * readings[2].depth_sigma_nm)


def test_shift_is_recovered_with_its_error() -> None:
    """The ruler's own x shift of an image agrees with the truth, whatever guess it was given."""
    rng = np.random.default_rng(2)
    state = start_ruler(SCENE.marks(), SCENE.pixel_size_nm)
    state = advance(state, read_depth(state, render(SCENE, 0.0, rng), "2kV", (0.0, 0.0)))
    reading = read_depth(state, render(SCENE, 9.0, rng, shift_x_px=6.3), "2kV", (0.0, 1.0))
    assert reading.shift_x_px == pytest.approx(6.3, abs=5.0 * reading.shift_x_sigma_px)
    assert reading.shift_x_sigma_px < 0.1


def test_three_images_together_are_better_than_one() -> None:
    """The triple refines the first verdict: smaller error, and the same depth within the errors."""
    rng = np.random.default_rng(3)
    state = start_ruler(rounded(SCENE), SCENE.pixel_size_nm)
    channels = ("1kV", "2kV", "4kV")
    for depth in (0.0, 11.0):
        readings = tuple(read_depth(state, render(SCENE, depth, rng), name) for name in channels)
        slice_reading = combine_readings(state, readings)
        state = advance(state, slice_reading)
    assert slice_reading.sigma_nm < 0.75 * readings[0].sigma_nm
    assert slice_reading.depth_nm == pytest.approx(11.0, abs=5.0 * slice_reading.depth_sigma_nm)
    assert [shift.channel for shift in slice_reading.shifts] == list(channels)
    assert np.isnan(slice_reading.shift_x_px)


def test_dark_marks_are_read_as_well() -> None:
    """Polarity -1: trenches darker than their surroundings."""
    scene = RulerScene(background=0.5, contrast=-0.3, curtain=0.005, rows=60)
    rng = np.random.default_rng(4)
    state = start_ruler(rounded(scene), scene.pixel_size_nm, polarity=-1)
    for depth in (0.0, 8.0, 19.0):
        state, reading = measure(state, depth, rng, scene)
    assert reading.depth_nm == pytest.approx(19.0, abs=5.0 * reading.depth_sigma_nm)


def test_a_lost_mark_is_dropped_with_a_note() -> None:
    """One inclined mark vanishes after some slices: depth goes on from the rest, and the note names it."""
    state, _ = follow(DEPTHS[:8])
    _, reading = measure(state, DEPTHS[8], np.random.default_rng(5), lost=(1,))
    assert any("mark 2" in note for note in reading.notes)
    assert reading.depth_nm == pytest.approx(DEPTHS[8], abs=5.0 * reading.depth_sigma_nm)


def test_a_mark_in_the_wrong_place_is_blamed_and_left_out() -> None:
    """A parallel mark seen 2 px off (a damaged edge) does not pull the depth with it."""
    state, _ = follow(DEPTHS[:10])
    image = render(SCENE, DEPTHS[10], np.random.default_rng(6))
    image[:, 1000 - 40 : 1000 + 40] = np.roll(image[:, 1000 - 40 : 1000 + 40], 2, axis=1)
    reading = read_depth(state, image, "2kV")
    assert ("2kV", 3) not in reading.used
    assert any("mark 4 left out" in note for note in reading.notes)
    assert reading.depth_nm == pytest.approx(DEPTHS[10], abs=5.0 * reading.depth_sigma_nm)


def test_a_changed_magnification_is_found_and_taken_out() -> None:
    """0.3 % more magnification would be several nm of depth: it is measured instead."""
    state, _ = follow(DEPTHS[:10])
    _, reading = measure(state, DEPTHS[10], np.random.default_rng(7), magnification=3e-3)
    assert reading.shifts[0].magnification == pytest.approx(3e-3, abs=3e-4)
    assert reading.depth_nm == pytest.approx(DEPTHS[10], abs=6.0 * reading.depth_sigma_nm)


def test_an_unreadable_image_says_so_and_the_next_one_is_found_again() -> None:
    """Noise without marks: no number, no exception; two slices later the depth is absolute as before."""
    state, _ = follow(DEPTHS[:6])
    empty = np.random.default_rng(8).integers(80, 120, (90, 1100)).astype(np.uint8)
    for _ in range(2):
        reading = read_depth(state, empty, "2kV")
        assert not reading.readable
        assert np.isnan(reading.depth_nm)
        assert reading.notes
        state = advance(state, reading)
    assert expected_depth_nm(state) == pytest.approx(state.depth_nm + 30.0)
    _, reading = measure(state, DEPTHS[6] + 25.0, np.random.default_rng(9))
    assert reading.depth_nm == pytest.approx(DEPTHS[6] + 25.0, abs=5.0 * reading.depth_sigma_nm)


def test_a_slice_three_times_too_thick_is_still_found() -> None:
    """The search reaches three target thicknesses, and stays right with a wrong shift guess on top."""
    state, _ = follow(DEPTHS[:4])
    image = render(SCENE, DEPTHS[3] + 30.0, np.random.default_rng(10), shift_x_px=7.0)
    reading = read_depth(state, image, "2kV", (0.0, 0.0))
    assert reading.depth_nm == pytest.approx(DEPTHS[3] + 30.0, abs=5.0 * reading.depth_sigma_nm)


def test_a_mark_that_leaves_the_image_hands_over_to_the_others() -> None:
    """The stage drifts until the first parallel mark is outside: the depth goes on without a jump."""
    rng = np.random.default_rng(12)
    state, errors, used = start_ruler(rounded(SCENE), SCENE.pixel_size_nm), [], []
    for number in range(20):
        image = render(SCENE, 10.0 * number, rng, shift_x_px=8.0 * number)
        reading = read_depth(state, image, "2kV", (0.0, 8.0 * number))
        state = advance(state, reading)
        errors.append(reading.depth_nm - 10.0 * number)
        used.append(("2kV", 0) in reading.used)
    assert (used[0], used[-1]) == (True, False)
    assert np.std(errors) < 0.3


def test_a_channel_that_appears_later_is_learned_at_its_depth() -> None:
    """4 kV is missing in the first slices: from its second image on it measures the same depth."""
    state, _ = follow(DEPTHS[:5])
    rng = np.random.default_rng(13)
    first = tuple(read_depth(state, render(SCENE, DEPTHS[5], rng), name) for name in ("2kV", "4kV"))
    assert [reading.readable for reading in first] == [True, False]
    state = advance(state, combine_readings(state, first))
    reading = read_depth(state, render(SCENE, DEPTHS[6], rng), "4kV")
    assert reading.readable
    assert reading.depth_nm == pytest.approx(DEPTHS[6], abs=5.0 * reading.depth_sigma_nm)


def test_one_parallel_and_one_inclined_mark_are_enough() -> None:
    """The smallest ruler: depth and shift, nothing to spare."""
    rng = np.random.default_rng(14)
    state = start_ruler(rounded(SCENE)[:2], SCENE.pixel_size_nm)
    for depth in (0.0, 12.0, 21.0):
        state, reading = measure(state, depth, rng)
    assert reading.dof == 0
    assert np.isnan(reading.chi2_dof)
    assert reading.depth_nm == pytest.approx(21.0, abs=5.0 * reading.depth_sigma_nm)


def test_the_same_images_give_the_same_bits() -> None:
    """A restart continues bit for bit: reading is a pure function of state and image."""
    one, _ = follow(DEPTHS[:4])
    other, _ = follow(DEPTHS[:4])
    assert one.depth_nm == other.depth_nm
    assert np.array_equal(one.zero_covariance, other.zero_covariance)


def test_marks_that_all_move_alike_are_refused() -> None:
    """Two parallel marks cannot tell depth from shift: the error says what to add."""
    marks = tuple(mark for mark in SCENE.marks() if mark.kind == "parallel")
    with pytest.raises(ValueError, match="one parallel and one inclined"):
        start_ruler(marks, 3.26)


def test_a_tapered_slice_shows_as_thickness_that_grows_along_y() -> None:
    """Upper half milled 8 nm, lower half 14 nm: two row bands measure both."""
    scene = RulerScene(curtain=0.0, rows=80)
    rng = np.random.default_rng(15)
    state = start_ruler(scene.marks(), scene.pixel_size_nm)
    before = render(scene, 0.0, rng)
    state = advance(state, read_depth(state, before, "2kV"))
    after = np.vstack([render(scene, 8.0, rng)[:52], render(scene, 14.0, rng)[52:]])
    profiles = [read_depth_profile(state, image, "2kV", (0.0, 0.0), 2) for image in (before, after)]
    thickness = [new.depth_nm - old.depth_nm for (_, old), (_, new) in zip(*profiles, strict=True)]
    assert thickness == pytest.approx([8.0, 14.0], abs=0.8)
    assert [row for row, _ in profiles[0]] == [32.0, 72.0]
