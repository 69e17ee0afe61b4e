"""The electrode that can be cut anywhere, and what two detectors see of its empty pores."""

import numpy as np
import pytest

from algorithms.acquisition import FaceGrid
from algorithms.electrode import PUBLISHED_DESIGN, electrode_at, electrode_structure
from algorithms.electrode_imaging import render_electrode
from algorithms.scores import confusion, weighted_error_percent
from algorithms.thresholds import class_histograms, classify_greys, double_threshold, entropy_thresholds
from algorithms.topography import (
    ANGLED_SE2,
    DEEPEST_NM,
    IN_LENS,
    Relief,
    relief_signal,
    reliefs_upwards,
    see_relief,
)

GRID = FaceGrid(96, 128, 10.0, 10.0)


@pytest.fixture(scope="module")
def structure():
    return electrode_structure(np.random.default_rng(3))


def test_the_phases_have_the_shares_of_the_design(structure):
    """Over a whole period of the packing, within what its waves' randomness allows."""
    edge = np.arange(64) * structure.particles.box[0] / 64
    shares = np.bincount(electrode_at(structure, edge, edge, edge).ravel(), minlength=3) / 64**3
    assert shares == pytest.approx(PUBLISHED_DESIGN.fractions, abs=0.03)


def test_it_is_one_sample_however_it_is_cut(structure):
    """A part of a grid has the phases of the whole grid there."""
    z, y, x = np.arange(3) * 20.0, np.arange(40) * 10.0, np.arange(50) * 10.0
    whole = electrode_at(structure, z, y, x)
    np.testing.assert_array_equal(electrode_at(structure, z[1:2], y[7:], x[11:]), whole[1:2, 7:, 11:])


def test_the_relief_is_the_way_to_the_first_solid(structure):
    """Against a walk down columns in steps of 2 nm: within a step of the tail where that is fine."""
    relief = see_relief(structure, 500.0, GRID)
    z = np.arange(0.0, 60.0, 2.0)
    solid = electrode_at(structure, 500.0 + z, GRID.y_nm, GRID.x_nm) > 0
    first = np.where(solid.any(axis=0), z[np.argmax(solid, axis=0)], np.inf)
    near = np.isfinite(first)
    assert np.mean(np.abs(relief.depth_nm[near] - first[near]) < 4.0) > 0.98
    assert (relief.depth_nm[relief.face > 0] == 0).all()
    assert (relief.depth_nm[relief.face == 0] > 0).all()


def test_ground_comes_up_by_what_is_milled(structure):
    """Between two faces 10 nm apart the ground of an open pore rises by 10 nm, until the face cuts it."""
    deeper, upper = reliefs_upwards(structure, np.array([300.0, 310.0]), GRID)
    open_pore = (deeper.depth_nm > 0) & (deeper.depth_nm < 0.9 * DEEPEST_NM) & (upper.face == 0)
    rise = upper.depth_nm[open_pore] - deeper.depth_nm[open_pore]
    assert np.median(rise) == pytest.approx(10.0, abs=0.01)
    cut = (deeper.face > 0) & (upper.face == 0)
    assert (upper.depth_nm[cut] <= 10.0 + 1e-3).all()


def pit(depth_nm, width_px=20):
    """A square pit of active material in a face of the same."""
    depth = np.zeros((96, 96), np.float32)
    inner = slice(48 - width_px // 2, 48 + width_px // 2)
    depth[inner, inner] = depth_nm
    face = (depth == 0).astype(np.uint8)
    ones = np.ones_like(depth)
    return Relief(depth, ones.astype(np.uint8), face, 0 * ones, ones)


def test_a_pit_is_brighter_than_the_face_when_shallow_and_dark_when_deep():
    """What makes two thresholds fail: the same phase behind the face is on both sides of its grey value."""
    middle = np.s_[45:51, 45:51]
    signals = [relief_signal(pit(depth), ANGLED_SE2, (10.0, 10.0)) for depth in (20.0, 200.0, 1000.0)]
    flat = signals[0][5, 5]
    shallow, half, deep = (signal[middle].mean() for signal in signals)
    assert shallow > 2 * flat > half * 2 / 3 > deep
    assert deep < 0.3 * flat


def test_the_chamber_detector_sees_from_one_side_and_the_lens_from_above():
    """A pit's picture is the same upside down for the detector in the lens, and not for the other."""
    asymmetry = []
    for detector in (IN_LENS, ANGLED_SE2):
        signal = relief_signal(pit(100.0), detector, (10.0, 10.0))[38:58, 38:58]
        asymmetry.append(np.abs(signal - signal[::-1]).mean() / signal.mean())
    assert asymmetry[0] < 0.05 < 0.2 < asymmetry[1]


@pytest.mark.slow
def test_thresholds_fail_as_published():
    """Two and three thresholds on the emulated SE2 image, around the published 60.8 and 30.8 %."""
    rng = np.random.default_rng(0)
    grid = FaceGrid(256, 320, 10.0, 10.0)
    images, labels = render_electrode(electrode_structure(rng), np.array([650.0]), grid, rng)
    histograms = class_histograms(images[0, 0], labels[0], 3)
    errors = [
        weighted_error_percent(confusion(labels[0], classify_greys(images[0, 0], bands), 3))
        for bands in (double_threshold(histograms), entropy_thresholds(histograms))
    ]
    assert errors == pytest.approx([60.8, 30.8], abs=6)
