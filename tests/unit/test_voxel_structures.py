"""Voxel structures: what comes out is what was asked for, in fractions, sizes and isotropy."""

import numpy as np
import pytest
from scipy.spatial import KDTree

from algorithms.network_volumes import (
    draw_level,
    hierarchical_volume,
    level_thickness_nm,
    stereological_diameter_nm,
    wave_volume,
)
from algorithms.particle_volumes import (
    ElectrodeDesign,
    draw_electrode_levels,
    electrode_volume,
    sphere_volume,
)
from algorithms.sphere_packing import inside_depths, pack_spheres
from daemon.errors import ConfigurationError
from daemon.synthesize.designs import Design, make_specimen
from daemon.synthesize.options import StructureKind
from daemon.synthesize.structure import lineal_path_by_size, phase_figures

CUBE = (96, 96, 96)


@pytest.mark.parametrize("asked", [0.12, 0.3, 0.55])
def test_a_network_has_the_fraction_and_the_ligaments_asked_for(asked: float) -> None:
    """The fraction to 0.2 %; 4 V/S to 5 % of the value for an infinite network."""
    level = draw_level(96 * 4.0, 30.0, asked, np.random.default_rng(1))
    solid = wave_volume(level, CUBE, 4.0)
    assert solid.mean() == pytest.approx(asked, rel=2e-3)
    expected_nm = stereological_diameter_nm(level.wave_nm, asked)
    assert phase_figures(solid, 4.0, 20).ligament_nm.value == pytest.approx(expected_nm, rel=0.05)


def test_mean_local_thickness_is_the_ligament_size_asked_for() -> None:
    """Inscribed balls find the asked ligament diameter within 5 %, mean of two samples."""
    ratios = [
        level_thickness_nm(draw_level(2000.0, 110.0, 0.354, np.random.default_rng(seed))) / 110.0
        for seed in (1, 2)
    ]
    assert np.mean(ratios) == pytest.approx(1, abs=0.05)


def test_a_cube_is_periodic() -> None:
    """Neighbours across opposite faces differ as rarely as neighbours inside."""
    level = draw_level(96 * 4.0, 30.0, 0.3, np.random.default_rng(2))
    solid = wave_volume(level, CUBE, 4.0)
    inside = (np.diff(solid.astype(np.int8), axis=0) != 0).mean()
    across = (solid[0] != solid[-1]).mean()
    assert across == pytest.approx(inside, abs=0.02)


def test_a_hierarchical_volume_is_the_fine_network_inside_the_coarse() -> None:
    """The whole has the product of the fractions; every solid voxel lies in the coarse network."""
    rng = np.random.default_rng(3)
    coarse, fine = draw_level(480.0, 60.0, 0.35, rng), draw_level(480.0, 12.0, 0.35, rng)
    both = hierarchical_volume(coarse, fine, CUBE, 5.0)
    assert both.mean() == pytest.approx(0.35**2, rel=2e-3)
    assert not (both & ~wave_volume(coarse, CUBE, 5.0) & 1).any()


@pytest.mark.long
def test_anisotropy_of_an_isotropic_structure_falls_with_its_size() -> None:
    """e_LPF belongs to the finite sample: larger cubes of the same structure have less."""
    level = draw_level(96 * 5.0, 40.0, 0.35, np.random.default_rng(4))
    rows = lineal_path_by_size(wave_volume(level, CUBE, 5.0), 5.0)
    assert [row["edge_nm"] for row in rows] == [120.0, 240.0, 480.0]
    values = [row["e_lpf"] for row in rows]
    assert values[0] > values[1] > values[2]


def test_spheres_do_not_overlap_and_fill_what_was_asked() -> None:
    """At half the volume no two spheres overlap by more than the tolerance; voxels have the fraction."""
    box = np.array([900.0, 800.0, 1000.0])
    packing = pack_spheres(box, 150.0, 0.5, np.random.default_rng(5))
    pairs = KDTree(packing.centres, boxsize=box).query_pairs(2 * packing.radii.max(), output_type="ndarray")
    apart = packing.centres[pairs[:, 0]] - packing.centres[pairs[:, 1]]
    apart -= box * np.round(apart / box)
    touching = packing.radii[pairs].sum(axis=1)
    assert (np.linalg.norm(apart, axis=1) > 0.997 * touching).all()
    assert 4 / 3 * np.pi * np.sum(packing.radii**3) == pytest.approx(0.5 * box.prod(), rel=1e-9)
    assert sphere_volume((72, 64, 80), 12.5, 150.0, 0.5, np.random.default_rng(5)).mean() == pytest.approx(
        0.5, rel=2e-3
    )


def test_depth_inside_spheres_is_their_distance_to_the_surface() -> None:
    """Against every sphere and its periodic images, at voxels near any surface."""
    box = np.array([300.0, 300.0, 300.0])
    packing = pack_spheres(box, 120.0, 0.3, np.random.default_rng(6))
    depth, owner = inside_depths(packing, (30, 30, 30))
    centres = np.stack(np.meshgrid(*3 * [(np.arange(30) + 0.5) * 10.0], indexing="ij"), axis=-1)
    offset = centres[..., None, :] - packing.centres
    offset -= box * np.round(offset / box)
    every = packing.radii - np.linalg.norm(offset, axis=-1)
    near = every.max(axis=-1) > -0.4 * packing.radii.max()
    np.testing.assert_allclose(depth[near], every.max(axis=-1)[near], atol=1e-3)
    inside = depth > 1e-3
    np.testing.assert_array_equal(owner[inside], every.argmax(axis=-1)[inside])


def test_an_electrode_has_the_three_fractions_asked_for() -> None:
    """Pores, active material and binder to 0.2 % of their share; binder never inside a particle's pores."""
    design = ElectrodeDesign(particle_nm=900.0, inner_pore_nm=120.0, matrix_strand_nm=120.0)
    rng = np.random.default_rng(7)
    levels = draw_electrode_levels(96 * 25.0, design, rng)
    phases = electrode_volume(CUBE, 25.0, design, levels, rng)
    obtained = np.bincount(phases.ravel(), minlength=3) / phases.size
    np.testing.assert_allclose(obtained, design.fractions, rtol=2e-3)


@pytest.mark.parametrize("kind", list(StructureKind))
def test_the_same_design_gives_the_same_voxels(kind: StructureKind) -> None:
    """A structure is a function of its design; another seed gives another one."""
    sizes = {"hierarchical": (60.0, 12.0), "electrode": (900.0, 150.0, 150.0)}.get(kind.value, (120.0,))
    voxel = 25.0 if kind is StructureKind.ELECTRODE else 6.0
    designs = [Design(kind, (64, 64, 64), voxel, 0.3, sizes, seed) for seed in (1, 1, 2)]
    first, again, other = (make_specimen(design).phases for design in designs)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("kind", "sizes", "fraction", "named"),
    [
        (StructureKind.LEVELLED_WAVE, (9000.0,), 0.3, "must lie between"),
        (StructureKind.LEVELLED_WAVE, (8.0,), 0.3, "smaller voxels"),
        (StructureKind.SPHERES, (100.0,), 0.8, "spheres"),
        (StructureKind.HIERARCHICAL, (100.0,), 0.125, "positive size"),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_remedy(
    kind: StructureKind, sizes: tuple[float, ...], fraction: float, named: str
) -> None:
    """Sizes that do not fit are an error that says what would."""
    with pytest.raises(ConfigurationError, match=named):
        make_specimen(Design(kind, (64, 64, 64), 5.0, fraction, sizes, 1))
