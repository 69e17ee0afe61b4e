"""The metrics against PoreSpy, which was written by others."""

import numpy as np
import porespy
import pytest
from numpy.typing import NDArray

from algorithms.correlation import two_point_correlation
from algorithms.lineal_path import chord_length_counts, lineal_path_counts
from algorithms.local_thickness import mean_thickness_px, thickness_counts
from algorithms.volume_metrics import add_plane, start_metrics


@pytest.fixture(scope="module")
def blobs() -> NDArray[np.bool_]:
    """An isotropic random solid, about 15 px wide."""
    return np.asarray(
        porespy.generators.blobs([72, 72, 72], porosity=0.3, blobiness=0.8, seed=4), dtype=np.bool_
    )


def test_two_point_correlation(blobs: NDArray[np.bool_]) -> None:
    """PoreSpy averages over all directions; the mean of x, y and z agrees within the sampling of the
    volume.
    """
    theirs = porespy.metrics.two_point_correlation(blobs, bins=np.arange(0.5, 21.5))
    ours = two_point_correlation(blobs, 20).mean(axis=0)
    np.testing.assert_allclose(ours[1:], theirs.probability_scaled, atol=0.015)


@pytest.mark.parametrize(("axis", "row"), [(2, 0), (1, 1), (0, 2)], ids=["x", "y", "z"])
def test_chord_lengths(blobs: NDArray[np.bool_], axis: int, row: int) -> None:
    """The number of chords of every length, from the streamed path counts, is PoreSpy's, chord for chord."""
    labels = porespy.filters.apply_chords(blobs, axis=axis, trim_edges=False, label=True)
    state = start_metrics(72, 72, lags=74)
    for plane in labels > 0:
        state = add_plane(state, plane.astype(np.uint8))
    ours = chord_length_counts(state.region.counts.paths[row].sum(axis=(-2, -1)))
    lengths = np.bincount(labels[labels > 0].ravel())[1:]
    np.testing.assert_array_equal(ours, np.bincount(lengths[lengths > 0], minlength=74)[1:74])


def test_local_thickness(blobs: NDArray[np.bool_]) -> None:
    """Mean local thickness of faces is PoreSpy's within 7 %; PoreSpy takes distances to pore centres, we
    discs.
    """
    diameters = tuple(range(1, 40))
    counts = sum(thickness_counts(face, diameters) for face in blobs[::8])
    theirs = [2.0 * porespy.filters.local_thickness(face)[face] for face in blobs[::8]]
    assert mean_thickness_px(counts, diameters) == pytest.approx(np.concatenate(theirs).mean(), rel=0.07)


def test_chords_follow_from_the_paths_of_a_known_row() -> None:
    """Runs of 3, 1 and 4 px are found as such."""
    row = np.asarray([[[1, 1, 1, 0, 1, 0, 1, 1, 1, 1]]], dtype=np.bool_)
    assert chord_length_counts(lineal_path_counts(row, 6)[0]).tolist() == [1, 0, 1, 1, 0]
