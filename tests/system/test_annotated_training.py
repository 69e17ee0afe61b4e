"""A network is refined on a user's annotated slices: from the files of the command line to figures before and
after, on a scale of seconds."""

import json
import re

import numpy as np
import pytest
import tifffile
import torch

from daemon.errors import ConfigurationError
from daemon.training import train_network
from models.errors import CheckpointMismatchError
from models.evaluation import HeldOut, render_run
from models.kept_settings import keep_settings
from models.model_file import checksum_path

SHIPPED = """
[training]
voltages_kv = [1.0]
patch_px = 32
scenes = 3
validation_scenes = 1
ensemble_scenes = 2
annotated_share = 0.75
threads = 1
size = { blocks = 1, block_px = 48, slices = 7 }
[training.recipe]
batch = 16
steps = 30
epochs = 3
learning_rate = 1e-3
[held_out]
runs = 1
height = 32
width = 40
slices = 2
"""
TINY = """
[training]
voltages_kv = [1.0, 4.0]
adjacent_slices = 3
volume_filters = 2
patch_px = 16
scenes = 3
validation_scenes = 1
ensemble_scenes = 2
start_from = "{start}"
threads = 1
size = {{ blocks = 1, block_px = 40, slices = 4 }}
[training.fusion_recipe]
batch = 4
steps = 2
epochs = 2
[training.augmentation]
thickness = 0.5
blur = 0.3
curtaining = 0.05
misregistration = 0.3
[held_out]
runs = 1
height = 32
width = 40
slices = 2
voltages_kv = [1.0, 4.0]
"""
OWN = """
[[annotated]]
images = "images"
labels = "labels"
"""


def write_annotated_run(folder):
    """A run whose contrast is upside down, as no rendered scene has it; one pixel in five is annotated."""
    run = render_run(77, HeldOut(runs=1, height=48, width=64, slices=8, voltages_kv=(1.0, 4.0)))
    rng = np.random.default_rng(1)
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for channel, name in enumerate(("1kV", "4kV")):
        tifffile.imwrite(
            folder / "images" / f"{name}.tif", 255 - run.images[:, channel], photometric="minisblack"
        )
    for number in range(1, 9):
        labels = np.where(rng.random((48, 64)) < 0.2, run.labels[number - 1], 255).astype(np.uint8)
        tifffile.imwrite(folder / "labels" / f"{number:03}.tif", labels)


@pytest.fixture
def folder(tmp_path):
    """Torch's number of threads is the process's: it is put back."""
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_annotated_slices_refine_a_shipped_network(folder, capsys):
    """It is wrong on the user's sample; refined on six of its slices it is right on most of the two that were
    held back. The card tells of it, and of the file."""
    write_annotated_run(folder)
    (folder / "own.toml").write_text(SHIPPED + OWN)
    train_network("late-fusion", folder / "after", quick=False, config=folder / "own.toml")
    told = capsys.readouterr().out
    assert told.count("annotated, learned from: slice") == 6
    assert re.findall(r"held back: slice (\d+) of", told) == ["7", "8"]
    gains = re.findall(r"(\w+): mean Dice on annotated slices held back (.+) → (\S+)", told)
    ((single, before, after),) = gains
    assert single == "unet_1kv"  # of one voltage, which there is nothing to fuse with
    assert float(before) < 0.4
    assert float(after) > 0.7
    card = (folder / "after" / "unet_1kv.md").read_text()
    assert f"{before} → {after}" in card
    assert "[[annotated]]" in card
    assert "Started from unet_1kv (sha256" in card
    assert "rendered images only" not in card
    assert checksum_path(folder / "after" / "unet_1kv.onnx").is_file()
    assert (folder / "after" / "tensorboard" / "branch_1kV").is_dir()
    with pytest.raises(ConfigurationError, match="of one voltage has nothing to fuse"):
        train_network("early-fusion", folder / "other", quick=False, config=folder / "own.toml")


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_whole_fusion_starts_from_its_like_where_slices_are_annotated(folder, capsys):
    """The early fusion, too, is refined and not learned anew; other settings in its folder are refused."""
    write_annotated_run(folder)
    (folder / "first.toml").write_text(TINY.format(start=""))
    own = TINY.format(start="before") + OWN
    (folder / "own.toml").write_text(own)
    train_network("early-fusion", folder / "before", quick=True, config=folder / "first.toml")
    train_network("early-fusion", folder / "after", quick=True, config=folder / "own.toml")
    assert re.search(r"early_fusion: mean Dice on annotated slices held back [01]\.", capsys.readouterr().out)
    assert "Started from early_fusion (sha256" in (folder / "after" / "early_fusion.md").read_text()
    (folder / "own.toml").write_text(own.replace("blur = 0.3", "blur = 0.4"))
    with pytest.raises(CheckpointMismatchError, match=r"other settings: augmentation\.blur"):
        train_network("early-fusion", folder / "after", quick=True, config=folder / "own.toml")


def test_kept_settings_are_plain(folder):
    """So that a person can read what a folder was begun with."""
    keep_settings(folder, {"filters": 4, "threads": 8, "recipe": {"batch": 2}}, "ab")
    keep_settings(folder, {"filters": 4, "threads": 1, "recipe": {"batch": 2}}, "ab")
    assert json.loads((folder / "settings.json").read_text()) == {
        "filters": 4,
        "recipe": {"batch": 2},
        "annotated slices": "ab",
    }
    with pytest.raises(CheckpointMismatchError, match=r"annotated slices, recipe\.batch"):
        keep_settings(folder, {"filters": 4, "recipe": {"batch": 3}}, "cd")
