"""Calibration: errors of known claims, sums of parts, and a temperature that is found again."""

import numpy as np
import pytest
import torch

from algorithms.reliability import calibration_error, reliability
from models.architectures import ResidualUNet
from models.calibration import best_temperature, set_temperature
from models.fusion import EarlyFusion, IntermediateFusion, LateFusion


def claims(rng, count=200_000):
    probabilities = rng.random(count).astype(np.float32)
    return probabilities, rng.random(count) < probabilities


def test_honest_claims_have_no_error():
    """Pixels that are of the phase as often as claimed; the rest is counting noise."""
    assert calibration_error(reliability(*claims(np.random.default_rng(0)))) < 0.005


def test_an_overconfident_claim_costs_its_excess():
    """Who always says 0.9 and is right in 6 of 10 pixels errs by 0.3."""
    truth = np.arange(1000) % 10 < 6
    found = reliability(np.full(1000, 0.9, np.float32), truth)
    assert calibration_error(found) == pytest.approx(0.3, abs=1e-6)
    claimed, frequency = found.points
    assert (claimed[0], frequency[0]) == (pytest.approx(0.9), pytest.approx(0.6))


def test_parts_add_up_to_the_whole():
    """Runs can be looked at one by one."""
    probabilities, truth = claims(np.random.default_rng(1), 1000)
    whole = reliability(probabilities, truth)
    parts = reliability(probabilities[:300], truth[:300]) + reliability(probabilities[300:], truth[300:])
    assert calibration_error(parts) == pytest.approx(calibration_error(whole))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_of_overstated_scores_is_found(temperature):
    """Labels drawn from honest scores, scores then multiplied: division by as much is best."""
    generator = torch.Generator().manual_seed(2)
    honest = 2 * torch.randn(40, 2, 64, 64, generator=generator)
    solid = torch.softmax(honest, dim=1)[:, 1]
    labels = (torch.rand(solid.shape, generator=generator) < solid).long()
    assert best_temperature(temperature * honest, labels) == pytest.approx(temperature, rel=0.03)


@pytest.mark.parametrize(
    "network",
    [
        ResidualUNet(3, filters=1),
        EarlyFusion(3, 3, filters=1),
        IntermediateFusion(3, 3, filters=1),
        LateFusion([ResidualUNet(3, filters=1) for _ in range(3)]),
    ],
    ids=["single", "early", "intermediate", "late"],
)
@torch.inference_mode()
def test_a_temperature_changes_claims_and_no_label(network):
    """Scores are divided by exactly the temperature."""
    network.eval()
    image = torch.rand(1, 3, 16, 16) if isinstance(network, ResidualUNet) else torch.rand(1, 3, 3, 16, 16)
    before = network.logits(image)
    set_temperature(network, 2.0)
    torch.testing.assert_close(network.logits(image), before / 2)
