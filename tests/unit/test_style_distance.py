"""How far two sets of images are apart in style: what is known exactly comes out."""

from __future__ import annotations

import numpy as np
import pytest

from models.style_distance import earth_movers_distance, style_distance

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(0, 0.3, (3, 64, 64)).astype(np.float32)


def test_the_distance_of_shifted_and_stretched_values_is_known() -> None:
    """A shift costs itself; a stretch by s about 0 costs |s − 1|·E|x|."""
    assert earth_movers_distance(IMAGES, IMAGES + np.float32(0.2)) == pytest.approx(0.2, rel=1e-3)
    assert earth_movers_distance(IMAGES, 2 * IMAGES) == pytest.approx(float(np.abs(IMAGES).mean()), rel=0.02)


def test_what_lies_where_does_not_matter_and_contrast_under_noise_does() -> None:
    """Turned images are of one style; a pattern that noise hides pixel by pixel is seen from afar."""
    assert style_distance(IMAGES, np.ascontiguousarray(np.rot90(IMAGES, 2, (1, 2)))) < 1e-5
    pattern = np.kron(RNG.choice([-0.1, 0.1], (16, 16)), np.ones((4, 4))).astype(np.float32)
    quieter = np.sqrt(np.float32(0.3**2 - 0.1**2)) / np.float32(0.3) * IMAGES + pattern
    assert style_distance(IMAGES, quieter) > 5 * style_distance(
        IMAGES, np.flip(IMAGES, 1) * np.float32(1.001)
    )
