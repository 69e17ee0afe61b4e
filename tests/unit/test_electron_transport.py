"""Monte Carlo transport: random numbers, rates, ranges, balances, limits, and what must not matter."""

from itertools import pairwise

import numpy as np
import pytest
import warp as wp

from algorithms.backscatter_formula import hunger_kuechler
from algorithms.electron_transport import kernels
from algorithms.electron_transport.cells import pack_cells
from algorithms.electron_transport.exposure import (
    Beam,
    Raster,
    count_detected,
    load_sample,
    record_fates,
)
from algorithms.electron_transport.materials import (
    CARBON,
    EPOXY,
    GOLD,
    NMC,
    VACUUM,
    Material,
    compound,
)
from algorithms.electron_transport.philox import draw_words
from algorithms.electron_transport.scattering import (
    elastic_per_nm,
    mean_deflection,
    rutherford_share_of,
    total_cross_section_cm2,
)
from algorithms.electron_transport.stopping import path_length_nm, stopping_kev_per_nm
from algorithms.electron_transport.tables import CUTOFF_KEV, energies_kev, rate_tables

BULK = np.zeros((1, 1, 1), np.uint8)
FINE = np.indices((16, 16, 16)).sum(axis=0).astype(np.uint8) % 2
"""A checkerboard: every flight meets a boundary."""


def _fates(materials, phases=BULK, voxel_nm=50.0, beam=None, electrons=20_000, seed=(7,)):
    sample = load_sample(pack_cells(phases), voxel_nm, materials)
    return record_fates(sample, beam or Beam(2.0), electrons, seed)


def _eta(*arguments, **named):
    escaped = _fates(*arguments, **named).escaped
    return escaped.mean(), np.sqrt(escaped.mean() * (1 - escaped.mean()) / len(escaped))


def test_random_numbers_are_the_published_ones():
    """Philox 4x32-10 gives the known answers of its authors (Random123, kat_vectors)."""
    counters = [[0] * 4, [0xFFFFFFFF] * 4, [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]]
    keys = [[0] * 2, [0xFFFFFFFF] * 2, [0xA4093822, 0x299F31D0]]
    words = wp.zeros((3, 4), dtype=wp.uint32, device="cpu")
    inputs = [wp.array(np.array(rows, np.uint32), dtype=wp.uint32, device="cpu") for rows in (counters, keys)]
    wp.launch(draw_words, dim=3, inputs=[*inputs, words], device="cpu")
    assert [[f"{word:08x}" for word in row] for row in words.numpy()] == [
        ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"],
        ["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"],
        ["d16cfe09", "94fdcceb", "5001e420", "24126ea1"],
    ]


def test_cross_sections_are_brownings():
    """Values of Browning's fit in Å², computed independently of this code."""
    for z, kev, expected in [(6, 1.0, 0.558166517), (13, 10.0, 0.208304079), (26, 1.0, 2.779910893)]:
        assert total_cross_section_cm2(z, np.array([kev]))[0] * 1e16 == pytest.approx(expected, rel=1e-7)


def test_the_mean_deflection_is_that_of_the_sampled_angles():
    """The inverse distribution that the kernel draws from has the closed form's mean."""
    chance, alpha = (np.arange(200_000) + 0.5) / 200_000, 7.0e-3 / 2.0
    drawn = 2 * alpha * chance / (1 + alpha - chance)
    assert drawn.mean() == pytest.approx(mean_deflection(np.array([2.0]))[0], rel=1e-3)


def test_a_compound_scatters_as_its_elements_together():
    """Rates of a mixture are the sums of its elements' at their partial densities; shares stay shares."""
    energy = energies_kev()
    whole = elastic_per_nm(NMC, energy)
    parts = [Material("part", ((z, 1.0),), NMC.density * share) for z, share in NMC.mass_fractions]
    np.testing.assert_allclose(whole, sum(elastic_per_nm(part, energy) for part in parts))
    np.testing.assert_allclose(
        stopping_kev_per_nm(NMC, energy), sum(stopping_kev_per_nm(part, energy) for part in parts)
    )
    shares = rutherford_share_of(NMC, energy)
    assert shares.min() > 0
    assert shares.max() < 1


@pytest.mark.parametrize(
    ("phases", "materials"), [(BULK, [GOLD]), (FINE, [GOLD, GOLD]), (FINE, [CARBON, CARBON])]
)
def test_electrons_collide_as_often_as_the_mean_free_path_says(phases, materials):
    """Collisions less the integral of the rate along the path vanish on average: a martingale, whatever ends
    the path, and whatever boundaries without a change of material the flights cross."""
    beam = Beam(4.0)
    fates = _fates(materials, phases, 2.0, beam, electrons=5_000)
    energy = energies_kev()
    per_kev = elastic_per_nm(materials[0], energy) / stopping_kev_per_nm(materials[0], energy)
    steps = np.diff(energy) * (per_kev[1:] + per_kev[:-1]) / 2
    total = np.concatenate(([0.0], np.cumsum(steps)))
    expected = np.interp(4.0, energy, total) - np.interp(fates.energy_kev, energy, total)
    assert fates.collisions.sum() == pytest.approx(
        expected.sum(), abs=4 * np.sqrt(expected.sum()) + 2e-3 * expected.sum()
    )


def test_paths_are_as_long_as_the_stopping_law_says():
    """Energy lost fixes the path in one material: range at the start less range at the end."""
    fates = _fates([GOLD], beam=Beam(4.0), electrons=2_000)
    energy = energies_kev()
    reach = path_length_nm(GOLD, energy)
    expected = np.interp(4.0, energy, reach) - np.interp(fates.energy_kev, energy, reach)
    assert fates.path_nm.sum() == pytest.approx(expected.sum(), rel=1e-3)
    np.testing.assert_allclose(fates.path_nm, expected, rtol=0.15, atol=0.5)
    assert (fates.deepest_nm <= fates.path_nm * 1.0001).all()


def test_ranges_are_those_of_the_literature():
    """The path at 10 keV is about a Kanaya–Okayama range in carbon, and longer than it in gold."""
    for material, a, z, low, high in [(GOLD, 196.97, 79, 1.2, 2.0), (CARBON, 12.011, 6, 0.8, 1.2)]:
        projected_nm = 27.6 * a * 10**1.67 / (z**0.889 * material.density)
        energy = energies_kev()
        path_nm = np.interp(10.0, energy, path_length_nm(material, energy))
        assert low < path_nm / projected_nm < high


@pytest.mark.parametrize(
    ("kev", "expected"), [(1.0, 0.44), (2.0, 0.47), (4.0, 0.48), (10.0, 0.48), (20.0, 0.483)]
)
def test_gold_scatters_back_what_is_measured(kev, expected):
    """The bulk coefficient lies within the published scatter of ±10 % (Joy, Scanning 17, 270 (1995))."""
    eta, sigma = _eta([GOLD], beam=Beam(kev), electrons=8_000)
    assert abs(eta - expected) < 0.1 * expected + 3 * sigma


@pytest.mark.parametrize("kev", [4.0, 10.0, 20.0])
def test_carbon_scatters_back_what_the_closed_form_says(kev):
    """Within 15 % of Hunger & Küchler where they measured."""
    eta, sigma = _eta([CARBON], beam=Beam(kev), electrons=20_000)
    assert abs(eta - hunger_kuechler(6, kev)) < 0.15 * hunger_kuechler(6, kev) + 3 * sigma


def test_energy_and_electrons_are_conserved():
    """What was sent is what came back plus what stayed, electron by electron, in a mixed structure."""
    fates = _fates([EPOXY, GOLD], FINE, 3.0, Beam(4.0))
    np.testing.assert_allclose(fates.energy_kev + fates.deposited_kev, 4.0, rtol=1e-4)
    assert np.isin(fates.fate, (kernels.ABSORBED, kernels.ESCAPED)).all()
    assert fates.energy_kev[fates.escaped].min() > CUTOFF_KEV


def test_giving_up_hopeless_electrons_changes_nothing():
    """Electrons ended because they are too deep had less path left than depth: none could have escaped."""
    fates = _fates([GOLD], beam=Beam(4.0), electrons=5_000)
    reach = np.interp(fates.energy_kev, energies_kev(), path_length_nm(GOLD, energies_kev()))
    ended_early = ~fates.escaped & (fates.energy_kev > CUTOFF_KEV)
    assert ended_early.any()
    assert (fates.deepest_nm[ended_early] > reach[ended_early] * 0.999).all()


def test_cubes_of_one_phase_save_time_and_nothing_else():
    """With the cubes taken away (plain delta tracking) the coefficient is the same within its error."""
    phases = np.repeat(np.repeat(np.repeat(FINE[:6, :6, :6], 6, 0), 6, 1), 6, 2)
    beam = Beam(2.0)
    with_cubes = load_sample(pack_cells(phases), 2.0, [EPOXY, GOLD])
    without = load_sample(pack_cells(phases) & 7, 2.0, [EPOXY, GOLD])
    raster = Raster(36, 36, 4.0, 4.0, 60)
    a, b = (count_detected(s, beam, raster, (3, i)).sum() for i, s in enumerate((with_cubes, without)))
    assert abs(int(a) - int(b)) < 4 * np.sqrt(a + b)
    assert a > 1000


def test_smaller_voxels_of_the_same_structure_give_the_same():
    """A layer of 20 nm of epoxy on gold, in voxels of 10 and of 2.5 nm."""
    coarse = np.ones((8, 1, 1), np.uint8)
    coarse[:2] = 0
    results = [
        _eta([EPOXY, GOLD], np.repeat(coarse, n, 0), 10.0 / n, Beam(2.0), 30_000, (n,)) for n in (1, 4)
    ]
    (a, sigma_a), (b, sigma_b) = results
    assert abs(a - b) < 4 * np.hypot(sigma_a, sigma_b)


def test_burying_gold_hides_it():
    """Under ever more epoxy the signal of gold falls from gold's to epoxy's, never rising."""
    signals = []
    for buried_nm in (0, 20, 40, 80, 160):
        phases = np.ones((100, 1, 1), np.uint8)
        phases[: buried_nm // 5] = 0
        signals.append(_eta([EPOXY, GOLD], phases, 5.0, Beam(2.0), 10_000)[0])
    epoxy, sigma = _eta([EPOXY], beam=Beam(2.0), electrons=10_000)
    assert all(later < earlier + 0.01 for earlier, later in pairwise(signals))
    assert signals[0] > 0.4
    assert signals[-1] == pytest.approx(epoxy, abs=5 * sigma)


def test_vacuum_sends_nothing_back_and_thin_films_little():
    """Nothing comes from empty space; of 2 nm of gold in it less comes back than of 6 nm."""
    assert not _fates([VACUUM, GOLD], np.zeros((4, 1, 1), np.uint8), electrons=50).escaped.any()
    films = []
    for thickness in (1, 3):
        phases = np.zeros((2000, 1, 1), np.uint8)
        phases[:thickness] = 1
        films.append(_eta([EPOXY, GOLD], phases, 2.0, Beam(10.0), 5_000)[0])
    assert films[0] < films[1] < 0.3


def test_tilting_raises_the_signal():
    """Grazing electrons come back more often."""
    etas = [_eta([GOLD], beam=Beam(4.0, tilt_deg=tilt), electrons=8_000)[0] for tilt in (0.0, 38.0, 70.0)]
    assert etas[0] < etas[1] < etas[2]


def test_the_detector_takes_its_cone():
    """At normal incidence they leave about as the cosine of the angle: a cone of 18° takes sin²(18°)."""
    sample, raster = load_sample(pack_cells(BULK), 50.0, [GOLD]), Raster(40, 40, 1.0, 1.0, 30)
    everything = count_detected(sample, Beam(4.0), raster, (1,)).sum()
    cone = count_detected(sample, Beam(4.0, acceptance_deg=18.0), raster, (1,)).sum()
    assert cone / everything == pytest.approx(np.sin(np.radians(18)) ** 2, abs=0.02)


def test_noise_is_that_of_the_electrons_sent():
    """Counts of equal pixels scatter binomially: the image has the noise of its dose, no more, no less."""
    sample = load_sample(pack_cells(BULK), 50.0, [GOLD])
    counts = count_detected(sample, Beam(1.0), Raster(64, 64, 1.0, 1.0, 30), (5,))
    eta = counts.mean() / 30
    assert counts.var() == pytest.approx(30 * eta * (1 - eta), rel=0.1)


def test_the_seed_alone_decides():
    """Threads and bands change nothing; another seed, slice or channel changes the image."""
    sample = load_sample(pack_cells(FINE), 5.0, [EPOXY, GOLD])
    raster, beam = Raster(200, 40, 2.0, 2.0, 40), Beam(1.0)
    heard: list[int] = []
    one = count_detected(sample, beam, raster, (1, 2, 3), threads=1)
    two = count_detected(sample, beam, raster, (1, 2, 3), threads=2, told=heard.append)
    single_band = count_detected(sample, beam, Raster(20, 40, 2.0, 2.0, 40), (1, 2, 3))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one[:20], single_band)
    assert sum(heard) == 200
    assert len(heard) > 1
    for seed in ((1, 2, 4), (1, 3, 3), (2, 2, 3)):
        assert (count_detected(sample, beam, raster, seed) != one).any()


def test_cubes_hold_one_phase():
    """Around every voxel the promised cube is of one phase, in the volume and in its reflection."""
    rng = np.random.default_rng(4)
    phases = np.repeat(np.repeat(rng.integers(0, 3, (4, 4, 4)), 5, 1), 5, 2).astype(np.uint8)
    phases = np.repeat(phases, 5, 0)
    cells = pack_cells(phases)
    np.testing.assert_array_equal(cells & 7, phases)
    reflected = np.pad(phases, 20, mode="symmetric")
    for z, y, x in np.ndindex(phases.shape):
        r = int(cells[z, y, x] >> 3)
        cube = reflected[z + 20 - r : z + 21 + r, y + 20 - r : y + 21 + r, x + 20 - r : x + 21 + r]
        assert (cube == phases[z, y, x]).all()
    assert (cells >> 3).max() >= 2


@pytest.mark.parametrize(
    ("attempt", "named"),
    [
        (lambda: Beam(0.1), "voltage_kv"),
        (lambda: Beam(2.0, tilt_deg=90.0), "incidence"),
        (lambda: compound("x", {"Qq": 1}, 1.0), "Qq"),
        (lambda: Material("x", ((6, 0.4),), 1.0), "fractions"),
        (lambda: rate_tables([]), "materials"),
        (lambda: pack_cells(np.full((2, 2, 2), 9, np.uint8)), "phases"),
        (lambda: load_sample(np.ones((2, 2, 2), np.uint8), 1.0, [GOLD]), "phase 1"),
    ],
)
def test_impossible_requests_are_named(attempt, named):
    """What cannot be simulated is refused with what was asked."""
    with pytest.raises(ValueError, match=named):
        attempt()
