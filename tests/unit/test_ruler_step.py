"""The error of a step from face to face, where the errors of the zeros cancel and where they do not."""

from dataclasses import replace

import numpy as np
import pytest

from algorithms.ruler import DepthReading, RulerState, advance, combine_readings, start_ruler
from algorithms.ruler_marks import MarkFit
from algorithms.ruler_reading import unreadable
from algorithms.ruler_slice import ImageMarks
from algorithms.stripe_noise import EVIDENCE_SHAPE
from benchmarks.ruler_scene import RulerScene

SCENE = RulerScene(width=560, places=((60.4, 0), (170.7, 1), (390.2, -1), (500.9, 0)))
SIGMA_PX = {"1kV": 0.08, "2kV": 0.05, "4kV": 0.03}
STEP_NM = 10.0
RUNS, SLICES = 150, 3


def image_of(
    channel: str, depth_nm: float, rng: np.random.Generator, magnification: float = 0.0
) -> DepthReading:
    """The marks of an image at their true places plus noise of the size that they claim."""
    sigma, shift = SIGMA_PX[channel], float(rng.normal(0.0, 1.0))
    marks = SCENE.marks()
    centre = float(np.mean([mark.x_px for mark in marks]))
    fits = tuple(
        MarkFit(
            number,
            True,
            mark.x_px
            + mark.slope * depth_nm / SCENE.pixel_size_nm
            + magnification * (mark.x_px - centre)
            - shift
            + float(rng.normal(0.0, sigma)),
            sigma,
            30.0,
            1.5,
            50.0,
            0,
            np.empty(0),
            0.0,
            1.0,
            "",
        )
        for number, mark in enumerate(marks)
    )
    guess = shift + float(rng.normal(0.0, 0.3))
    return unreadable((ImageMarks(channel, (0.0, guess), fits, np.zeros(EVIDENCE_SHAPE)),), ())


def without_mark(image: DepthReading, lost: int) -> DepthReading:
    (marks,) = image.images
    fits = tuple(replace(fit, usable=fit.usable and fit.mark != lost) for fit in marks.marks)
    return replace(image, images=(replace(marks, marks=fits),))


def scores(seed: int) -> dict[tuple[str, int], float]:
    """(error / claimed error)² of a thickness: by what was looked at, and the slice (the second is 1)."""
    rng = np.random.default_rng(seed)
    state, last, found = start_ruler(SCENE.marks(), SCENE.pixel_size_nm), 0.0, dict[tuple[str, int], float]()
    for number in range(SLICES):
        images = [image_of(channel, STEP_NM * number, rng) for channel in SIGMA_PX]
        looks: dict[str, tuple[DepthReading, ...]] = {
            channel: (image,) for channel, image in zip(SIGMA_PX, images, strict=True)
        }
        looks["triple"] = tuple(images)
        looks["one mark lost"] = tuple(without_mark(image, 1) for image in images)
        for name, look in looks.items() if number else ():
            reading = combine_readings(state, look)
            error = reading.depth_nm - last - STEP_NM
            found[name, number] = (error / reading.step_sigma_nm) ** 2
        taken = combine_readings(state, tuple(images))
        state, last = advance(state, taken), taken.depth_nm
    return found


@pytest.mark.timeout(300)
def test_the_error_of_a_step_is_what_it_claims_from_the_second_slice_on() -> None:
    """χ²/dof of a thickness is 1 within its error: of the first image of whatever voltage against the triple
    before it, where the zeros do not cancel, of triple against triple, where they do, and of a lost mark."""
    runs = [scores(seed) for seed in range(RUNS)]
    error = np.sqrt(2.0 / RUNS)
    for look in runs[0]:
        chi2 = float(np.mean([run[look] for run in runs]))
        assert chi2 == pytest.approx(1.0, abs=3.0 * error), look


def test_the_first_face_has_no_step() -> None:
    """Nothing was milled before it."""
    rng = np.random.default_rng(0)
    state = start_ruler(SCENE.marks(), SCENE.pixel_size_nm)
    assert np.isnan(combine_readings(state, (image_of("2kV", 0.0, rng),)).step_sigma_nm)


def test_a_channel_that_appears_later_steps_from_where_it_was_learned() -> None:
    """Its zeros carry the error of the depth they were learned at, which cancels in the next step."""
    chi2: list[float] = []
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        state = start_ruler(SCENE.marks(), SCENE.pixel_size_nm)
        for number, channels in enumerate((("1kV",), ("1kV", "2kV"))):
            images = tuple(image_of(name, STEP_NM * number, rng) for name in channels)
            state = advance(state, combine_readings(state, images))
        alone = combine_readings(state, (image_of("2kV", 2.0 * STEP_NM, rng),))
        chi2.append(((alone.depth_nm - state.depth_nm - STEP_NM) / alone.step_sigma_nm) ** 2)
    assert float(np.mean(chi2)) == pytest.approx(1.0, abs=4.0 * np.sqrt(2.0 / RUNS))


def doubtful(magnifications: list[float], seed: int) -> tuple[RulerState, list[DepthReading]]:
    rng = np.random.default_rng(seed)
    state, readings = start_ruler(SCENE.marks(), SCENE.pixel_size_nm), list[DepthReading]()
    for number, magnification in enumerate(magnifications):
        images = tuple(image_of(name, STEP_NM * number, rng, magnification) for name in SIGMA_PX)
        readings.append(combine_readings(state, images))
        state = advance(state, readings[-1])
    return state, readings


def told(readings: list[DepthReading], words: str) -> list[int]:
    return [n for n, reading in enumerate(readings) if any(words in note for note in reading.notes)]


@pytest.mark.parametrize("seed", range(2))
def test_one_odd_slice_is_neither_told_nor_remembered_as_a_magnification(seed: int) -> None:
    """The slices after it are solved with the magnification of before, and say nothing either; the slice's
    own depth is right all the same."""
    state, readings = doubtful([0.0] * 4 + [2e-3] + [0.0] * 4, seed)
    assert readings[4].changed
    assert told(readings, "magnification") == []
    assert np.abs(state.magnification).max() < 3e-4
    assert readings[4].depth_nm == pytest.approx(40.0, abs=5.0 * readings[4].depth_sigma_nm)


@pytest.mark.parametrize("seed", range(2))
def test_a_magnification_that_has_changed_is_told_once_a_second_slice_has_it(seed: int) -> None:
    """Taken out of the depth on its first slice, told on its second, and usual from then on."""
    state, readings = doubtful([0.0] * 4 + [2e-3] * 6, seed)
    assert told(readings, "magnification has changed") == [5]
    assert state.magnification == pytest.approx([2e-3] * 3, abs=6e-4)
    for number, reading in enumerate(readings[1:], start=1):
        assert abs(reading.depth_nm - STEP_NM * number) < 5.0 * reading.depth_sigma_nm


def test_a_steady_magnification_is_never_told_as_changed() -> None:
    """Noise as large as it claims, 15 runs of 12 slices: no note on magnification or disagreement."""
    for seed in range(15):
        _, readings = doubtful([0.0] * 12, seed)
        assert told(readings, "magnification") == []
        assert told(readings, "disagree") == []


def disagreeing(image: DepthReading) -> DepthReading:
    """Every mark off by ten times its error, as no shift, depth or magnification can make it."""
    (marks,) = image.images
    off_px = (0.5, -0.5, -0.5, 0.5)
    fits = tuple(replace(fit, x_px=fit.x_px + off) for fit, off in zip(marks.marks, off_px, strict=True))
    return replace(image, images=(replace(marks, marks=fits),))


def test_marks_that_disagree_widen_the_error_at_once_and_are_told_when_they_do_so_again() -> None:
    """On slices 4, 6 and 7: only the last is the second one running."""
    rng = np.random.default_rng(4)
    state, readings = start_ruler(SCENE.marks(), SCENE.pixel_size_nm), list[DepthReading]()
    for number in range(9):
        image = image_of("2kV", STEP_NM * number, rng)
        readings.append(combine_readings(state, (disagreeing(image) if number in (4, 6, 7) else image,)))
        state = advance(state, readings[-1])
    assert readings[4].sigma_nm > 5.0 * readings[3].sigma_nm
    assert told(readings, "disagree") == [7]
