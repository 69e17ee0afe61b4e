"""Shift of a patch: known truth recovered near its bound, by an error that is what it claims, unfooled."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.registration import phase_cross_correlation

from algorithms.registration import ShiftEstimate, estimate_shift, reference_of
from algorithms.residual_noise import noise_variance
from benchmarks.fiducial_scene import FiducialScene, bound_px, other_voltage, picture

SCENE = FiducialScene(side_px=128, pad_px=86.0, arm_px=62.0, trench_px=9.0)


def register(reference: NDArray[np.uint8], moving: NDArray[np.uint8], **options: object) -> ShiftEstimate:
    first = reference.astype(np.float32)
    prepared = reference_of(first, noise_variance(first), noise_variance(first))
    return estimate_shift(prepared, moving, (0, 0), search_px=8, **options)  # type: ignore[arg-type]


def errors(
    reference: FiducialScene, moving: FiducialScene, pairs: int = 8, **options: object
) -> tuple[NDArray[np.float64], list[ShiftEstimate]]:
    """Errors (pairs, 2) and the estimates, for random shifts of up to 3 px."""
    rng = np.random.default_rng(5)
    found: list[ShiftEstimate] = []
    wrong: list[tuple[float, float]] = []
    for truth in rng.uniform(-3, 3, (pairs, 2)):
        first = picture(reference, (0.0, 0.0), rng)
        found.append(register(first, picture(moving, (truth[0], truth[1]), rng), **options))
        wrong.append((found[-1].dy_px - truth[0], found[-1].dx_px - truth[1]))
    return np.array(wrong), found


def test_the_shift_is_what_scikit_image_returns() -> None:
    """Our sign and order of axes are those of ``phase_cross_correlation(reference, moving)``."""
    rng = np.random.default_rng(0)
    clean = replace(SCENE, dose=5000.0)
    first, moved = picture(clean, (0.0, 0.0), rng), picture(clean, (2.0, -5.0), rng)
    peer = phase_cross_correlation(first, moved, normalization=None)[0]
    ours = register(first, moved)
    assert np.allclose(peer, [2.0, -5.0])
    assert np.allclose([ours.dy_px, ours.dx_px], peer, atol=0.02)


@pytest.mark.parametrize("dose", [400.0, 60.0])
def test_a_clean_mark_is_registered_near_its_bound(dose: float) -> None:
    """RMSE within 1.5 of the bound of two noisy pictures (16 components scatter by a fifth), χ² about 1."""
    scene = replace(SCENE, dose=dose)
    wrong, found = errors(scene, scene)
    rmse, bound = np.sqrt((wrong**2).mean()), bound_px(scene, scene)
    assert rmse < 1.5 * bound
    sigma = np.mean([f.sigma_px for f in found])
    assert 0.75 * bound < sigma < 1.5 * bound
    assert all(f.quality > 0.9 for f in found)


def test_an_averaged_reference_halves_the_variance() -> None:
    """Against a noise-free reference the claimed variance is half of that between two noisy pictures."""
    rng = np.random.default_rng(3)
    noisy, exact = picture(SCENE, (0.0, 0.0), rng), picture(replace(SCENE, dose=1e5), (0.0, 0.0), rng)
    moved = picture(SCENE, (1.3, 0.4), rng)
    pair, single = (register(reference, moved) for reference in (noisy, exact))
    assert single.covariance_px2.trace() / pair.covariance_px2.trace() == pytest.approx(0.5, abs=0.15)


CONDITIONS = {
    "inverted": (SCENE, other_voltage(SCENE), 0.1),
    "softer": (SCENE, replace(SCENE, blur_px=2.4), 0.1),
    "brighter": (SCENE, replace(SCENE, dark=90.0, bright=180.0), 0.1),
    "curtains": (replace(SCENE, curtain=10.0), replace(SCENE, curtain=10.0), 0.15),
    "half eroded": (SCENE, replace(SCENE, eroded=0.48), 0.3),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_a_long_run_does_to_a_mark(condition: str) -> None:
    """The shift stays right, and its error is within five of the claimed ones."""
    reference, moving, limit_px = CONDITIONS[condition]
    wrong, found = errors(reference, moving, pairs=4, any_polarity=condition == "inverted")
    claimed = np.array([np.sqrt(np.diag(f.covariance_px2)) for f in found])
    assert np.abs(wrong).max() < limit_px
    assert np.all(np.abs(wrong) < 5.0 * claimed)
    assert all((f.gain < 0) == (condition == "inverted") for f in found)


def test_stripes_that_stay_in_place_do_not_hold_the_shift() -> None:
    """The same curtains in both pictures, not moving with the mark, do not pull x towards 0."""
    rng = np.random.default_rng(9)
    stripes = np.rint(12.0 * np.sin(np.arange(SCENE.side_px) * 1.1) + rng.normal(0, 8, SCENE.side_px))
    first, moved = (picture(SCENE, shift, rng) + stripes for shift in ((0.0, 0.0), (0.0, 2.5)))
    found = register(*(image.clip(0, 255).astype(np.uint8) for image in (first, moved)))
    assert found.dx_px == pytest.approx(2.5, abs=0.15)


def test_an_eroded_mark_says_how_much_is_left() -> None:
    """`trusted` falls with the part of the mark that is gone."""
    whole, half = (errors(SCENE, replace(SCENE, eroded=e), pairs=2)[1][0].trusted for e in (0.0, 0.48))
    assert whole > 0.95
    assert 0.3 < half < 0.75


def test_noise_is_no_mark() -> None:
    """Where there is nothing but noise, or another structure, the quality says so."""
    rng = np.random.default_rng(2)
    first = picture(SCENE, (0.0, 0.0), rng)
    flat = rng.poisson(100.0, first.shape).astype(np.uint8)
    blobs = (120 + 60 * np.sign(np.sin(np.arange(128) / 9.0)[:, None] * np.sin(np.arange(128) / 7.0))).astype(
        np.uint8
    )
    assert register(first, flat).quality < 0.3
    assert register(first, blobs).quality < 0.3


def test_a_patch_that_leaves_the_image_is_still_registered() -> None:
    """A fifth of the mark outside the image costs precision, not correctness."""
    rng = np.random.default_rng(4)
    first, moved = picture(SCENE, (0.0, 0.0), rng), picture(SCENE, (25.2, 0.3), rng)
    prepared = reference_of(first.astype(np.float32), 100.0, 100.0)
    found = estimate_shift(prepared, moved, (0, 0), expected=(25.0, 0.0), search_px=6)
    assert [found.dy_px, found.dx_px] == pytest.approx([25.2, 0.3], abs=0.15)


def test_a_tiny_patch_is_refused() -> None:
    """Below 24 px there is nothing to fit, and the message names the remedy."""
    with pytest.raises(ValueError, match="at least 24 px"):
        estimate_shift(reference_of(np.ones((16, 40), np.float32), 1.0, 1.0), np.ones((64, 64)), (0, 0))


def test_half_a_mark_gives_an_unbiased_shift_that_knows_its_error() -> None:
    """The eroded half is left out with what its border bleeds into: right on average, χ²/dof about 1.

    With the border's pixels in, 24 shifts are 0.03 px off to the eroded side.
    """
    whole = FiducialScene()
    wrong, found = errors(whole, replace(whole, eroded=0.5), pairs=24, any_polarity=True)
    squares = [e @ np.linalg.solve(f.covariance_px2, e) / 2.0 for e, f in zip(wrong, found, strict=True)]
    assert np.abs(wrong.mean(axis=0)).max() < 0.022
    assert np.mean(squares) < 1.4
