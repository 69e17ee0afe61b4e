"""``slicewatch train forest`` on a person's strokes: what it learns, what it writes, what it refuses."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from algorithms.sparse_labels import draw_strokes
from daemon.cli import app
from daemon.errors import ConfigurationError
from daemon.forest_training import EXCLUDED_SLICES, ForestOrder, train_own_forest
from models.origin import Origin
from models.session import open_segmenter

SHAPE, SLICES, JUDGED = (36, 44), 80, 76
CHANNELS = ("SE2", "InLens")
ORIGIN = Origin("slicewatch train forest", "2026-11-27")


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Two signals of three phases in stripes, and strokes on slices 2, 10, 40 and the whole of slice 76."""
    folder = tmp_path_factory.mktemp("sample")
    rng = np.random.default_rng(1)
    x = np.arange(SHAPE[1])
    for number in range(1, SLICES + 1):
        truth = np.broadcast_to((number // 4 + x) // 8 % 3, SHAPE).astype(np.uint8)
        means = np.array([[60.0, 60.0], [140.0, 170.0], [140.0, 90.0]])[truth]
        for channel, name in enumerate(CHANNELS):
            (folder / name).mkdir(exist_ok=True)
            image = np.clip(means[..., channel] + rng.normal(0, 10, SHAPE), 0, 255).astype(np.uint8)
            tifffile.imwrite(folder / name / f"{number:03d}.tif", image)
        if number in (2, 10, 40, JUDGED):
            (folder / "labels").mkdir(exist_ok=True)
            labels = truth if number == JUDGED else draw_strokes(truth, 6, 2, rng)
            tifffile.imwrite(folder / "labels" / f"{number:03d}.tif", labels)
    return folder


def order_of(sample, out, **changed):
    """The usual order with changes."""
    usual = {
        "out": out, "features": "tailored", "images": sample, "labels": sample / "labels",
        "channels": CHANNELS, "judged_slice": JUDGED, "quick": True,
    }  # fmt: skip
    return ForestOrder(**(usual | changed))


@pytest.mark.slow
def test_strokes_become_a_forest_that_is_judged_far_from_them(sample, tmp_path):
    """The file opens as the daemon opens it, card, table and figure beside it; the judged slice is told."""
    told: list[str] = []
    train_own_forest(order_of(sample, tmp_path), ORIGIN, told.append)
    spec = open_segmenter(tmp_path / "forest.onnx").spec
    assert (spec.detectors, spec.classes, spec.features) == (CHANNELS, 3, "tailored")
    assert "on 3 slices" in told[0]
    error = float(told[-1].split("awe ")[1].split(" %")[0])
    assert error < 12
    with (tmp_path / "forest_importance.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["signal"] for row in rows} == {"SE2", "InLens", "SE2 - InLens"}
    assert "On a slice far from all others: awe" in (tmp_path / "forest.md").read_text(encoding="utf-8")
    assert (tmp_path / "forest_importance.png").is_file()


@pytest.mark.slow
def test_the_zone_around_the_judged_slice_teaches_nothing(sample, tmp_path):
    """Judging slice 10 leaves the strokes of slice 76 alone: 2, 10 and 40 are too near."""
    told: list[str] = []
    assert EXCLUDED_SLICES == 30
    train_own_forest(order_of(sample, tmp_path, judged_slice=10), ORIGIN, told.append)
    assert "on 1 slices" in told[0]


REFUSED = {
    "unknown features": ({"features": "magic"}, "tailored"),
    "no images": ({"images": None}, "--images"),
    "no such channel": ({"channels": ("SE2", "ESB")}, "ESB"),
    "a judged slice without labels": ({"judged_slice": 41}, "slice 41 has no labels"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_a_remedy(sample, tmp_path, case):
    """Before anything is computed."""
    changed, words = REFUSED[case]
    with pytest.raises(ConfigurationError, match=words):
        train_own_forest(order_of(sample, tmp_path, **changed), ORIGIN, print)


def test_a_label_that_is_no_phase_is_refused(sample, tmp_path):
    """A mask painted with 200 instead of 1."""
    (tmp_path / "labels").mkdir()
    tifffile.imwrite(tmp_path / "labels" / "002.tif", np.full(SHAPE, 200, np.uint8))
    with pytest.raises(ConfigurationError, match="labelled 200"):
        train_own_forest(
            order_of(sample, tmp_path, labels=tmp_path / "labels", judged_slice=None), ORIGIN, print
        )


def test_the_command_line_offers_it():
    """With the words that a person needs to find it."""
    told = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    for word in ("forest", "--labels", "--judge", "--channel", "--features"):
        assert word in told
