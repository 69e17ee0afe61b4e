"""Held-out runs are what they say; scores of a stack come from all of its slices."""

import numpy as np
import pytest

from models.calibration import Calibration
from models.cards import Account, write_card
from models.evaluation import HeldOut, RenderedRun, held_out_runs, score_beliefs, score_clustering
from models.fitting import Epoch
from models.normalisation import Normalisation
from models.origin import Origin
from models.refinement import Refinement
from models.scenes import HELD_OUT_SEEDS
from models.spec import ModelSpec

SMALL = HeldOut(runs=2, height=40, width=56, slices=3, voltages_kv=(1.0, 4.0))


@pytest.fixture(scope="module")
def runs():
    return held_out_runs(SMALL)


def test_held_out_runs_differ_and_come_back(runs):
    """Each run is a sample of its own; asked for again, they are the same."""
    assert [run.images.shape for run in runs] == [(3, 2, 40, 56)] * 2
    assert not np.array_equal(runs[0].labels, runs[1].labels)
    again = held_out_runs(SMALL)
    assert all(np.array_equal(a.images, b.images) for a, b in zip(runs, again, strict=True))
    assert len(HELD_OUT_SEEDS) > 1000


def test_twice_the_noise_is_twice_the_noise(runs):
    """The same faces, but the pores' grey values scatter about twice as much."""
    noisy = held_out_runs(HeldOut(runs=2, height=40, width=56, slices=3, voltages_kv=(1.0, 4.0), noise=2.0))

    def scatter(run):
        # difference of horizontal neighbours in the pores at 1 kV: the signal there is smooth
        pores = run.images[:, 0].astype(float)
        inside = (run.labels[..., 1:] == 0) & (run.labels[..., :-1] == 0)
        return np.percentile(np.abs(np.diff(pores))[inside], 68)

    assert np.array_equal(noisy[0].labels, runs[0].labels)
    assert scatter(noisy[0]) / scatter(runs[0]) == pytest.approx(2.0, rel=0.3)


def test_perfect_images_score_perfectly():
    """Where grey values are the labels, clustering misplaces nothing and finds the true solid fraction."""
    labels = (np.random.default_rng(0).random((4, 20, 20)) < 0.3).astype(np.uint8)
    run = RenderedRun((200 * labels[:, None]).astype(np.uint8), labels, (1.0,))
    score = score_clustering(1.0, [run, run])
    assert (score.mp_percent, score.mgp_percent, score.mean_dice) == (0, 0, 1)
    assert score.inner_mp_percent == 0
    assert score.solid_fraction == score.true_solid_fraction == pytest.approx(labels.mean())


def test_of_all_runs_together_what_lies_off_the_boundaries_is_scored():
    """One wrong pixel deep inside of the larger of two runs; at its boundary, others."""
    small, large = np.zeros((1, 8, 8), np.uint8), np.zeros((1, 8, 24), np.uint8)
    small[:, :4] = large[:, :4] = 1
    runs = [RenderedRun(labels[:, None], labels, (1.0,)) for labels in (small, large)]
    beliefs = [np.stack([1 - labels, labels], axis=1).astype(np.float32) for labels in (small, large)]
    beliefs[1][0, :, 1, 5] = (0.9, 0.1)
    beliefs[1][0, :, 4, 3:9] = (0.1,), (0.9,)
    score = score_beliefs(beliefs, runs)
    assert score.inner_mp_percent == pytest.approx(100 / 256)
    assert score.mp_percent == pytest.approx(100 * 7 / 256)


def test_a_card_tells_what_was_measured(tmp_path):
    """Figures, checksum, command and date stand in the card, the network's own row in bold."""
    labels = np.zeros((1, 8, 8), np.uint8)
    labels[:, :4] = 1
    score = score_clustering(1.0, [RenderedRun((labels * 99)[:, None], labels, (1.0,))])
    spec = ModelSpec("unet_1kv", ("1kV",), (1.0,), 7, 2, Normalisation(), 8, 56, "ab" * 32, 1e-6, "cd" * 32)
    history = {"1kV": (Epoch(0.2, 0.1, 1e-3, 60.0),)}
    account = Account(
        Origin("slicewatch train it", "2026-11-20", "[training]\nfilters = 16"),
        {"filters": 16},
        SMALL,
        {"unet_1kv": score},
        history,
        {"unet_1kv": Calibration(1.234, (0.0, -0.25))},
        {"unet_1kv": "ef" * 32},
        ("late_fusion_curves.png", "late_fusion_reliability.png"),
        {"unet_1kv": Refinement(0.8, 0.9)},
        3,
        2,
    )
    write_card(tmp_path / "card.md", spec, account)
    card = (tmp_path / "card.md").read_text()
    assert "| **unet_1kv** | 0.000 | 0.000 | 1.0000 | 0.5000 | – |" in card
    for said in (
        spec.sha256,
        spec.training_data_sha256,
        "slicewatch train it",
        "2026-11-20",
        '"filters": 16',
        "```toml\n[training]\nfilters = 16\n```",
        "3 slices that were held back, before and after the training: 0.8000 → 0.9000",
        "Started from unet_1kv (sha256 `efefefefefefefef…`)",
        "late_fusion_curves.png",
        "divided by 1.23, then +0.00, -0.25",
        "and on 2 annotated slices held back",
        "calibrated for images as published and those slices together",
    ):
        assert said in card
