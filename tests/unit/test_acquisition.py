"""A virtual tomography: true labels, aligned channels, known depths."""

import numpy as np
import pytest

from algorithms.acquisition import (
    FaceGrid,
    clean_face,
    clean_faces,
    gamma_depths_nm,
    render_stack,
    run_conditions,
    true_labels,
)
from algorithms.instrument import default_instrument
from algorithms.structures import HierarchicalStructure, hierarchical_structure, solid_at

VOLTAGES = (1.0, 2.0, 4.0)
GRID = FaceGrid(160, 180, 3.26, 4.14, origin_y_px=40.0, origin_x_px=-12.5)
INSTRUMENTS = tuple(default_instrument(v) for v in VOLTAGES)


@pytest.fixture(scope="module")
def structure() -> HierarchicalStructure:
    return hierarchical_structure(np.random.default_rng(11), coarse_size=48, fine_size=64)


def test_face_coordinates(structure: HierarchicalStructure) -> None:
    """Pixel (r, c) lies at ((r + origin_y)·pixel_y, (c + origin_x)·pixel_x) nm."""
    labels = true_labels(structure, 77.0, GRID)
    y_nm, x_nm = np.array([(13 + 40.0) * 4.14]), np.array([(101 - 12.5) * 3.26])
    assert labels.shape == (160, 180)
    assert labels[13, 101] == solid_at(structure, np.array([77.0]), y_nm, x_nm)[0, 0, 0]


def test_gold_is_bright(structure: HierarchicalStructure) -> None:
    """At 1 kV the mean signal of the solid exceeds that of the pores more than twofold, at all depths."""
    for depth_nm in (0.0, 31.0):
        signal = clean_face(structure, depth_nm, GRID, 1.0)
        solid = true_labels(structure, depth_nm, GRID) == 1
        assert signal[solid].mean() > 2 * signal[~solid].mean()


def test_pores_brighten_with_voltage(structure: HierarchicalStructure) -> None:
    """In pores the signal above that of epoxy, over the contrast of gold, grows 1 < 2 < 4 kV."""
    faces, labels = clean_faces(structure, 15.0, GRID, VOLTAGES)
    low, high = faces.min(axis=(1, 2)), np.quantile(faces, 0.999, axis=(1, 2))
    shine = [(f[labels == 0].mean() - a) / (b - a) for f, a, b in zip(faces, low, high, strict=True)]
    assert shine[0] < shine[1] < shine[2]


def test_voltages_do_not_disturb_each_other(structure: HierarchicalStructure) -> None:
    """A face imaged at several voltages at once equals the face imaged at each alone."""
    faces, labels = clean_faces(structure, 8.0, GRID, VOLTAGES)
    assert np.array_equal(labels, true_labels(structure, 8.0, GRID))
    for face, voltage_kv in zip(faces, VOLTAGES, strict=True):
        assert np.array_equal(face, clean_face(structure, 8.0, GRID, voltage_kv))


@pytest.mark.parametrize("voltage_kv", VOLTAGES)
def test_rendering_is_covariant_with_the_origin(structure: HierarchicalStructure, voltage_kv: float) -> None:
    """A grid whose origin is moved by whole pixels sees the same face, moved; labels too."""
    moved_grid = FaceGrid(160, 180, 3.26, 4.14, origin_y_px=45.0, origin_x_px=-9.5)
    here, there = (clean_face(structure, 20.0, g, voltage_kv) for g in (GRID, moved_grid))
    assert np.abs(there[60:95, 70:105] - here[65:100, 73:108]).mean() < 2e-3
    labels = true_labels(structure, 20.0, GRID)[5:, 3:]
    assert (true_labels(structure, 20.0, moved_grid)[:-5, :-3] != labels).mean() < 1e-3


def test_gamma_depths_have_the_moments_of_the_thickness() -> None:
    """Depth starts at 0; thicknesses are positive with the mean, σ and skewness 2σ/mean of a gamma law."""
    depths = gamma_depths_nm(200_001, 10.16, 3.12, np.random.default_rng(0))
    thickness = np.diff(depths)
    assert depths[0] == 0
    assert thickness.min() > 0
    assert thickness.mean() == pytest.approx(10.16, rel=5e-3)
    assert thickness.std() == pytest.approx(3.12, rel=0.01)
    skewness = (((thickness - 10.16) / 3.12) ** 3).mean()
    assert skewness == pytest.approx(2 * 3.12 / 10.16, rel=0.06)


def test_stack_and_its_truth(structure: HierarchicalStructure) -> None:
    """Images are uint8 (slice, channel, y, x), labels those of the faces at the given depths."""
    depths = np.array([0.0, 9.3, 22.0])
    images, labels = render_stack(structure, depths, GRID, VOLTAGES, INSTRUMENTS, np.random.default_rng(1))
    assert images.shape == (3, 3, 160, 180)
    assert images.dtype == labels.dtype == np.uint8
    for depth_nm, label in zip(depths, labels, strict=True):
        assert np.array_equal(label, true_labels(structure, depth_nm, GRID))
    for channel in range(3):
        assert images[:, channel][labels == 1].mean() > images[:, channel][labels == 0].mean() + 40


def test_same_seed_same_stack(structure: HierarchicalStructure) -> None:
    """A tomography is a function of its arguments and the generator's state."""
    small = FaceGrid(40, 50, 4.0, 4.0)
    stacks = [
        render_stack(structure, np.arange(2) * 10.0, small, VOLTAGES, INSTRUMENTS, np.random.default_rng(s))[
            0
        ]
        for s in (5, 5, 6)
    ]
    assert np.array_equal(stacks[0], stacks[1])
    assert not np.array_equal(stacks[0], stacks[2])


def test_an_instrument_per_voltage(structure: HierarchicalStructure) -> None:
    """A missing instrument is an error that says so."""
    with pytest.raises(ValueError, match="2 instruments for 3 voltages"):
        render_stack(structure, np.zeros(1), GRID, VOLTAGES, INSTRUMENTS[:2], np.random.default_rng(0))


def test_channels_of_a_face_share_its_curtains() -> None:
    """Curtains belong to the face, wandering to the channel."""
    conditions = run_conditions(np.arange(4) * 10.0, 3, 64, np.random.default_rng(0))
    assert len(conditions) == 4
    for channels in conditions:
        assert all(np.array_equal(c.curtains, channels[0].curtains) for c in channels)
        assert len({c.brightness for c in channels}) == 3
