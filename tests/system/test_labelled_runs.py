"""``slicewatch synthesize runs``: Monte Carlo runs that a training takes as they are."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from algorithms.acquisition import true_labels
from daemon.annotated import read_annotations
from daemon.cli import app
from daemon.errors import ConfigurationError, StoreError
from daemon.synthesize import labelled_runs
from daemon.synthesize.labelled_runs import SEEDS
from daemon.training_file import fusion_plan
from daemon.training_presets import quick_fusion
from models.evaluation import HeldOut, draw_sample
from models.scenes import HELD_OUT_SEEDS, TRAINING_SEEDS, VALIDATION_SEEDS

pytestmark = pytest.mark.slow
SIZE = ["--size", "80", "88", "--slices", "7", "--electrons", "1", "--voxels-per-pixel", "1"]


def runs(out, *options: str):
    return CliRunner().invoke(app, ["synthesize", "runs", str(out), *SIZE, *options])


def test_a_training_takes_the_runs_as_annotated_slices(tmp_path) -> None:
    """Every slice has labels, those of its structure; the last quarter of each run is held back."""
    out = tmp_path / "runs"
    done = runs(out, "--runs", "2")
    assert done.exit_code == 0, done.output
    assert "run 2 of 2: image 21 of 21" in done.output
    plan = fusion_plan(quick_fusion(), out / "training.toml")
    found = read_annotations(plan.annotated, plan.training)
    assert (len(found.learned), len(found.held_back)) == (10, 4)
    sample = draw_sample(SEEDS[0], HeldOut(runs=1, height=80, width=88, slices=7))
    truth = true_labels(sample.structure, float(sample.depths_nm[0]), sample.grid)
    np.testing.assert_array_equal(found.learned[0].labels, truth)


def test_begun_it_goes_on_and_what_is_there_stays(tmp_path) -> None:
    """A run that was cut off is made again, the one before it is not; other options are refused."""
    out = tmp_path / "runs"
    assert runs(out, "--runs", "1", "--voltage", "1").exit_code == 0
    first = out / f"run_{SEEDS[0]}" / "1kV.tif"
    before, written = first.read_bytes(), first.stat().st_mtime_ns
    (out / f"run_{SEEDS[1]}").mkdir()
    assert runs(out, "--runs", "2", "--voltage", "1").exit_code == 0
    assert (first.read_bytes(), first.stat().st_mtime_ns) == (before, written)
    assert tifffile.imread(out / f"run_{SEEDS[1]}" / "1kV.tif").shape == (7, 80, 88)
    assert not list(out.glob("*.part"))
    other = runs(out, "--runs", "2", "--voltage", "2")
    assert isinstance(other.exception, ConfigurationError)
    assert "another kind" in other.exception.what


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--voltage", "0.1"], "0.1 kV"),
        (["--voltage", "2", "--voltage", "2"], "repeat"),
        (["--size", "8", "88"], "8 × 88 px"),
    ],
)
def test_what_cannot_be_simulated_is_refused_before_anything_is_written(tmp_path, options, says) -> None:
    refused = runs(tmp_path / "runs", *options)
    assert isinstance(refused.exception, ConfigurationError)
    assert says in refused.exception.what
    assert not (tmp_path / "runs").exists()


def test_several_starts_share_the_samples(tmp_path) -> None:
    """Each begins with another one; the training names all, and the voltages that they were made with."""
    out = tmp_path / "runs"
    voltages = ("--voltage", "1", "--voltage", "3")
    for first, count in (("3", "2"), ("1", "2"), ("4000", "1")):
        assert runs(out, "--runs", count, "--first", first, *voltages).exit_code == 0
    plan = fusion_plan(quick_fusion(), out / "training.toml")
    assert plan.training.voltages_kv == plan.held_out.voltages_kv == (1.0, 3.0)
    names = [source.images.name for source in plan.annotated]
    assert names == [f"run_{SEEDS[sample]}" for sample in (0, 1, 2, 3, 3999)]
    beyond = runs(out, "--runs", "2", "--first", "4000", *voltages)
    assert beyond.exit_code == 2
    assert "too many" in beyond.output


def test_two_starts_with_one_sample_leave_one_whole_run(tmp_path, monkeypatch) -> None:
    """The slower one finds the other's there when it comes to write; what a killed one left goes later."""
    out, others = tmp_path / "runs", tmp_path / "others"
    assert runs(others, "--runs", "1", "--voltage", "1").exit_code == 0
    simulate = labelled_runs.simulate_run

    def overtaken(*arguments):
        run = simulate(*arguments)
        shutil.copytree(others / f"run_{SEEDS[0]}", out / f"run_{SEEDS[0]}")
        return run

    (out / "killed.part").mkdir(parents=True)
    os.utime(out / "killed.part", (0, 0))
    (out / "writing.part").mkdir()
    monkeypatch.setattr(labelled_runs, "simulate_run", overtaken)
    done = runs(out, "--runs", "1", "--voltage", "1")
    assert done.exit_code == 0, done.output
    there = {path.name for path in out.iterdir()}
    assert there == {f"run_{SEEDS[0]}", "runs.json", "training.toml", "writing.part"}


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path) -> None:
    """And a plan that is no text is another plan."""
    (tmp_path / "file").write_text("")
    told = runs(tmp_path / "file", "--runs", "1", "--voltage", "1")
    assert isinstance(told.exception, StoreError)
    assert "the folder cannot be made" in told.exception.what
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "runs.json").write_bytes(b"\xff\xfe")
    told = runs(tmp_path / "out", "--runs", "1", "--voltage", "1")
    assert isinstance(told.exception, ConfigurationError)
    assert "another kind" in told.exception.what


def test_no_other_seeds_give_these_structures() -> None:
    """They may be learned from: nothing is judged by them."""
    for others in (TRAINING_SEEDS, VALIDATION_SEEDS, HELD_OUT_SEEDS):
        assert not set(SEEDS) & set(others)
