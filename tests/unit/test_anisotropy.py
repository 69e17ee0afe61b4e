"""Anisotropy is 0 for equal curves, is what equations 4 and 5 say otherwise, and has an honest error."""

import numpy as np
import pytest

from algorithms.anisotropy import e_d, e_l2
from algorithms.structures import hierarchical_structure, solid_at
from algorithms.volume_figures import MetricFigures, figures
from algorithms.volume_metrics import add_plane, start_metrics


def test_equal_directions_are_isotropic() -> None:
    """Equal curves and equal diameters give exactly 0."""
    curve = np.exp(-np.arange(1, 50) / 9.0)
    assert e_l2(np.stack((curve, curve, curve))) == 0.0
    assert e_d(np.full(3, 110.0)) == 0.0


def test_e_l2_is_equation_4() -> None:
    """Hand-worked: f^x = (3, 4), f^y = f^z = (0, 5) give ½ · 2 · √10 / 10, and x and y enter alike."""
    curves = np.asarray([[3.0, 4.0], [0.0, 5.0], [0.0, 5.0]])
    assert e_l2(curves) == pytest.approx(np.sqrt(10.0) / 10.0)
    assert e_l2(curves[[1, 0, 2]]) == pytest.approx(np.sqrt(10.0) / 10.0)


def test_e_d_is_equation_5() -> None:
    """Hand-worked: 100, 90, 120 nm give ½ (0.1 + 0.2)."""
    assert e_d(np.asarray([100.0, 90.0, 120.0])) == pytest.approx(0.15)


def test_unknown_lags_are_left_out_in_all_directions() -> None:
    """A lag at which the stack is not tall enough yet does not enter; without any lag there is no value."""
    curves = np.asarray([[3.0, 4.0, 9.0], [0.0, 5.0, 9.0], [0.0, 5.0, np.nan]])
    assert e_l2(curves) == pytest.approx(np.sqrt(10.0) / 10.0)
    assert np.isnan(e_l2(np.full((3, 2), np.nan)))


def grown(volume: np.ndarray, planes: int) -> MetricFigures:
    state = start_metrics(*volume.shape[1:], lags=24)
    for plane in volume[:planes]:
        state = add_plane(state, plane)
    return figures(state, 2.5)


def test_what_is_not_defined_yet_is_nan() -> None:
    """One plane has a solid fraction and D_xy, but no direction z: e_TPCF, e_LPF, e_D, D_xz and S_V are
    NaN.
    """
    plane = (np.indices((40, 130)).sum(axis=0) % 20 < 10).astype(np.uint8)[None]
    result = grown(plane, 1)
    assert result.solid_fraction.value == pytest.approx(0.5)
    assert result.d_xy_nm.value > 0
    undefined = (result.e_tpcf, result.e_lpf, result.e_d, result.d_xz_nm, result.surface_per_um)
    assert all(np.isnan(estimate.value) for estimate in undefined)
    assert np.isnan(grown(plane, 0).solid_fraction.value)


def test_wrong_thickness_shows_as_anisotropy() -> None:
    """A structure stretched along z by 1.5 has larger e_TPCF, e_LPF and e_D than as it is, where e_D is
    small.
    """
    structure = hierarchical_structure(np.random.default_rng(11), coarse_size=40, fine_size=40)
    side_nm = np.arange(112) * 2.5
    true = grown(solid_at(structure, side_nm, side_nm, side_nm), 112)
    stretched = grown(solid_at(structure, side_nm / 1.5, side_nm, side_nm), 112)
    assert true.e_d.value < 0.05
    for name in ("e_tpcf", "e_lpf", "e_d"):
        assert getattr(stretched, name).value > 1.3 * getattr(true, name).value


@pytest.mark.slow
def test_the_standard_error_is_the_spread_between_samples() -> None:
    """Over twelve independent structures the mean standard error is 0.6 to 1.6 times the true spread."""
    side_nm, depth_nm = np.arange(256) * 2.5, np.arange(48) * 2.5
    results = list[MetricFigures]()
    for seed in range(12):
        structure = hierarchical_structure(np.random.default_rng(seed), coarse_size=40, fine_size=40)
        results.append(grown(solid_at(structure, depth_nm, side_nm, side_nm), 48))
    for name in ("solid_fraction", "e_tpcf", "e_lpf", "e_d", "d_xy_nm"):
        spread = np.std([getattr(result, name).value for result in results], ddof=1)
        assert 0.6 < np.mean([getattr(result, name).sigma for result in results]) / spread < 1.6, name
