"""The networks compute what their docstrings say: probabilities, reach, fusion, folding."""

import pytest
import torch

from models.architectures import (
    REACH_PX,
    STRIDE_PX,
    LateFusion,
    ResidualUNet,
    fold_batch_norms,
    voting_layer,
)


def lively(network):
    """Random statistics in every normalisation, so that folding and reach are not trivially right."""
    generator = torch.Generator().manual_seed(5)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.copy_(0.2 * torch.randn(module.num_features, generator=generator))
            module.running_var.copy_(0.5 + torch.rand(module.num_features, generator=generator))
    return network.eval()


@pytest.fixture(scope="module")
def fusion():
    torch.manual_seed(1)
    return lively(LateFusion([ResidualUNet(filters=2) for _ in range(3)]))


@torch.inference_mode()
def test_probabilities_of_an_image_sum_to_one(fusion):
    """(batch, voltage, slice, y, x) in, (batch, class, y, x) out, a distribution at each pixel."""
    result = fusion(torch.rand(2, 3, 7, 24, 40))
    assert result.shape == (2, 2, 24, 40)
    torch.testing.assert_close(result.sum(1), torch.ones(2, 24, 40))


@torch.inference_mode()
def test_nothing_beyond_the_reach_matters():
    """A pixel's probability depends on inputs REACH_PX away, along each axis, and on none farther."""
    torch.manual_seed(2)
    network = lively(ResidualUNet(filters=2)).double()
    side = 2 * REACH_PX + 6 * STRIDE_PX
    image = torch.rand(1, 7, side, side, dtype=torch.float64)
    change = torch.zeros_like(image)
    change[..., side // 2, side // 2] = 1000.0
    moved = (network.logits(image + change) - network.logits(image)).abs().sum((0, 1))
    rows = torch.nonzero(moved.sum(1))[:, 0] - side // 2
    columns = torch.nonzero(moved.sum(0))[:, 0] - side // 2
    farthest = max(rows.abs().max(), columns.abs().max())
    assert REACH_PX - 2 * STRIDE_PX < farthest <= REACH_PX


@torch.inference_mode()
def test_a_tile_with_its_surroundings_equals_the_whole(fusion):
    """What is REACH_PX inside a tile that starts at a multiple of the stride is as in the whole image."""
    torch.manual_seed(3)
    image = torch.rand(1, 3, 7, 160, 240)
    whole = fusion(image)
    tile = fusion(image[..., :, 64:224])
    torch.testing.assert_close(
        tile[..., REACH_PX : 160 - REACH_PX], whole[..., 64 + REACH_PX : 224 - REACH_PX], rtol=0, atol=1e-6
    )


@torch.inference_mode()
def test_folding_changes_nothing_but_the_cost():
    """Batch normalisation is gone, the probabilities are the same."""
    torch.manual_seed(4)
    network = lively(ResidualUNet(filters=3))
    image = torch.rand(1, 1, 7, 32, 32)
    expected = network(image)
    folded = fold_batch_norms(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(image), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("solid", "expected"),
    [((0.9, 0.1, 0.1), False), ((1.0, 0.1, 0.1), True), ((0.4, 0.9, 0.9), True), ((0.1, 0.8, 0.8), False)],
)
@torch.inference_mode()
def test_an_untrained_ensemble_votes(solid, expected):
    """It decides as the weighted mean 0.5/0.3/0.2 of the branches' beliefs does."""
    beliefs = torch.tensor([value for p in solid for value in (1 - p, p)])[None, :, None, None]
    pore, gold = voting_layer(3)(beliefs)[0, :, 0, 0]
    assert (0.5 * solid[0] + 0.3 * solid[1] + 0.2 * solid[2] > 0.5) is expected
    assert bool(gold > pore) is expected


@torch.inference_mode()
def test_each_branch_sees_its_own_voltage(fusion):
    """Another 4 kV image changes the third branch's beliefs and no other's."""
    image = torch.rand(1, 3, 7, 16, 16)
    other = image.clone()
    other[:, 2] += 0.5
    changed = (fusion.branch_probabilities(image) != fusion.branch_probabilities(other)).any(-1).any(-1)
    assert changed[0].tolist() == [False] * 4 + [True] * 2
