"""``slicewatch train forest`` on a person's strokes: what it learns, what it writes, what it refuses."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from algorithms.sparse_labels import draw_strokes
from daemon.cli import app
from daemon.config import parse
from daemon.errors import ConfigurationError
from daemon.forest_training import EXCLUDED_SLICES, ForestOrder, command_of, train_own_forest
from daemon.stages.segmenting import open_model
from models.errors import ModelMismatchError
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
        "out": out, "features": "tailored", "denoise": "none", "images": sample, "labels": sample / "labels",
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
    final, newest = (float(line.split("awe ")[1].split(" %")[0]) for line in told[-2:])
    assert final < 12
    assert newest < 20
    with (tmp_path / "forest_importance.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["signal"] for row in rows} == {"SE2", "InLens", "SE2 - InLens"}
    card = (tmp_path / "forest.md").read_text(encoding="utf-8")
    assert "Judged on slice 76, more than 30 slices from all that it has learned from" in card
    assert f"| provisional, the newest of all | {newest:.2f} |" in card
    assert "as the microscope gives them" in card
    assert (tmp_path / "forest_importance.png").is_file()


@pytest.mark.slow
def test_a_forest_of_denoised_images_says_so_and_runs_on_no_others(sample, tmp_path):
    """In its file, in its card, and to a run whose configuration leaves the noise in."""
    order = order_of(sample, tmp_path, denoise="non-local-means")
    train_own_forest(order, ORIGIN, print)
    assert open_segmenter(tmp_path / "forest.onnx").spec.denoise == "non-local-means"
    assert 'denoised (`denoise = "non-local-means"`' in (tmp_path / "forest.md").read_text(encoding="utf-8")
    assert command_of(order).endswith("--judge 76 --features tailored --denoise non-local-means --quick")
    for denoise in ("none", "non-local-means"):
        channels = [{"name": one, "detector": one, "reference": one == "SE2"} for one in CHANNELS]
        table = {
            "run": {"folder": "in", "output": "out"},
            "segmentation": {"model": str(tmp_path / "forest.onnx"), "denoise": denoise},
            "channels": channels,
        }
        configuration = parse(table, where=tmp_path / "run.toml")
        if denoise == "none":
            with pytest.raises(ModelMismatchError, match="Set denoise = 'non-local-means'"):
                open_model(configuration, 1)
        else:
            assert open_model(configuration, 1).spec.denoise == denoise


@pytest.mark.slow
def test_the_zone_around_the_judged_slice_teaches_nothing(sample, tmp_path):
    """Judging slice 10 leaves the strokes of slice 76 alone: 2, 10 and 40 are too near."""
    told: list[str] = []
    assert EXCLUDED_SLICES == 30
    train_own_forest(order_of(sample, tmp_path, judged_slice=10), ORIGIN, told.append)
    assert "on 1 slices" in told[0]


REFUSED = {
    "unknown features": ({"features": "magic"}, "tailored"),
    "an unknown way of denoising": ({"denoise": "median"}, "non-local-means"),
    "no images": ({"images": None}, "--images"),
    "a folder of images that is not there": (
        {"images": Path("nowhere")},
        "the images are missing.*store_images",
    ),
    "no such channel": ({"channels": ("SE2", "ESB")}, "ESB"),
    "a judged slice without labels": ({"judged_slice": 41}, "slice 41 has no labels"),
    "one channel of two": ({"channels": ("SE2",)}, "of the channels SE2"),
    "a third channel": ({"channels": ("SE2", "InLens", "SE2")}, "they look at 2, no more"),
    "two channels for one": ({"features": "one-signal"}, "they look at 1, no more"),
    "a channel twice": ({"channels": ("SE2", "SE2")}, "of the channels SE2, SE2"),
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


PAINTED = {
    "a phase that only the judged slice has": ({2: (0, 1), JUDGED: (0, 1, 2)}, "phase 2 is labelled on no"),
    "pores alone": ({2: (0,), JUDGED: (0,)}, "phase 1 is labelled on no"),
    "a gap": ({2: (0, 2), JUDGED: (0, 2)}, "phase 1 is labelled on no"),
    "nothing": ({2: (255,), JUDGED: (0, 1)}, "no labels are left"),
    "halves of phases": ({2: (0.0, 0.5), JUDGED: (0.0, 1.0)}, "slice 2 is labelled 0.5"),
    "less than nothing": ({2: (0, -1), JUDGED: (0, 1)}, "slice 2 is labelled -1"),
    "a slice that has no image": ({2: (0, 1), JUDGED: (0, 1), 200: (0, 1)}, "there is no slice 200"),
}


@pytest.mark.parametrize("case", PAINTED)
def test_labels_that_cannot_teach_are_refused(sample, tmp_path, case):
    """Before an hour of features, with what is missing; nobody's strokes are taught by another slice's
    image."""
    painted, words = PAINTED[case]
    (tmp_path / "labels").mkdir()
    for number, values in painted.items():
        kind = np.float32 if isinstance(values[0], float) else np.int16
        plane = np.resize(np.asarray(values, dtype=kind), SHAPE)
        tifffile.imwrite(tmp_path / "labels" / f"{number:03d}.tif", plane)
    with pytest.raises(ConfigurationError, match=words):
        train_own_forest(order_of(sample, tmp_path, labels=tmp_path / "labels"), ORIGIN, print)


def test_channels_of_different_sizes_are_refused(sample, tmp_path):
    """Images that were not registered onto one another."""
    for name in CHANNELS:
        (tmp_path / name).symlink_to(sample / name)
    (tmp_path / "ESB").mkdir()
    for number in range(1, SLICES + 1):
        tifffile.imwrite(tmp_path / "ESB" / f"{number:03d}.tif", np.zeros((8, 8), np.uint8))
    order = order_of(sample, tmp_path, images=tmp_path, channels=("SE2", "ESB"))
    with pytest.raises(ConfigurationError, match="channels differ"):
        train_own_forest(order, ORIGIN, print)


def test_the_command_line_offers_it():
    """With the words that a person needs to find it."""
    told = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    for word in ("forest", "--labels", "--judge", "--channel", "--features", "--denoise"):
        assert word in told
