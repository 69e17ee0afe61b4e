"""Diameters, surface and connectivity of analytic bodies, from the streamed counts."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import label
from skimage.measure import euler_number

from algorithms.volume_figures import MetricFigures, figures
from algorithms.volume_metrics import MetricsState, add_plane, start_metrics

VOXEL_NM = 2.5


def streamed(volume: NDArray[np.bool_], lags: int = 8) -> MetricsState:
    state = start_metrics(*volume.shape[1:], lags=lags)
    for plane in volume:
        state = add_plane(state, plane.astype(np.uint8))
    return state


def measured(volume: NDArray[np.bool_]) -> MetricFigures:
    return figures(streamed(volume), VOXEL_NM)


def on_lattice(shape: tuple[int, ...], diameter_px: float) -> NDArray[np.bool_]:
    """Equal balls on a loose lattice that the region cuts anywhere: a stationary set, as a sample is.

    The lattice constant is irrational, so that centres lie anywhere between the voxels.
    """
    pitch = np.sqrt(2.0) * diameter_px
    nearest = [np.remainder(np.arange(size) + 0.37 * pitch, pitch) - pitch / 2 for size in shape]
    squares = [part**2 for part in np.ix_(*nearest)]
    return np.sum(np.broadcast_arrays(*squares), axis=0) <= (diameter_px / 2) ** 2


@pytest.mark.parametrize("diameter_px", [8.0, 20.0, 44.0])
@pytest.mark.parametrize(("axis", "name"), [(0, "d_xy_nm"), (1, "d_xz_nm"), (2, "d_yz_nm")])
def test_the_diameter_of_cylinders_across_a_plane(axis: int, name: str, diameter_px: float) -> None:
    """D_ij of round ligaments across the ij plane is their diameter within 2 %, for all three planes."""
    size = round(20 * diameter_px)
    volume = np.moveaxis(np.repeat(on_lattice((size, size), diameter_px)[None], 3, axis=0), 0, axis)
    assert getattr(measured(volume), name).value == pytest.approx(diameter_px * VOXEL_NM, rel=0.02)


@pytest.mark.parametrize("diameter_px", [10.0, 17.0])
def test_spheres_are_alike_in_all_planes_and_have_their_known_section(diameter_px: float) -> None:
    """D_ij of spheres is 8 d / 3π within 2 %, e_D below 0.01; their surface and 4 V / S are right to 2 %."""
    size = round(7 * np.sqrt(2.0) * diameter_px)
    result = measured(on_lattice((size, size, size), diameter_px))
    for value in (result.d_xy_nm.value, result.d_xz_nm.value, result.d_yz_nm.value):
        assert value == pytest.approx(8.0 / (3.0 * np.pi) * diameter_px * VOXEL_NM, rel=0.02)
    assert result.e_d.value < 0.01
    assert result.ligament_nm.value == pytest.approx(2.0 / 3.0 * diameter_px * VOXEL_NM, rel=0.02)
    per_volume = np.pi * diameter_px**2 / (np.sqrt(2.0) * diameter_px) ** 3
    assert result.surface_per_um.value == pytest.approx(per_volume * 1e3 / VOXEL_NM, rel=0.02)


@pytest.mark.parametrize("diameter_px", [10.0, 17.0])
def test_mean_chords_of_spheres(diameter_px: float) -> None:
    """2 d / 3 along every axis within 2 %, of spheres that the region does not cut."""
    size = round(7 * np.sqrt(2.0) * diameter_px)
    spheres, _ = label(on_lattice((size, size, size), diameter_px))
    cut = np.unique(np.concatenate([np.take(spheres, (0, -1), axis=axis).ravel() for axis in range(3)]))
    whole = measured((spheres > 0) & ~np.isin(spheres, cut))
    for value in (whole.chord_x_nm.value, whole.chord_y_nm.value, whole.chord_z_nm.value):
        assert value == pytest.approx(2.0 / 3.0 * diameter_px * VOXEL_NM, rel=0.02)


def test_chords_of_slabs_are_their_thickness() -> None:
    """Along z exactly, mean and distribution; along x and y the length of the region."""
    volume = np.zeros((40, 40, 50), dtype=np.bool_)
    volume[8:14], volume[24:30] = True, True
    result = measured(volume)
    found = [one.value / VOXEL_NM for one in (result.chord_x_nm, result.chord_y_nm, result.chord_z_nm)]
    assert found == pytest.approx([50.0, 40.0, 6.0])
    assert np.flatnonzero(result.chords[2]).tolist() == [5]


def test_a_stack_compressed_along_z_shows_in_e_d() -> None:
    """Spheres flattened to half their height are not isotropic: D_xz and D_yz fall, e_D rises well above
    0.1.
    """
    result = measured(on_lattice((160, 130, 130), 16.0)[::2])
    assert result.d_xz_nm.value < 0.9 * result.d_xy_nm.value
    assert result.e_d.value > 0.1


def test_the_surface_of_slabs_is_known_to_a_few_percent() -> None:
    """Thirteen directions see a flat surface across an axis within 8 %, the known worst case."""
    volume = np.zeros((40, 40, 40), dtype=np.bool_)
    volume[8:14], volume[24:30] = True, True
    assert measured(volume).surface_per_um.value == pytest.approx(4 / 40 * 1e3 / VOXEL_NM, rel=0.08)


def test_the_euler_number_of_a_body_inside_the_region() -> None:
    """Over a volume with an empty margin the sum is scikit-image's Euler number of the face-connected
    solid.
    """
    solid = np.random.default_rng(2).random((12, 14, 70)) < 0.4
    eighths = streamed(np.pad(solid, 1)).region.counts.euler_eighths.sum()
    assert eighths == 8 * euler_number(solid, connectivity=1)


def test_the_euler_density_counts_separate_bodies() -> None:
    """Separate spheres: one per lattice cell, within 1 %, although the region cuts many of them."""
    per_px3 = 1.0 / (np.sqrt(2.0) * 10.0) ** 3
    value = measured(on_lattice((100, 100, 100), 10.0)).euler_per_um3.value
    assert value == pytest.approx(per_px3 / (VOXEL_NM * 1e-3) ** 3, rel=0.01)


def test_the_euler_density_of_a_network_is_negative() -> None:
    """A grid of struts along x, y and z: one node and three struts per cell make an Euler number of -2."""
    on_strut = (np.arange(121) + 5) % 12 < 4
    z, y, x = on_strut[:, None, None], on_strut[:, None], on_strut
    value = measured((z & y) | (y & x) | (z & x)).euler_per_um3.value
    assert value == pytest.approx(-2.0 / 12**3 / (VOXEL_NM * 1e-3) ** 3)
