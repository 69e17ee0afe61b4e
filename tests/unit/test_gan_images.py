"""Images of both styles: alike where they show the same structure, kept, and repeatable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.errors import CheckpointDamagedError
from models.gan_images import FaceDesign, below_face, fast_face, monte_carlo_face, monte_carlo_faces

DESIGN = FaceDesign(side_px=48, electrons=40)


def test_both_styles_show_the_same_structure() -> None:
    """At 1 kV: bright where there is gold on the face, and counts of 40 electrons."""
    gold = below_face(DESIGN, 1.0, 7)[0] == 1
    counted, fast = monte_carlo_face(DESIGN, 1.0, 1, 7), fast_face(DESIGN, 1.0, 7)
    for image in (counted, fast):
        assert image[gold].mean() > image[~gold].mean() + 0.15
    np.testing.assert_allclose(40 * counted, np.rint(40 * counted), atol=1e-4)
    assert abs(float(counted.mean()) - float(fast.mean())) < 0.05


def test_the_same_seed_gives_the_same_counts_on_any_number_of_threads() -> None:
    """As the simulation promises."""
    np.testing.assert_array_equal(monte_carlo_face(DESIGN, 1.0, 1, 8), monte_carlo_face(DESIGN, 1.0, 2, 8))


def test_images_are_kept_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    """Made once; another design is another file."""
    told: list[str] = []
    first = monte_carlo_faces(DESIGN, 1.0, [7], tmp_path, 1, told.append)
    again = monte_carlo_faces(DESIGN, 1.0, [7], tmp_path, 1, told.append)
    np.testing.assert_array_equal(first, again)
    assert len(told) == 1
    (path,) = tmp_path.glob("face_1kv_7_*.npy")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointDamagedError, match="made anew"):
        monte_carlo_faces(DESIGN, 1.0, [7], tmp_path, 1, told.append)
