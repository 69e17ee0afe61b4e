"""Calibration: errors of known claims, sums of parts, and a calibration that is found again."""

import numpy as np
import pytest
import torch

from algorithms.reliability import calibration_error, reliability
from models.architectures import ResidualUNet
from models.calibration import Calibration, best_calibration, calibrate
from models.fusion import EarlyFusion, IntermediateFusion, LateFusion
from models.scenes import NOT_ANNOTATED


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


@pytest.mark.parametrize(("temperature", "offset"), [(0.5, 0.0), (1.0, -0.4), (2.5, 0.7)])
def test_what_overstated_scores_are_divided_by_and_what_is_added_is_found(temperature, offset):
    """Labels drawn from honest scores, of which one phase's were lowered and both then multiplied. Pixels
    that nobody has labelled count for nothing."""
    generator = torch.Generator().manual_seed(2)
    honest = 2 * torch.randn(40, 2, 64, 64, generator=generator)
    solid = torch.softmax(honest, dim=1)[:, 1]
    labels = (torch.rand(solid.shape, generator=generator) < solid).long()
    stated = honest - torch.tensor([0.0, offset])[:, None, None]
    labels[::7] = NOT_ANNOTATED
    found = best_calibration([(0.5, temperature * stated, labels), (0.5, temperature * stated, labels)])
    assert found.temperature == pytest.approx(temperature, rel=0.03)
    assert found.offsets[0] == 0.0
    assert found.offsets[1] == pytest.approx(offset, abs=0.03)


def test_once_calibrated_the_mean_claim_is_the_share_of_solid():
    """Whatever was overstated."""
    generator = torch.Generator().manual_seed(3)
    scores = 3 * torch.randn(10, 2, 64, 64, generator=generator)
    labels = (scores[:, 1] - scores[:, 0] + 2 * torch.randn(10, 64, 64, generator=generator) > 2.5).long()
    found = best_calibration([(1.0, scores, labels)])
    claimed = torch.softmax(scores / found.temperature + torch.tensor(found.offsets)[:, None, None], dim=1)
    assert claimed[:, 1].mean().item() == pytest.approx(labels.double().mean().item(), rel=1e-3)


def test_without_an_offset_no_label_changes():
    """Only how sure they are is fitted, though an offset would explain them better."""
    generator = torch.Generator().manual_seed(3)
    scores = 3 * torch.randn(10, 2, 64, 64, generator=generator)
    labels = (scores[:, 1] - scores[:, 0] + torch.randn(10, 64, 64, generator=generator) > 2.5).long()
    found = best_calibration([(1.0, scores, labels)], offsets=False)
    assert found.offsets == (0.0, 0.0)
    assert found.temperature != pytest.approx(1.0, rel=0.03)


def test_scores_of_a_failed_training_are_refused():
    """Nothing would become of them."""
    scores = torch.zeros(1, 2, 8, 8)
    scores[0, 0, 3, 3] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        best_calibration([(1.0, scores, torch.zeros(1, 8, 8, dtype=torch.long))])


def test_scores_that_know_nothing_end_at_the_limits():
    """A network that has learned nothing, and one that is never wrong, are calibrated without a failure."""
    labels = torch.zeros(2, 8, 8, dtype=torch.long)
    assert 0.2 <= best_calibration([(1.0, torch.zeros(2, 2, 8, 8), labels)]).temperature <= 5.0
    sure = torch.stack([torch.full((2, 8, 8), 50.0), torch.zeros(2, 8, 8)], dim=1)
    found = best_calibration([(1.0, sure, labels)])
    assert 0.2 <= found.temperature <= 5.0
    assert abs(found.offsets[1]) <= 3.0


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
def test_scores_are_divided_and_moved_by_exactly_the_calibration(network):
    """Whatever the network's last layer is."""
    network.eval()
    image = torch.rand(1, 3, 16, 16) if isinstance(network, ResidualUNet) else torch.rand(1, 3, 3, 16, 16)
    before = network.logits(image)
    calibrate(network, Calibration(2.0, (0.0, 0.3)))
    expected = before / 2 + torch.tensor([0.0, 0.3])[:, None, None]
    torch.testing.assert_close(network.logits(image), expected)
