"""Virtual samples have the statistics that were asked for, and can be cut exactly anywhere."""

import numpy as np
import pytest
from numpy.typing import NDArray

from algorithms.inscribed_balls import mean_local_thickness
from algorithms.structures import (
    HierarchicalStructure,
    WaveField,
    field_at,
    hierarchical_structure,
    level_cut,
    levelled_wave_field,
    solid_at,
    wavelength_nm,
)


@pytest.fixture(scope="module")
def field() -> WaveField:
    """20 wavelengths of 100 nm along an edge."""
    return levelled_wave_field(48, 100 / 2.4, 100.0, np.random.default_rng(5))


@pytest.fixture(scope="module")
def structure() -> HierarchicalStructure:
    return hierarchical_structure(np.random.default_rng(8))


def power_of(field: WaveField) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Integer wave vectors (m, 3) and their share of the variance (m,)."""
    size = len(field.values)
    power = np.abs(np.fft.fftn(field.values)) ** 2
    axes = np.meshgrid(*3 * [np.fft.fftfreq(size, 1 / size)], indexing="ij")
    return np.stack(axes, axis=-1).reshape(-1, 3), power.ravel() / power.sum()


def test_field_is_one_wavelength(field: WaveField) -> None:
    """All variance lies in waves whose length is λ to half a mode; mean 0, variance 1."""
    waves, share = power_of(field)
    length = np.linalg.norm(waves, axis=1)
    assert share[np.abs(length - 20) <= 0.5].sum() == pytest.approx(1, abs=1e-9)
    assert field.values.mean() == pytest.approx(0, abs=1e-5)
    assert field.values.std() == pytest.approx(1, abs=1e-5)


def test_field_is_isotropic(field: WaveField) -> None:
    """No direction has more waves than another: ⟨k̂k̂ᵀ⟩ = 1/3, to the few thousandths of the lattice."""
    waves, share = power_of(field)
    direction = waves / np.maximum(np.linalg.norm(waves, axis=1, keepdims=True), 1)
    assert np.einsum("m,mi,mj->ij", share, direction, direction) == pytest.approx(np.eye(3) / 3, abs=3e-3)


def test_phases_are_random(field: WaveField) -> None:
    """Many independent waves add up to a Gaussian: skewness 0, excess kurtosis 0."""
    values = field.values.astype(np.float64)
    assert (values**3).mean() == pytest.approx(0, abs=0.03)
    assert (values**4).mean() == pytest.approx(3, abs=0.05)


def test_field_at_is_the_sum_of_its_waves(field: WaveField) -> None:
    """Interpolation equals direct summation of all waves, at any coordinate in and outside the box."""
    rng = np.random.default_rng(0)
    z_nm, y_nm, x_nm = rng.uniform(-5000, 9000, (3, 4))
    waves = np.fft.fftfreq(48, 1 / 48)
    spectrum = np.fft.fftn(field.values.astype(np.float64)) / 48**3
    period_nm = 48 * field.spacing_nm
    basis = [np.exp(2j * np.pi * np.outer(c, waves) / period_nm) for c in (z_nm, y_nm, x_nm)]
    direct = np.einsum("za,yb,xc,abc->zyx", *basis, spectrum, optimize=True).real
    assert field_at(field, z_nm, y_nm, x_nm) == pytest.approx(direct, abs=2e-5)


def test_field_at_nodes_gives_the_stored_values(field: WaveField) -> None:
    """On its own grid the field is what is stored."""
    nodes_nm = np.arange(48) * field.spacing_nm
    assert field_at(field, nodes_nm[:3], nodes_nm, nodes_nm) == pytest.approx(field.values[:3], abs=1e-5)


def test_field_is_periodic(field: WaveField) -> None:
    """A whole period further the sample is the same."""
    c = np.linspace(3.0, 400.0, 9)
    period_nm = 48 * field.spacing_nm
    far = field_at(field, c - period_nm, c + 3 * period_nm, c + period_nm)
    assert far == pytest.approx(field_at(field, c, c, c), abs=1e-4)


@pytest.mark.parametrize("wavelength", [80.0, 3000.0])
def test_wave_that_does_not_fit_is_refused(wavelength: float) -> None:
    """A wave too short for the grid or longer than the box is an error that names the limits."""
    with pytest.raises(ValueError, match="must lie between"):
        levelled_wave_field(48, 100 / 2.4, wavelength, np.random.default_rng(0))


@pytest.mark.parametrize("asked", [0.2, 0.354, 0.6])
def test_level_cut_gives_the_solid_fraction(field: WaveField, asked: float) -> None:
    """Counted on points the calibration did not use, the box has the fraction asked for within 0.1 %."""
    points_nm = (np.arange(3 * 48) + 0.37) * field.spacing_nm / 3
    solid = field_at(field, points_nm, points_nm, points_nm) > level_cut(field, asked)
    assert solid.mean() == pytest.approx(asked, rel=1e-3)


def test_hierarchical_solid_fraction(structure: HierarchicalStructure) -> None:
    """Over the coarse box the intersection of both levels fills 12.5 % within 0.2 %."""
    rng = np.random.default_rng(2)
    period_nm = 96 * structure.coarse.spacing_nm
    strata = np.arange(288) * period_nm / 288
    total = [
        solid_at(structure, z, y, x).mean()
        for z in np.split(strata, 24)
        for y, x in [rng.uniform(0, 1e5, (2, 1)) + strata]
    ]
    assert np.mean(total) == pytest.approx(0.125, rel=2e-3)


def test_levels_never_realign(structure: HierarchicalStructure) -> None:
    """No multiple of the coarse period up to a tenth of a millimetre comes near one of the fine period."""
    ratio = 96 * structure.coarse.spacing_nm / (128 * structure.fine.spacing_nm)
    turns = np.arange(1, 13) * ratio
    assert np.abs(turns - np.round(turns)).min() * 128 * structure.fine.spacing_nm > 15.0


def test_solid_at_is_where_both_fields_exceed_their_cuts(structure: HierarchicalStructure) -> None:
    """Labels are uint8, 1 exactly where the coarse and the fine field are above threshold."""
    z, y, x = np.array([0.0, 33.3]), np.linspace(0, 900, 50), np.linspace(-300, 700, 60)
    coarse = field_at(structure.coarse, z, y, x) > structure.coarse_threshold
    fine = field_at(structure.fine, z, y, x) > structure.fine_threshold
    labels = solid_at(structure, z, y, x)
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, (coarse & fine).astype(np.uint8))


def test_a_shifted_window_sees_the_same_sample(structure: HierarchicalStructure) -> None:
    """Cutting a window elsewhere, or in pieces, gives the same phases but for rounding on edges."""
    z, y, x = np.array([120.0]), np.arange(120) * 3.7, np.arange(150) * 3.26
    whole = solid_at(structure, z, y, x)[0]
    part = solid_at(structure, z, y[31:], x[17:90])[0]
    assert (part != whole[31:, 17:90]).mean() < 1e-3


def test_same_seed_same_structure(structure: HierarchicalStructure) -> None:
    """A structure is a function of its generator's state; another seed gives another one."""
    again = hierarchical_structure(np.random.default_rng(8))
    other = hierarchical_structure(np.random.default_rng(9))
    assert np.array_equal(again.fine.values, structure.fine.values)
    assert again.coarse_threshold == structure.coarse_threshold
    assert not np.array_equal(other.coarse.values, structure.coarse.values)


def test_solid_fraction_out_of_range_is_refused() -> None:
    """Outside the range where ligament sizes are calibrated nothing is made."""
    with pytest.raises(ValueError, match=r"solid_fraction = 0\.5"):
        hierarchical_structure(np.random.default_rng(0), solid_fraction=0.5)


def ligament_over_asked(solid_fraction: float, seed: int) -> float:
    """Measured over asked mean ligament diameter, in a cube of 6 wavelengths at 10 voxels each."""
    wave = wavelength_nm(110.0, solid_fraction)
    field = levelled_wave_field(48, wave / 2.4, wave, np.random.default_rng(seed))
    points_nm = np.arange(60) * wave / 10
    cube = field_at(field, points_nm, points_nm, points_nm)
    return mean_local_thickness(cube, level_cut(field, solid_fraction), 9) * wave / 10 / 110.0


def test_local_thickness_of_a_rod() -> None:
    """The oracle itself: a rod of known diameter has it, within 2 %."""
    y, x = np.meshgrid(np.arange(60) - 29.3, np.arange(60) - 30.1, indexing="ij")
    rod = np.broadcast_to(7.0 - np.hypot(y, x), (60, 60, 60)).astype(np.float32)
    assert mean_local_thickness(rod, 0.0, 9) == pytest.approx(14.0, rel=0.02)


def test_ligament_diameter_is_as_asked() -> None:
    """At the fraction of one level of nanoporous gold mean local thickness is as asked, within 5 %."""
    assert np.mean([ligament_over_asked(0.354, seed) for seed in (1, 2)]) == pytest.approx(1, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("solid_fraction", [0.2, 0.3, 0.354, 0.45, 0.6])
def test_ligament_calibration(solid_fraction: float) -> None:
    """Over the calibrated range of solid fractions, the mean of 6 samples, within 3 %."""
    ratios = [ligament_over_asked(solid_fraction, seed) for seed in range(6)]
    assert np.mean(ratios) == pytest.approx(1, abs=0.03)
