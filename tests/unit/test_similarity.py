"""Thickness from image similarity: follows the truth without a ruler, and knows when it cannot."""

import numpy as np
import pytest
from numpy.typing import NDArray

from algorithms.similarity import SimilarThickness, add_face, start_similarity
from algorithms.structures import levelled_wave_field

MEAN_NM = 10.0


def faces_at(depths_nm: NDArray[np.float64], rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Faces of a smooth random structure (wavelength 120 nm), with noise and wandering contrast."""
    field = levelled_wave_field(96, 5.0, 120.0, rng)
    size = len(field.values)
    faces: list[NDArray[np.float64]] = []
    for depth in depths_nm / field.spacing_nm:
        low, part = int(depth), depth - int(depth)
        plane = (1 - part) * field.values[low % size] + part * field.values[(low + 1) % size]
        gain = rng.uniform(0.7, 1.3)
        faces.append(100.0 + gain * (20.0 * plane + 6.0 * rng.standard_normal(plane.shape)))
    return faces


def follow(faces: list[NDArray[np.float64]]) -> list[SimilarThickness]:
    state, found = start_similarity(MEAN_NM), []
    for face in faces:
        state, thickness = add_face(state, face)
        found.append(thickness)
    return found


def test_thickness_follows_the_truth_without_a_ruler() -> None:
    """After the curve is learned, estimates correlate with the truth and beat assuming the mean."""
    rng = np.random.default_rng(1)
    milled = rng.gamma(10.6, MEAN_NM / 10.6, 45)
    found = follow(faces_at(np.cumsum(milled), rng))[15:]
    estimates = np.array([thickness.thickness_nm for thickness in found])
    truth = milled[15:]
    assert np.corrcoef(estimates, truth)[0, 1] > 0.85
    assert np.sqrt(np.mean((estimates - truth) ** 2)) < 0.6 * np.std(truth)
    assert np.mean([thickness.sigma_nm for thickness in found]) < MEAN_NM


def test_nothing_is_said_before_the_curve_is_learned() -> None:
    """The first faces give NaN, not the mean in disguise."""
    rng = np.random.default_rng(2)
    found = follow(faces_at(MEAN_NM * np.arange(4.0), rng))
    assert all(np.isnan(thickness.thickness_nm) for thickness in found)
    assert [len(thickness.correlations) for thickness in found] == [0, 1, 2, 3]


def test_faces_that_share_nothing_give_no_thickness() -> None:
    """Slices farther apart than the structure reaches: NaN, because no distance can be told."""
    rng = np.random.default_rng(3)
    found = follow([rng.standard_normal((64, 64)) for _ in range(20)])
    assert np.isnan(found[-1].thickness_nm)


def test_a_scale_of_nothing_is_refused() -> None:
    """Similarity has no scale of its own."""
    with pytest.raises(ValueError, match="scale"):
        start_similarity(0.0)
