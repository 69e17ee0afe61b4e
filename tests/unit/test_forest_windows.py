"""Windows as a forest sees them in a run: cut where the run ends, without noise where that is asked for."""

import numpy as np
import pytest

from algorithms.denoising import non_local_means
from models.forest import AnnotatedWindow
from models.forest_features import ADJACENT_SLICES
from models.forest_windows import HALF, cut, denoised, newest, with_ends

RNG = np.random.default_rng(4)
WINDOW = AnnotatedWindow(
    RNG.integers(0, 256, (2, ADJACENT_SLICES, 12, 16), dtype=np.uint8), np.ones((12, 16), np.uint8)
)
CUTS = {
    "whole": (HALF, HALF, list(range(ADJACENT_SLICES))),
    "the newest": (HALF, 0, [*range(HALF + 1), *[HALF] * HALF]),
    "the first": (0, HALF, [*[HALF] * HALF, *range(HALF, ADJACENT_SLICES)]),
    "three before, one after": (3, 1, [*[HALF - 3] * 7, *range(HALF - 3, HALF + 2), *[HALF + 1] * 9]),
}


@pytest.mark.parametrize("case", CUTS)
def test_a_cut_history_repeats_what_is_nearest(case):
    """As the daemon fills its window at the ends of a run; labels stay."""
    before, after, chosen = CUTS[case]
    seen = cut(WINDOW, before, after)
    np.testing.assert_array_equal(seen.images, WINDOW.images[:, chosen])
    np.testing.assert_array_equal(seen.labels, WINDOW.labels)


def test_every_slice_is_taught_whole_newest_and_near_both_ends():
    """Four windows for one, in this order; near the ends some slices are missing, on one side only."""
    whole, last, late, early = with_ends([WINDOW], np.random.default_rng(0))
    np.testing.assert_array_equal(whole.images, WINDOW.images)
    np.testing.assert_array_equal(last.images, newest(WINDOW).images)
    np.testing.assert_array_equal(late.images[:, : HALF + 2], WINDOW.images[:, : HALF + 2])
    np.testing.assert_array_equal(late.images[:, -1], late.images[:, -2])
    np.testing.assert_array_equal(early.images[:, HALF:], WINDOW.images[:, HALF:])
    np.testing.assert_array_equal(early.images[:, 0], early.images[:, 1])


def test_each_image_is_denoised_by_itself():
    """The same as the daemon does to each image of a face; nothing where nothing is asked for."""
    clean = denoised(WINDOW, "non-local-means").images
    np.testing.assert_array_equal(clean[1, 3], non_local_means(WINDOW.images[1, 3]))
    np.testing.assert_array_equal(denoised(WINDOW, "none").images, WINDOW.images)
