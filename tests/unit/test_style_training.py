"""The style of an acquisition: what the networks are given, what becomes of an image, what a fit leaves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.cycle_fitting import CycleRecipe
from models.cycle_material import random_windows, turned
from models.style_training import StyleSettings, from_style, restyled, to_style, train_style
from models.translation_networks import ImageGenerator

SETTINGS = StyleSettings(
    patch_px=32,
    filters=4,
    discriminator_filters=4,
    validation_images=1,
    recipe=CycleRecipe(steps=3, epochs=2),
)


def faces(seed: int, count: int = 4) -> np.ndarray:
    """Noise on the network's scale."""
    return np.random.default_rng(seed).random((count, 48, 64), dtype=np.float32)


def test_windows_lie_inside_oblong_images() -> None:
    """At multiples of half their side, up to both far edges."""
    images = np.arange(2 * 48 * 80, dtype=np.float32).reshape(2, 48, 80)
    windows = random_windows(images, 32, 400, np.random.default_rng(0))
    corners = {(int(first) // 3840, int(first) // 80 % 48, int(first) % 80) for first in windows[:, 0, 0]}
    assert corners == {(image, y, x) for image in (0, 1) for y in (0, 16) for x in (0, 16, 32, 48)}


def test_turned_patches_are_the_eight_views_of_a_square() -> None:
    """Of which an asymmetric patch shows all."""
    patch = np.arange(4, dtype=np.float32).reshape(1, 2, 2)
    views = turned(np.repeat(patch, 200, axis=0), np.random.default_rng(0))
    assert len({view.tobytes() for view in views}) == 8


def test_the_networks_see_the_scale_from_minus_one_to_one() -> None:
    """And back."""
    images = faces(0)
    seen = to_style(images)
    assert -1 <= seen.min() <= seen.max() <= 1
    np.testing.assert_allclose(from_style(seen)[:, 0].numpy(), images, atol=1e-6)


@pytest.mark.parametrize("shape", [(48, 64), (43, 61)], ids=["strides", "any"])
def test_an_untrained_generator_changes_little_at_any_size(shape) -> None:
    """It begins near the identity."""
    torch.manual_seed(0)
    images = faces(1)[:, : shape[0], : shape[1]]
    made = restyled(ImageGenerator(4).eval(), images)
    assert made.shape == images.shape
    assert np.abs(made - images).mean() < 0.15


def test_a_fit_that_was_cut_off_ends_like_one_that_was_not(tmp_path) -> None:
    """The same generator, and a picture of each epoch."""
    whole = train_style(SETTINGS, 2.0, faces(0), faces(1), tmp_path / "whole", lambda _line: None)

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_style(SETTINGS, 2.0, faces(0), faces(1), tmp_path / "cut", stop)
    again = train_style(SETTINGS, 2.0, faces(0), faces(1), tmp_path / "cut", lambda _line: None)
    np.testing.assert_array_equal(again(faces(2)), whole(faces(2)))
    assert [one.validation_loss for one in again.history] == [one.validation_loss for one in whole.history]
    names = sorted(path.name for path in (tmp_path / "cut" / "samples").iterdir())
    assert names == ["style_2kv_001.png", "style_2kv_002.png"]
