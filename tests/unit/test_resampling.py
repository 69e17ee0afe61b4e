"""A face in microscope pixels becomes the same face in square nanometres."""

import numpy as np
import pytest
from numpy.typing import NDArray

from algorithms.resampling import (
    InPlaneGrid,
    NativePixels,
    covering_grid,
    most_probable,
    resample_labels,
    resample_probabilities,
)
from algorithms.structures import hierarchical_structure, solid_at
from algorithms.volume_figures import MetricFigures, figures
from algorithms.volume_metrics import add_plane, start_metrics

TILTED = NativePixels(pixel_y_nm=3.26 / np.sin(np.deg2rad(52.0)), pixel_x_nm=3.26)


def disc_seen_with(pixels: NativePixels, height: int, width: int, centre_nm: float, radius_nm: float):
    """Probability of solid of a disc, sampled at the native pixels of a shifted face; soft edge of 4 nm."""
    y_nm = (np.arange(height) + pixels.shift_y_px) * pixels.pixel_y_nm
    x_nm = (np.arange(width) + pixels.shift_x_px) * pixels.pixel_x_nm
    distance_nm = np.hypot(y_nm[:, None] - centre_nm, x_nm - centre_nm)
    solid = np.clip((radius_nm - distance_nm) / 4.0 + 0.5, 0.0, 1.0)
    return np.stack((1.0 - solid, solid)).astype(np.float32)


def test_a_foreshortened_disc_becomes_round_and_keeps_its_place() -> None:
    """Rows that cover more than columns, and a registration shift, are both taken out: diameters equal to 1
    %.
    """
    pixels = NativePixels(TILTED.pixel_y_nm, TILTED.pixel_x_nm, shift_y_px=2.4, shift_x_px=-3.7)
    native = disc_seen_with(pixels, 120, 150, centre_nm=200.0, radius_nm=80.0)
    labels = most_probable(resample_probabilities(native, pixels, InPlaneGrid(160, 160, 2.5)))
    rows, columns = np.nonzero(labels)
    assert np.ptp(rows) * 2.5 == pytest.approx(160.0, abs=5.0)
    assert np.ptp(columns) * 2.5 == pytest.approx(160.0, abs=5.0)
    assert (rows.mean() * 2.5, columns.mean() * 2.5) == pytest.approx((200.0, 200.0), abs=0.3)
    assert labels.sum() * 2.5**2 == pytest.approx(np.pi * 80.0**2, rel=0.01)


def test_probabilities_remain_probabilities() -> None:
    """Interpolation weights sum to 1 everywhere, beyond the edges too."""
    native = np.random.default_rng(0).dirichlet((1, 1, 1), (40, 50)).transpose(2, 0, 1).astype(np.float32)
    grid = InPlaneGrid(90, 90, 2.5, origin_y_nm=-20.0, origin_x_nm=-20.0)
    resampled = resample_probabilities(native, TILTED, grid)
    np.testing.assert_allclose(resampled.sum(axis=0), 1.0, atol=1e-5)
    assert resampled.min() >= 0.0


def test_a_plane_is_reproduced_exactly_inside() -> None:
    """Bilinear interpolation is exact for a linear ramp at any sub-pixel position."""
    rows, columns = np.mgrid[:40, :50].astype(np.float32)
    ramp = (0.01 * rows + 0.005 * columns)[None]
    grid = InPlaneGrid(30, 40, 2.5, origin_y_nm=10.0, origin_x_nm=10.0)
    y_px = (10.0 + np.arange(30) * 2.5) / TILTED.pixel_y_nm
    x_px = (10.0 + np.arange(40) * 2.5) / TILTED.pixel_x_nm
    expected = 0.01 * y_px[:, None] + 0.005 * x_px
    np.testing.assert_allclose(resample_probabilities(ramp, TILTED, grid)[0], expected, atol=1e-5)


@pytest.mark.parametrize("grid_nm", [5.0, 10.0], ids=str)
def test_a_coarse_grid_neither_loses_solid_nor_makes_it_anisotropic(grid_nm: float) -> None:
    """Ligaments of 15 nm on a 10 nm grid: solid fraction and all three anisotropies stay near those of the
    structure itself at the voxels' centres. A mean over the pixels of a voxel lost an eighth of the solid."""
    structure, native_nm = hierarchical_structure(np.random.default_rng(5)), np.arange(240) * 3.26
    pixels = NativePixels(3.26, 3.26)
    grid = covering_grid(240, 240, pixels, grid_nm)
    z_nm, y_nm, x_nm = (np.arange(size) * grid_nm for size in (round(250 / grid_nm), grid.height, grid.width))
    faces = solid_at(structure, z_nm, native_nm, native_nm)
    truth = figures_of(solid_at(structure, z_nm, y_nm, x_nm), grid_nm)
    found = figures_of(np.stack([resample_labels(face, pixels, grid) for face in faces]), grid_nm)
    assert found.solid_fraction.value == pytest.approx(truth.solid_fraction.value, rel=0.015)
    assert found.ligament_nm.value == pytest.approx(truth.ligament_nm.value, rel=0.02)
    for name in ("e_tpcf", "e_lpf", "e_d"):
        assert getattr(found, name).value == pytest.approx(getattr(truth, name).value, abs=0.02), name


def figures_of(labels: NDArray[np.uint8], voxel_nm: float) -> MetricFigures:
    """Of a whole volume, at lags up to 200 nm."""
    state = start_metrics(*labels.shape[1:], lags=round(200 / voxel_nm))
    for plane in labels:
        state = add_plane(state, plane)
    return figures(state, voxel_nm)


def test_square_pixels_of_the_grid_size_change_nothing() -> None:
    """Labels of three phases on their own grid come back as they are."""
    labels = np.random.default_rng(1).integers(0, 3, (30, 40)).astype(np.uint8)
    pixels = NativePixels(2.5, 2.5)
    np.testing.assert_array_equal(resample_labels(labels, pixels, covering_grid(30, 40, pixels, 2.5)), labels)


def test_the_covering_grid_spans_the_face_in_nanometres() -> None:
    """The last sample lies on the face, and the next one would not."""
    grid = covering_grid(2048, 3072, TILTED, 2.5)
    assert 0.0 <= 2047 * TILTED.pixel_y_nm - (grid.height - 1) * 2.5 < 2.5
    assert 0.0 <= 3071 * TILTED.pixel_x_nm - (grid.width - 1) * 2.5 < 2.5


def test_an_empty_face_is_refused() -> None:
    """Sizes must be positive."""
    with pytest.raises(ValueError, match="positive"):
        covering_grid(0, 10, TILTED, 2.5)
