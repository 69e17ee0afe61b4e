"""Previews are small, exact in scale, and never invent a label."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.items import Status
from daemon.preview import Cuts, Face, block_centre, block_mean, preview_message


def test_means_and_scale_are_exact() -> None:
    """A 3072 × 2048 face shrinks by a whole factor, keeps its means, and its pixel grows by that factor."""
    rng = np.random.default_rng(3)
    image = rng.integers(0, 255, (2048, 3072), dtype=np.uint8)
    face = Face(4, Status.FINAL, {"1kV": image}, (4.137, 3.26), labels=(image > 128).astype(np.uint8))
    message = preview_message(face, None)
    picture = message.arrays["image/1kV"]
    assert picture.shape == (512, 768)
    assert message.image_pixel_nm == pytest.approx((16.548, 13.04))
    assert picture[5, 7] == pytest.approx(image[20:24, 28:32].mean(), abs=0.51)
    assert message.arrays["labels"][5, 7] == (image[22, 30] > 128)


def test_odd_sizes_lose_less_than_a_block() -> None:
    """Pictures of one face have one shape whatever the remainder."""
    image = np.ones((101, 203), np.uint8)
    assert block_mean(image, 4).shape == block_centre(image, 4).shape == (25, 50)


def test_labels_stay_labels() -> None:
    """Reducing a three-phase map yields only phases that are there."""
    labels = np.random.default_rng(0).choice(np.array([0, 2], np.uint8), (90, 90))
    assert set(np.unique(block_centre(labels, 3))) == {0, 2}


def test_sixteen_bits_are_stretched_to_eight() -> None:
    """A detector that uses a hundred of its 65536 grey values is still seen."""
    image = np.tile(np.linspace(30_000, 30_100, 200).astype(np.uint16), (50, 1))
    picture = preview_message(Face(0, Status.PROVISIONAL, {"a": image}, (1.0, 1.0)), None).arrays["image/a"]
    assert picture.min() < 5
    assert picture.max() > 250


def test_cuts_share_one_scale() -> None:
    """All three cuts are reduced by one factor, so that one scale bar serves them."""
    cuts = Cuts(
        {
            "xy": np.ones((300, 1600), np.uint8),
            "xz": np.ones((40, 1600), np.uint8),
            "yz": np.ones((40, 300), np.uint8),
        },
        {"xy": 20, "xz": 150, "yz": 800},
        2.5,
        final_rows=31,
    )
    face = Face(1, Status.FINAL, {"a": np.zeros((8, 8), np.uint8)}, (1.0, 1.0))
    message = preview_message(face, cuts)
    assert message.cut_pixel_nm == 7.5
    assert message.cut_final_rows == 10
    assert [message.arrays[f"cut/{n}"].shape for n in ("xy", "xz", "yz")] == [
        (100, 533),
        (13, 533),
        (13, 100),
    ]
