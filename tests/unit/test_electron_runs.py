"""Held-out Monte Carlo runs are simulated once, kept by what they were made from, and scored like any run."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import segmentation
from benchmarks.electron_runs import ElectronRun, content_key, electron_run
from models.evaluation import HeldOut, score_voting
from models.session import open_segmenter

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


@pytest.mark.parametrize(
    "other",
    [replace(SMALL, electrons=13), replace(SMALL, held_out=replace(SMALL.held_out, pixel_nm=3.0))],
    ids=["dose", "pixel"],
)
def test_other_runs_have_other_keys(other):
    """A run in the cache is never taken for another."""
    assert content_key(other, 1) != content_key(SMALL, 1)
    assert content_key(SMALL, 2) != content_key(SMALL, 1)


def test_a_vote_of_agreeing_networks_is_what_they_say(cache):
    """Three ballots of one network elect what it says itself."""
    run = replace(electron_run(SMALL), voltages_kv=(1.0, 2.0, 4.0))
    single = open_segmenter(segmentation.ZOO / "unet_1kv.onnx")
    voted = score_voting([single] * 3, [run])
    alone = segmentation.score_all({"single": single}, [run])["single"]
    assert (voted.mp_percent, voted.mean_dice) == (alone.mp_percent, alone.mean_dice)
