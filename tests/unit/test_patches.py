"""Patches are stacks of their own, and their mean comes with the error their spread implies."""

import numpy as np
import pytest

from algorithms.patches import (
    add_plane_to_patches,
    add_unmeasured_plane_to_patches,
    merge_patches,
    patch_figures,
    start_patches,
)
from algorithms.volume_figures import figures
from algorithms.volume_metrics import add_plane, start_metrics


def random_planes(count: int) -> np.ndarray:
    return (np.random.default_rng(8).random((count, 50, 70)) < 0.4).astype(np.uint8)


def test_a_patch_is_measured_as_if_it_were_all_there_is() -> None:
    """The mean over patches is the mean of the figures of the patches' own volumes; what is cut off does
    not count.
    """
    volume, patches = random_planes(9), start_patches(50, 70, patch_px=24, lags=6)
    for plane in volume:
        patches = add_plane_to_patches(patches, plane)
    values = []
    for y, x in [(0, 0), (0, 24), (24, 0), (24, 24)]:
        state = start_metrics(24, 24, lags=6)
        for plane in volume[:, y : y + 24, x : x + 24]:
            state = add_plane(state, plane)
        values.append(figures(state, 2.5).e_tpcf.value)
    result = patch_figures(patches, 2.5)
    assert result.patches == 4
    assert result.e_tpcf.value == pytest.approx(np.mean(values), abs=1e-12)
    assert result.e_tpcf.sigma == pytest.approx(np.std(values, ddof=1) / 2.0)


def test_merged_blocks_are_the_whole() -> None:
    """Two consecutive blocks, one ending at a position not measured, merge to the figures of the whole."""
    volume, empty = random_planes(9), start_patches(50, 70, patch_px=24, lags=6)
    above = below = whole = empty
    for plane in volume[:4]:
        above, whole = add_plane_to_patches(above, plane), add_plane_to_patches(whole, plane)
    above, whole = add_unmeasured_plane_to_patches(above), add_unmeasured_plane_to_patches(whole)
    for plane in volume[4:]:
        below, whole = add_plane_to_patches(below, plane), add_plane_to_patches(whole, plane)
    assert patch_figures(merge_patches(above, below), 2.5) == patch_figures(whole, 2.5)


def test_patches_without_solid_do_not_enter() -> None:
    """Empty patches have a solid fraction but no anisotropy."""
    patches = start_patches(50, 70, patch_px=24, lags=6)
    for _ in range(3):
        patches = add_plane_to_patches(patches, np.zeros((50, 70), dtype=np.uint8))
    result = patch_figures(patches, 2.5)
    assert result.solid_fraction.value == 0.0
    assert np.isnan(result.e_tpcf.value)


def test_a_region_smaller_than_a_patch_is_refused() -> None:
    """The remedy is a smaller patch."""
    with pytest.raises(ValueError, match="smaller"):
        start_patches(200, 300, patch_px=256)
