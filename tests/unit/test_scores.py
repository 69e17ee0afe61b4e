"""Scores against the papers' equations, worked by hand, and against what they must not depend on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from algorithms.scores import (
    confusion,
    dice,
    inner_misplaced_percent,
    intersection_over_union,
    mean_dice,
    misplaced_percent,
    missed_percent,
    solid_fraction,
    weighted_error_percent,
)

TRUTH = np.array([[0, 0, 0, 0, 0, 0, 1, 1, 1, 1]], dtype=np.uint8)
FOUND = np.array([[0, 0, 0, 0, 0, 1, 1, 1, 1, 0]], dtype=np.uint8)

labels = arrays(np.uint8, (3, 8), elements=st.integers(0, 2))


def test_confusion_counts_true_phases_in_rows():
    """Row = truth, column = what was found."""
    assert confusion(TRUTH, FOUND).tolist() == [[5, 1], [1, 3]]


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (misplaced_percent, 20.0),
        (missed_percent, 25.0),
        (lambda matrix: dice(matrix, 1), 6 / 8),
        (lambda matrix: dice(matrix, 0), 10 / 12),
        (mean_dice, (6 / 8 + 10 / 12) / 2),
        (lambda matrix: intersection_over_union(matrix, 1), 3 / 5),
        (weighted_error_percent, 100 * (1 - 0.6 * 5 / 7 - 0.4 * 3 / 5)),
    ],
)
def test_scores_of_ten_pixels_worked_by_hand(score, expected):
    """Two of ten pixels are wrong: one gold pixel missed, one invented."""
    assert score(confusion(TRUTH, FOUND)) == pytest.approx(expected)


def test_what_lies_off_the_boundaries_is_counted_apart():
    """On a half-plane: a whole wrong column beside the boundary is none of it, a pixel deep inside is all,
    and faces do not see each other."""
    truth = np.zeros((2, 8, 8), dtype=np.uint8)
    truth[0, :, 4:] = 1
    found = truth.copy()
    found[0, :, 4] = 0
    assert inner_misplaced_percent(truth, found) == 0.0
    assert misplaced_percent(confusion(truth, found)) == pytest.approx(100 * 8 / 128)
    found[0, 2, 7] = 0
    found[1, 3, 4] = 1
    assert inner_misplaced_percent(truth, found) == pytest.approx(100 * 2 / 128)


def test_the_truth_is_perfect():
    """MP, MGP and awe of the truth are 0, its Dice is 1, whatever phases it has."""
    matrix = confusion(TRUTH, TRUTH, phases=3)[:2, :2]
    assert (misplaced_percent(matrix), missed_percent(matrix), weighted_error_percent(matrix)) == (0, 0, 0)
    assert mean_dice(matrix) == 1


def test_what_has_no_meaning_is_not_a_number():
    """The share of missed gold where there is no gold is NaN, not 0."""
    empty = np.zeros((4, 4), dtype=np.uint8)
    assert math.isnan(missed_percent(confusion(empty, empty)))
    assert math.isnan(solid_fraction(empty[:0]))


@given(labels, labels)
def test_slices_add_up(truth, found):
    """A stack's matrix is the sum of its slices' matrices."""
    parts = sum(confusion(a, b, 3) for a, b in zip(truth, found, strict=True))
    assert np.array_equal(parts, confusion(truth, found, 3))


@given(labels, labels)
def test_scores_stay_in_their_ranges(truth, found):
    """Percentages lie in 0–100, IoU never exceeds Dice, and Dice is symmetric."""
    matrix = confusion(truth, found, 3)
    assert 0 <= misplaced_percent(matrix) <= 100
    assert -1e-9 <= weighted_error_percent(matrix) <= 100
    for phase in range(3):
        overlap = dice(matrix, phase)
        if not math.isnan(overlap):
            assert intersection_over_union(matrix, phase) <= overlap <= 1
            assert overlap == pytest.approx(dice(matrix.T, phase))


@given(labels)
def test_solid_is_everything_but_pore(truth):
    """The solid fraction counts all phases but 0."""
    assert solid_fraction(truth) == pytest.approx(1 - np.mean(truth == 0))


@pytest.mark.parametrize(
    ("truth", "found", "said"),
    [(TRUTH, FOUND[:, :5], "shapes"), (TRUTH, FOUND + 2, "labels reach 3")],
)
def test_what_cannot_be_compared_is_refused(truth, found, said):
    """Different shapes and labels beyond the phases are errors that say which."""
    with pytest.raises(ValueError, match=said):
        confusion(truth, found)
