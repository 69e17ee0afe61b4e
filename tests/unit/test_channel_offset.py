"""The offset between voltages: compared with every slice, so that a bad first image does not stay in it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from algorithms.channel_offset import ChannelOffset, compared, first_offset, offset_px
from algorithms.fiducials import FiducialRegion, RegistrationState, register_image, start_registration
from benchmarks.fiducial_scene import FiducialScene, other_voltage, picture

MARK = FiducialScene(side_px=96, pad_px=62.0, arm_px=46.0, trench_px=8.0, dose=60.0)
OTHER = other_voltage(MARK)
REGION = FiducialRegion(20, 20, 88, 88, search_px=10)
BAD = {
    "hardly any electrons": replace(OTHER, dose=1.5),
    "half covered and noisy": replace(OTHER, dose=6.0, eroded=0.5),
    "out of focus": replace(OTHER, dose=10.0, blur_px=5.0),
}


def frame(rng: np.random.Generator, scene: FiducialScene, shift: tuple[float, float]) -> NDArray[np.uint8]:
    """An image (128, 160) with one mark in it, shifted by less than a pixel or two."""
    image = rng.normal(70.0, 6.0, (128, 160)).clip(0, 255).astype(np.uint8)
    image[16:112, 16:112] = picture(scene, shift, rng)
    return image


def follow(first: FiducialScene, slices: int, seed: int) -> tuple[NDArray[np.float64], RegistrationState]:
    """Errors (slices, 2) of the second voltage, px, when its first image shows ``first``; and the state."""
    rng = np.random.default_rng(seed)
    state, errors = start_registration((REGION,), ("2kV", "4kV"), "2kV"), []
    for number in range(slices):
        shifts = rng.uniform(-1.0, 1.0, (2, 2)) * (number > 0)
        state, _ = register_image(state, "2kV", frame(rng, MARK, (shifts[0, 0], shifts[0, 1])))
        scene = OTHER if number else first
        state, found = register_image(state, "4kV", frame(rng, scene, (shifts[1, 0], shifts[1, 1])))
        errors.append(np.array([found.dy_px, found.dx_px]) - shifts[1])
    return np.array(errors), state


@pytest.mark.parametrize("case", BAD)
def test_a_bad_first_image_is_forgotten(case: str) -> None:
    """After ten slices the second voltage is as right as if its first image had been good."""
    errors, _ = follow(BAD[case], 16, seed=3)
    assert np.abs(errors[10:].mean(axis=0)).max() < 0.06
    assert np.sqrt(np.mean(errors[10:] ** 2)) < 0.08


@pytest.mark.long
def test_the_error_shrinks_with_the_comparisons_and_stays_honest() -> None:
    """Of many runs, the mean offset error is what the offset says of itself, and smaller than at first."""
    claimed, first, wrong = list[float](), list[float](), list[float]()
    for seed in range(8):
        _, state = follow(OTHER, 6, seed)
        kept = next(r for r in state.references if r.channel == "4kV")
        first.append(kept.offset.comparisons[0][2])
        dy, dx, sigma = offset_px(kept.offset)
        claimed.append(sigma)
        wrong.append(float(np.hypot(dy, dx)))
    assert np.mean(claimed) < 0.7 * np.mean(first)
    assert np.sqrt(np.mean(np.square(wrong)) / 2) < 3.0 * np.hypot(np.mean(claimed), np.mean(first))


def test_one_wild_comparison_counts_nothing_whenever_it_comes() -> None:
    """First, last or between: the offset of the others stands."""
    rng = np.random.default_rng(1)
    good = [(0.3 + rng.normal(0, 0.02), -0.2 + rng.normal(0, 0.02), 0.02) for _ in range(8)]
    for place in (0, 4, 8):
        offset = ChannelOffset()
        for comparison in (*good[:place], (5.0, 5.0, 0.02), *good[place:]):
            offset = compared(offset, *comparison)
        assert offset_px(offset)[:2] == pytest.approx((0.3, -0.2), abs=0.04)


def test_comparisons_do_not_walk() -> None:
    """The offset's scatter after 1000 slices is that after 40: each comparison is absolute."""
    rng = np.random.default_rng(2)
    offset, path = first_offset(0.05), list[float]()
    for _ in range(1000):
        offset = compared(offset, float(rng.normal(0.0, 0.05)), 0.0, 0.05)
        path.append(offset_px(offset)[0])
    assert np.std(path[40:]) < 0.03
    assert abs(np.mean(path[-200:])) < 0.02


def test_the_frame_itself_has_no_offset() -> None:
    """No comparison: nothing to add, and no error."""
    assert offset_px(ChannelOffset()) == (0.0, 0.0, 0.0)
