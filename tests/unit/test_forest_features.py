"""Features of known pictures have known values; how a picture is cut does not change them."""

import numpy as np
import pytest

from algorithms.filter_bank import KINDS, REACH_PX, SCALES_PX, filter_features, filter_names
from algorithms.pixel_history import HALF, history_features, history_names
from algorithms.sparse_labels import NOBODY_SAID, draw_strokes
from algorithms.symmetric_eigenvalues import eigenvalues_of_three, eigenvalues_of_two
from models.forest_features import ADJACENT_SLICES, FEATURE_SETS, feature_names, window_features

RNG = np.random.default_rng(0)
COUNTS = {"one-signal": 60, "two-signals": 183, "tailored": None}


def named(window):
    """The filter bank's features at the smallest scale by kind."""
    features = list(filter_features(window))[: len(KINDS)]
    return dict(zip(KINDS, features, strict=True))


@pytest.mark.parametrize("name", COUNTS)
def test_a_set_has_a_name_for_every_feature(name):
    """60 on one signal, 183 on two and their difference, as published."""
    window = RNG.uniform(size=(2, ADJACENT_SLICES, 16, 24)).astype(np.float32)
    features = window_features(name, window, threads=2)
    assert len(features) == len(feature_names(name, ("SE2", "InLens"))) == (COUNTS[name] or len(features))
    assert {feature.shape for feature in features} == {(16, 24)}
    assert {feature.dtype for feature in features} == {np.dtype(np.float32)}
    assert len(set(feature_names(name, ("SE2", "InLens")))) >= 0.6 * len(features)
    assert all(np.isfinite(feature).all() for feature in features)


@pytest.mark.parametrize("count", [2, 3])
def test_eigenvalues_in_closed_form(count):
    """Against LAPACK, with a degenerate matrix among them."""
    matrices = RNG.normal(size=(200, count, count))
    matrices = (matrices + matrices.swapaxes(1, 2)).astype(np.float32)
    matrices[0] = np.eye(count)
    upper = [matrices[:, i, i] for i in range(count)]
    upper += [matrices[:, i, j] for i in range(count) for j in range(i + 1, count)]
    solve = eigenvalues_of_two if count == 2 else eigenvalues_of_three
    found = np.stack(solve(*upper) if count == 2 else solve(tuple(upper)), axis=-1)
    np.testing.assert_allclose(found, np.linalg.eigvalsh(matrices)[:, ::-1], atol=2e-3)


def test_a_ramp_along_each_axis_has_its_slope_and_no_curvature():
    """Derivatives count per σ: of a ramp of slope 1 the gradient is σ, along z as along y and x."""
    z, y, x = np.meshgrid(np.arange(21), np.arange(64), np.arange(64), indexing="ij")
    inner = np.s_[28:36, 28:36]
    for ramp in (z, y, x):
        found = named(ramp.astype(np.float32))
        np.testing.assert_allclose(found["gradient"][inner], SCALES_PX[0], rtol=2e-2)
        np.testing.assert_allclose(found["laplacian"][inner], 0.0, atol=5e-3)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_parabola_has_its_curvature(axis):
    """x²/2 has the second derivative 1, so the Laplacian is σ² at every scale that fits the window."""
    coordinates = np.meshgrid(np.arange(21.0) - 10, np.arange(96.0) - 48, np.arange(96.0) - 48, indexing="ij")
    window = (coordinates[axis] ** 2 / 2).astype(np.float32)
    for number, scale in enumerate(SCALES_PX[:4]):
        laplacian = list(filter_features(window))[number * len(KINDS) + 1]
        np.testing.assert_allclose(laplacian[44:52, 44:52], scale**2, rtol=0.06)


def test_features_do_not_depend_on_how_the_picture_is_cut():
    """Pixels farther than the reach do not matter, in any set: a tile gives what the whole image gives."""
    window = RNG.uniform(size=(2, ADJACENT_SLICES, 128, 160)).astype(np.float32)
    for name, chosen in FEATURE_SETS.items():
        reach = -(-chosen.reach_px // 4) * 4
        whole = window_features(name, window)
        part = window_features(name, np.ascontiguousarray(window[..., : 64 + reach]))
        for full, cut in zip(whole, part, strict=True):
            np.testing.assert_allclose(cut[:, :64], full[:, :64], atol=2e-5)
    assert REACH_PX >= 45


def history_of(values):
    """The history features of a column of values that is everywhere the same, by signal and name."""
    window = np.broadcast_to(np.asarray(values, np.float32)[:, None, None], (2 * HALF + 1, 8, 8))
    names = [(name.kind, name.scale) for name in history_names("SE2")]
    features = [float(feature[4, 4]) for feature in history_features(np.ascontiguousarray(window))]
    return list(zip(names, features, strict=True))


def value(history, kind, scale):
    return next(found for name, found in history if name == (kind, scale))


def test_a_history_is_told():
    """Ground that came up by 0.1 a slice until the face cut it, and solid that ends four slices on."""
    z = np.arange(-HALF, HALF + 1)
    history = history_of(np.where(z < 0, 0.5 + 0.1 * z, np.where(z < 4, 0.5, 0.0)))
    assert value(history, "trend", "before") == pytest.approx(-0.1)
    assert value(history, "misfit", "before") == pytest.approx(0.0, abs=1e-5)
    assert value(history, "jump", "after") == pytest.approx(0.5)
    assert value(history, "when", "after") == 3
    assert value(history, "steady", "after") == 3
    assert value(history, "steady", "before") == 0
    assert value(history, "grey", "slice -3") == pytest.approx(0.2)
    assert value(history, "grey", "slice +5") == pytest.approx(0.0)


def test_strokes_are_sparse_and_right():
    """Every phase is painted, few pixels are, and none with another phase than it has."""
    truth = (np.arange(64)[:, None] // 22 + 0 * np.arange(96)).astype(np.uint8)
    painted = draw_strokes(truth, 4, 3, np.random.default_rng(0))
    said = painted != NOBODY_SAID
    assert 0 < said.mean() < 0.1
    np.testing.assert_array_equal(painted[said], truth[said])
    assert set(np.unique(painted[said])) == {0, 1, 2}


def test_names_of_the_filter_bank_are_in_its_order():
    """Ten kinds at each of six scales."""
    names = filter_names("SE2")
    assert [name.scale for name in names[:10]] == ["0.7 px"] * 10
    assert names[12].kind == "gradient"
