"""A forest from sparse labels: learned, exported, and run by the daemon's own session as a network is."""

from dataclasses import replace

import numpy as np
import pytest

from algorithms.scores import confusion, weighted_error_percent
from algorithms.sparse_labels import draw_strokes
from models.errors import ExportError, ModelMetadataInvalidError
from models.forest import (
    ForestSettings,
    annotated_windows,
    export_forest,
    forest_spec,
    gather_samples,
    padded,
    scaled_window,
    train_forest,
)
from models.forest_features import ADJACENT_SLICES, as_table, feature_names, window_features
from models.importance import draw_importance, importance_table
from models.session import open_segmenter, segment
from models.spec import ModelSpec

CHANNELS = ("SE2", "InLens")
SETTINGS = ForestSettings(trees=12, threads=1)
SHAPE = (50, 66)


def rods(slices=40):
    """Three phases in stripes that wander along x with depth, told apart by two noisy signals."""
    rng = np.random.default_rng(2)
    z, x = np.arange(slices)[:, None, None], np.arange(SHAPE[1])
    truth = np.broadcast_to((z // 4 + x) // 8 % 3, (slices, *SHAPE)).astype(np.uint8)
    means = np.array([[60.0, 60.0], [140.0, 170.0], [140.0, 90.0]])[truth].transpose(0, 3, 1, 2)
    return np.clip(means + rng.normal(0, 12, means.shape), 0, 255).astype(np.uint8), truth


@pytest.fixture(scope="module")
def trained():
    """A forest of a few trees from strokes on four slices, far from the slice that judges it."""
    images, truth = rods()
    rng = np.random.default_rng(3)
    labels = [(index, draw_strokes(truth[index], 8, 2, rng)) for index in (0, 4, 35, 39)]
    samples = gather_samples(annotated_windows(images, labels), SETTINGS)
    return images, truth, samples, train_forest(samples, SETTINGS)


@pytest.fixture(scope="module")
def shipped(trained, tmp_path_factory):
    """The forest in a file, opened as the daemon does."""
    *_, samples, forest = trained
    path = tmp_path_factory.mktemp("forest") / "rods.onnx"
    spec = export_forest(forest, forest_spec("rods", CHANNELS, SETTINGS, 3, "ab" * 32), samples, path)
    return spec, open_segmenter(path, threads=1, largest_tile_px=64)


def window_at(images, index):
    """(channel, slice, y, x) around a slice."""
    half = ADJACENT_SLICES // 2
    return np.ascontiguousarray(images[index - half : index + half + 1].swapaxes(0, 1))


def test_slices_near_the_judged_one_teach_nothing():
    """The exclusion zone: windows of its slices are left out."""
    images, truth = rods()
    windows = annotated_windows(images, [(index, truth[index]) for index in range(40)], range(10, 31))
    assert len(windows) == 40 - 21
    assert windows[0].images.shape == (2, ADJACENT_SLICES, *SHAPE)


def test_onnx_gives_the_labels_of_scikit_learn(trained, shipped):
    """Every pixel of an odd-sized image in tiles against the whole table through scikit-learn."""
    images, _, _, forest = trained
    window = window_at(images, 20)
    scaled = padded(scaled_window(window, SETTINGS.normalisation))
    features = [feature[: SHAPE[0], : SHAPE[1]] for feature in window_features("tailored", scaled)]
    ours = segment(shipped[1], window)
    theirs = forest.predict_proba(as_table(features)).reshape(*SHAPE, 3).transpose(2, 0, 1)
    assert ours.shape == (3, *SHAPE)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours.sum(axis=0), 1.0, atol=1e-5)
    # In tiles features differ in their last bits, which moves a pixel over a split here and there.
    assert np.mean(np.abs(ours - theirs).max(axis=0) > 1e-4) < 0.01
    assert np.mean(ours.argmax(axis=0) == theirs.argmax(axis=0)) > 0.998


def test_it_learned_the_phases(trained, shipped):
    """On a slice that it has not seen, 15 slices from the nearest stroke."""
    images, truth, *_ = trained
    found = segment(shipped[1], window_at(images, 20)).argmax(axis=0).astype(np.uint8)
    assert weighted_error_percent(confusion(truth[20], found, 3)) < 12


def test_the_file_says_what_the_forest_needs(shipped):
    """Detectors instead of voltages, its features, and how many slices it looks at."""
    spec, segmenter = shipped
    assert segmenter.spec == spec
    assert (spec.detectors, spec.voltages_kv, spec.features) == (CHANNELS, (0.0, 0.0), "tailored")
    assert (spec.adjacent_slices, spec.classes) == (ADJACENT_SLICES, 3)
    assert segmenter.provider == "CPUExecutionProvider"


def test_importance_adds_up_and_names_what_tells_the_phases_apart(trained, tmp_path):
    """A table of all features, the most important first, and a figure."""
    forest = trained[3]
    names = feature_names("tailored", CHANNELS)
    lines = importance_table(names, forest.feature_importances_)
    shares = [float(line.rsplit(",", 1)[1]) for line in lines[1:]]
    assert sum(shares) == pytest.approx(1.0, abs=1e-3)
    assert shares == sorted(shares, reverse=True)
    draw_importance(names, forest.feature_importances_, tmp_path / "importance.png")
    assert (tmp_path / "importance.png").stat().st_size > 10_000


def test_a_phase_that_nobody_painted_is_told(trained, tmp_path):
    """Of three phases the middle one has no label."""
    *_, samples, _ = trained
    some = samples.phases != 1
    few = replace(samples, features=samples.features[some], phases=samples.phases[some])
    forest = train_forest(few, SETTINGS)
    spec = forest_spec("rods", CHANNELS, SETTINGS, 3, "")
    with pytest.raises(ExportError, match=r"phases \[0, 2\].*without a gap"):
        export_forest(forest, spec, few, tmp_path / "x.onnx")


def test_a_forest_of_unknown_features_is_refused(trained, tmp_path):
    """A file of a later version: named features that this one cannot compute."""
    *_, samples, forest = trained
    spec: ModelSpec = replace(forest_spec("rods", CHANNELS, SETTINGS, 3, ""))
    path = tmp_path / "x.onnx"
    export_forest(forest, spec, samples, path)
    content = path.read_bytes().replace(b'"tailored"', b'"tailor-x"')
    path.write_bytes(content)
    path.with_name("x.onnx.sha256").unlink()
    with pytest.raises(ModelMetadataInvalidError, match="tailor-x"):
        open_segmenter(path)
