"""A run's images in one frame: absolute, honest about what carried them, never lost without saying so."""

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from algorithms.fiducials import (
    FiducialRegion,
    Registration,
    RegistrationState,
    in_registration_order,
    place_image,
    register_image,
    start_registration,
)
from benchmarks.fiducial_scene import FiducialScene, other_voltage, picture

MARK = FiducialScene(side_px=96, pad_px=62.0, arm_px=46.0, trench_px=8.0, dose=100.0)
PLACES = ((16, 24), (16, 200))
REGIONS = tuple(FiducialRegion(x + 4, y + 4, 88, 88, search_px=10) for y, x in PLACES)
SHAPE = (224, 320)
CHANNELS = ("1kV", "2kV", "4kV")
NOTHING = replace(MARK, trench_depth=0.0, pad_px=0.0)


def face(seed: int) -> NDArray[np.float64]:
    """A grey texture like a face, (112, 288)."""
    noise = np.random.default_rng(seed).normal(size=(140, 320))
    texture = ndimage.gaussian_filter(noise, 4.0)
    return 110.0 + 25.0 * texture / texture.std()


FACE = face(1)


def frame(
    rng: np.random.Generator,
    shift: tuple[float, float] = (0.0, 0.0),
    marks: tuple[FiducialScene, ...] = (MARK, MARK),
    texture: NDArray[np.float64] = FACE,
) -> NDArray[np.uint8]:
    """An image with two marks above a face, all of it shifted; whole px by placing, the rest analytically."""
    whole = [round(s) for s in shift]
    rest = (shift[0] - whole[0], shift[1] - whole[1])
    image = np.clip(rng.normal(70.0, 6.0, SHAPE), 0, 255)
    moved = ndimage.shift(texture, [-s for s in shift], order=3, mode="nearest")[14:126, 16:304]
    image[104:216, 16:304] = moved + rng.normal(0.0, 6.0, moved.shape)
    for (y, x), mark in zip(PLACES, marks, strict=True):
        y, x = y - whole[0], x - whole[1]
        image[y : y + 96, x : x + 96] = picture(mark, rest, rng)
    return image.clip(0, 255).astype(np.uint8)


def started(rng: np.random.Generator, regions: tuple[FiducialRegion, ...] = REGIONS) -> RegistrationState:
    state = start_registration(regions, CHANNELS, "2kV")
    return register_image(state, "2kV", frame(rng))[0]


def wrong_px(result: Registration, shift: tuple[float, float]) -> float:
    return float(np.hypot(result.dy_px - shift[0], result.dx_px - shift[1]))


def test_the_first_reference_image_defines_the_frame() -> None:
    """Its shift is 0, and the other channels of that slice are measured against it, inverted or not."""
    rng = np.random.default_rng(0)
    state, first = register_image(start_registration(REGIONS, CHANNELS, "2kV"), "2kV", frame(rng))
    assert (first.dy_px, first.dx_px, first.sigma_px) == (0.0, 0.0, 0.0)
    inverted = other_voltage(MARK)
    _, other = register_image(state, "1kV", frame(rng, (1.6, -2.3), (inverted, inverted)))
    assert other.source == "fiducial"
    assert wrong_px(other, (1.6, -2.3)) < 0.1
    assert all(mark.gain < 0 for mark in other.fiducials)


def test_an_image_may_be_placed_without_learning_from_it() -> None:
    """The same answer, for the channel that defines the frame and for one that it is compared with."""
    rng = np.random.default_rng(4)
    state = register_image(started(rng), "4kV", frame(rng))[0]
    for channel in ("2kV", "4kV"):
        image = frame(rng, (1.2, 0.7))
        assert place_image(state, channel, image) == register_image(state, channel, image)[1]


def test_errors_do_not_accumulate() -> None:
    """After twenty slices in two channels the error is what it was, and what `sigma_px` claims."""
    rng = np.random.default_rng(1)
    state, early, late = started(rng), [], []
    for number in range(14):
        for channel in ("2kV", "4kV"):
            shift = (float(rng.normal(0, 2)), float(rng.normal(0, 2)))
            state, result = register_image(state, channel, frame(rng, shift))
            (early if number < 7 else late).append(wrong_px(result, shift) / result.sigma_px)
    assert np.sqrt(np.mean(np.square(late)) / 2) < 2.0
    assert np.mean(late) < 2.0 * np.mean(early) + 0.5


def test_the_same_image_gives_the_same_answer() -> None:
    """A step is pure: neither the state nor the image is changed, and repeating it repeats the result."""
    rng = np.random.default_rng(2)
    state, image = started(rng), frame(rng, (0.4, 1.1))
    kept = image.copy()
    assert register_image(state, "2kV", image)[1] == register_image(state, "2kV", image)[1]
    assert np.array_equal(image, kept)


def test_one_lost_mark_is_left_out() -> None:
    """The other mark carries the image, at lower quality, and a note names the lost one."""
    rng = np.random.default_rng(3)
    _, result = register_image(started(rng), "2kV", frame(rng, (0.7, -1.2), (NOTHING, MARK)))
    assert result.source == "fiducial"
    assert not result.lost
    assert wrong_px(result, (0.7, -1.2)) < 0.15
    assert [mark.used for mark in result.fiducials] == [False, True]
    assert any("fiducial 0" in note for note in result.notes)
    assert result.quality < 0.8


@pytest.mark.parametrize("level", [0, 255], ids=["black", "white"])
def test_an_area_of_one_grey_value_over_a_mark_leaves_the_others_and_the_face(level: int) -> None:
    """A mark and all of its search window without any structure: the other mark registers the image; with
    both covered the face does; and an image of one grey value is lost, not an error."""
    rng = np.random.default_rng(21)
    state, shift = started(rng), (0.8, -1.3)
    image = frame(rng, shift)
    image[:120, :150] = level
    one = register_image(state, "2kV", image)[1]
    assert (one.source, [mark.used for mark in one.fiducials]) == ("fiducial", [False, True])
    assert wrong_px(one, shift) < 0.1
    image[:120] = level
    none = register_image(state, "2kV", image)[1]
    assert (none.source, none.lost) == ("face", False)
    assert none.fiducials, "how well each mark was recognised"
    assert not any(mark.used for mark in none.fiducials)
    assert wrong_px(none, shift) < 5.0 * none.sigma_px
    assert register_image(state, "2kV", np.full_like(image, level))[1].lost


def test_a_mark_that_left_the_image_is_not_found_in_something_else() -> None:
    """After a jump that takes the only mark out of the image, something in the face looks a little like it:
    its place is not believed with a small error, nothing is learned of it, and back home all is as before."""
    for seed in (4, 5, 8):
        rng = np.random.default_rng(seed)
        texture = ndimage.gaussian_filter(rng.normal(size=(300, 400)), 2.5) > 0.02
        scene = 90.0 * ndimage.gaussian_filter(texture.astype(float), 1.2) + 30.0
        cross = np.zeros(scene.shape)
        cross[60:100, 190:206] = cross[72:88, 170:226] = 80.0
        scene = scene + ndimage.gaussian_filter(cross, 1.2)

        def image(*moved: float, scene=scene, rng=rng) -> NDArray[np.uint8]:
            shifted = ndimage.shift(scene, moved, order=1, mode="nearest")
            return np.clip(shifted + rng.normal(0.0, 8.0, scene.shape), 0, 255).astype(np.uint8)

        state = start_registration((FiducialRegion(160, 50, 76, 60, 32),), ("2kV",), "2kV")
        for _ in range(3):
            state, _ = register_image(state, "2kV", image(0.0, 0.0))
        for _ in range(2):
            state, away = register_image(state, "2kV", image(150.0, 250.0))
            assert away.lost or wrong_px(away, (-150.0, -250.0)) < 5.0 * away.sigma_px
        _, back = register_image(state, "2kV", image(0.0, 0.0))
        assert (back.source, back.lost) == ("fiducial", False)
        assert wrong_px(back, (0.0, 0.0)) < 0.1


def test_another_mark_of_the_same_looks_is_not_taken_for_a_covered_one() -> None:
    """Its twin elsewhere in the image fits perfectly; the face, which has not moved, knows better."""
    rng = np.random.default_rng(22)
    state, image = started(rng, REGIONS[:1]), frame(rng, (0.8, -1.3))
    image[:120, :150] = 0
    found = register_image(state, "2kV", image)[1]
    assert found.source == "face"
    assert wrong_px(found, (0.8, -1.3)) < 5.0 * found.sigma_px


def test_without_marks_the_face_decides_and_says_so() -> None:
    """Source and a larger error tell the fall-back; the shift is right within it."""
    rng = np.random.default_rng(4)
    state = started(rng)
    state, normal = register_image(state, "2kV", frame(rng, (0.5, 0.5)))
    _, result = register_image(state, "2kV", frame(rng, (1.3, -2.4), (NOTHING, NOTHING)))
    assert result.source == "face"
    assert not result.lost
    assert result.sigma_px > normal.sigma_px
    assert wrong_px(result, (1.3, -2.4)) < 5.0 * result.sigma_px


def test_lost_altogether_is_said() -> None:
    """Neither mark nor face: the last shift with an error as large as the search, and nothing is learned."""
    rng = np.random.default_rng(5)
    state = started(rng)
    blank = rng.normal(100.0, 8.0, SHAPE).clip(0, 255).astype(np.uint8)
    after, result = register_image(state, "2kV", blank)
    assert result.lost
    assert result.sigma_px >= 10.0
    assert after is state


def test_a_jump_beyond_the_search_window_is_found() -> None:
    """Marks 24 px away with a search of 10 px are found again, and the note says it."""
    rng = np.random.default_rng(6)
    _, result = register_image(started(rng), "2kV", frame(rng, (11.3, 24.2)))
    assert result.source == "fiducial"
    assert wrong_px(result, (11.3, 24.2)) < 0.15
    assert any("beyond its search" in note for note in result.notes)


def test_a_surface_mark_gives_the_face_its_recession() -> None:
    """Marks stay, the face has moved up by 3 px: the face's shift is +3 px in y."""
    rng = np.random.default_rng(7)
    surface = tuple(replace(region, surface=True) for region in REGIONS)
    state = started(rng, surface)
    _, result = register_image(state, "2kV", frame(rng, (0.2, 0.4)), expected_recession_px=3.0)
    assert wrong_px(result, (3.2, 0.4)) < 0.1


def test_a_first_slice_without_the_reference_channel() -> None:
    """The first channel to come defines a provisional frame; the reference joins it later."""
    rng = np.random.default_rng(8)
    state = start_registration(REGIONS, CHANNELS, "2kV")
    state, first = register_image(state, "4kV", frame(rng))
    _, late = register_image(state, "2kV", frame(rng, (1.0, 2.0)))
    assert any("provisional" in note for note in first.notes)
    assert wrong_px(late, (1.0, 2.0)) < 0.1


def test_a_first_image_that_shows_nothing_leaves_the_frame_to_the_next() -> None:
    """A blanked beam is reported as lost; the run goes on from the first image with a mark in it."""
    rng = np.random.default_rng(12)
    state = start_registration(REGIONS, CHANNELS, "2kV")
    for blank in (np.zeros(SHAPE, np.uint8), rng.normal(90.0, 9.0, SHAPE).astype(np.uint8)):
        state, nothing = register_image(state, "2kV", blank)
        assert nothing.lost
    state, first = register_image(state, "2kV", frame(rng))
    assert (first.dy_px, first.dx_px, first.lost) == (0.0, 0.0, False)
    _, later = register_image(state, "2kV", frame(rng, (1.3, -0.7)))
    assert wrong_px(later, (1.3, -0.7)) < 0.1


def test_a_mark_that_is_covered_at_first_is_used_when_it_appears() -> None:
    """Its reference is begun by the other mark's shift, not with a picture of nothing."""
    rng = np.random.default_rng(13)
    state = start_registration(REGIONS, CHANNELS, "2kV")
    state, _ = register_image(state, "2kV", frame(rng, marks=(NOTHING, MARK)))
    state, _ = register_image(state, "2kV", frame(rng, (0.5, 0.4)))
    _, both = register_image(state, "2kV", frame(rng, (1.3, -0.7)))
    assert [mark.used for mark in both.fiducials] == [True, True]
    assert wrong_px(both, (1.3, -0.7)) < 0.1


def test_the_reference_comes_first() -> None:
    """Within a slice, the others keep their order behind it."""
    assert in_registration_order(CHANNELS, "2kV") == ("2kV", "1kV", "4kV")


def test_the_state_is_plain_data() -> None:
    """Only arrays, numbers, strings, tuples and dataclasses: a journal can store it."""

    def plain(value: object) -> bool:
        if is_dataclass(value):
            return all(plain(getattr(value, field.name)) for field in fields(value))
        if isinstance(value, tuple):
            return all(plain(item) for item in value)
        return type(value) in (bool, int, float, str, np.ndarray)

    rng = np.random.default_rng(9)
    state, _ = register_image(started(rng), "1kV", frame(rng))
    assert plain(state)


REFUSED = {
    "unknown reference": (lambda: start_registration(REGIONS, CHANNELS, "9kV"), "9kV"),
    "tiny region": (
        lambda: start_registration((FiducialRegion(0, 0, 20, 90),), CHANNELS, "2kV"),
        "fiducial 0",
    ),
    "unknown channel": (
        lambda: register_image(start_registration((), CHANNELS, "2kV"), "3kV", np.zeros(SHAPE, np.uint8)),
        "3kV",
    ),
    "region outside": (
        lambda: register_image(
            start_registration((FiducialRegion(300, 4, 88, 88),), CHANNELS, "2kV"),
            "2kV",
            np.zeros(SHAPE, np.uint8),
        ),
        "leaves the image",
    ),
}


def test_an_image_of_another_size_is_refused() -> None:
    """A changed scan area would silently shift everything."""
    rng = np.random.default_rng(10)
    with pytest.raises(ValueError, match="leave the scanned area"):
        register_image(started(rng), "2kV", frame(rng)[:-20])


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_requests_are_refused(case: str) -> None:
    """With a message that names what is wrong."""
    request, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        request()
