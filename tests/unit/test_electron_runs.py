"""Held-out Monte Carlo runs are simulated once, kept by what they were made from, and scored like any run."""

from dataclasses import replace

import numpy as np
import pytest

from algorithms.acquisition import true_labels
from daemon.emulator.beam import Shot, voxels_below
from daemon.emulator.electron_run import ElectronRun
from daemon.tabulate.electron_runs import SEEDS, content_key, electron_run
from daemon.tabulate.methods import PAIRS, open_shipped, score_methods
from models.evaluation import HeldOut, cluster_run, draw_sample, score_segmenter
from models.jury import assemble_jury

SMALL = ElectronRun(HeldOut(runs=1, height=24, width=32, slices=2), 12)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "slicewatch"


def test_a_run_is_simulated_once_and_is_the_same_again(cache):
    """The second time it is read; simulated anew, it is the same to the last bit."""
    first = electron_run(SMALL)
    (kept,) = cache.iterdir()
    written = kept.stat().st_mtime_ns
    assert np.array_equal(electron_run(SMALL).images, first.images)
    assert kept.stat().st_mtime_ns == written
    kept.unlink()
    again = electron_run(SMALL)
    assert np.array_equal(again.images, first.images)
    assert np.array_equal(again.labels, first.labels)
    assert first.images.shape == (2, 3, 24, 32)


@pytest.mark.parametrize("voxels_per_pixel", [1, 3])
def test_the_uppermost_voxels_are_the_face(voxels_per_pixel: int) -> None:
    """Exactly, in the middle of every square pixel; rows of other heights meet voxels that lie a little
    beside their middles."""
    sample = draw_sample(SEEDS[0], SMALL.held_out)
    for row in (1.0, 1.25):
        grid = replace(sample.grid, pixel_y_nm=row * sample.grid.pixel_x_nm)
        shot = Shot(sample.structure, 40.0, grid, 2.0, (1,), 1, voxels_per_pixel)
        face = voxels_below(shot)[0]
        places = [
            (np.arange(pixels) + 0.5) * side * voxels_per_pixel
            for pixels, side in ((grid.height, row), (grid.width, 1.0))
        ]
        found = face[np.ix_(*(place.astype(int) for place in places))]
        wrong = np.mean(found != true_labels(sample.structure, 40.0, grid))
        assert wrong == 0 if row == 1.0 else wrong < 0.05


def test_contrast_finds_what_lies_just_below_the_face(cache):
    """Through 1.6 nm of epoxy gold is nearly as bright as on the face, so k-means finds that depth; of what
    was milled off it finds nothing."""
    wanted = ElectronRun(HeldOut(runs=1, height=72, width=112, slices=2, voltages_kv=(1.0,)), 120)
    run, sample = electron_run(wanted, seed := SEEDS[0]), draw_sample(seed, wanted.held_out)
    found = cluster_run(1.0, run)

    def mistaken(beside_nm: float) -> float:
        depths_nm = sample.depths_nm + beside_nm
        labels = [true_labels(sample.structure, depth_nm, sample.grid) for depth_nm in depths_nm]
        return float(np.mean(found != labels))

    assert np.mean(found != run.labels) == mistaken(0.0)
    assert mistaken(1.6) < mistaken(0.0) < 0.7 * mistaken(-1.6)
    assert mistaken(1.6) < 0.7 * mistaken(3.2)


@pytest.mark.parametrize(
    "other",
    [
        replace(SMALL, electrons=13),
        replace(SMALL, held_out=replace(SMALL.held_out, pixel_nm=3.0)),
        replace(SMALL, voxels_per_pixel=1),
    ],
    ids=["dose", "pixel", "voxel"],
)
def test_other_runs_have_other_keys(other):
    """A run in the cache is never taken for another."""
    assert content_key(other, 1) != content_key(SMALL, 1)
    assert content_key(SMALL, 2) != content_key(SMALL, 1)


def figures(score):
    return score.mp_percent, score.mgp_percent, score.mean_dice, score.solid_fraction


def test_what_networks_say_together_is_the_same_in_the_table_and_in_the_daemon(cache):
    """A pair's row is the score of the jury that the daemon runs where a voltage is missing; each network's
    is its own."""
    runs = [electron_run(SMALL)]
    segmenters = open_shipped()
    scores = score_methods(segmenters, runs)
    for pair in PAIRS:
        jury = assemble_jury([segmenters[name] for name in pair], "zoo")
        assert figures(scores["+".join(pair)]) == figures(score_segmenter(jury, runs))
    assert figures(scores["unet_2kv"]) == figures(score_segmenter(segmenters["unet_2kv"], runs))
    assert {"voting", "late_fusion", "kmeans_1kv", "kmeans_4kv"} < set(scores)


def test_a_vote_of_agreeing_networks_is_what_they_say(cache):
    """Three ballots of one network elect what it says itself."""
    runs = [electron_run(SMALL)]
    one = open_shipped()["unet_1kv"]
    agreeing = dict.fromkeys(("unet_1kv", "unet_2kv", "unet_4kv"), one)
    scores = score_methods(agreeing, runs)
    assert scores["voting"].mp_percent == scores["unet_1kv"].mp_percent
