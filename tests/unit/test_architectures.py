"""The networks compute what their docstrings say: probabilities, reach, fusion, folding."""

import pytest
import torch

from models.architectures import REACH_PX, STRIDE_PX, ResidualUNet, fold_batch_norms
from models.fusion import EarlyFusion, IntermediateFusion, LateFusion, Voting
from models.volume_unet import VolumeUNet

NORMS = (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)


KINDS = {
    "single": lambda: ResidualUNet(filters=2),
    "single_2d": lambda: ResidualUNet(adjacent_slices=1, filters=2),
    "volume": lambda: VolumeUNet(filters=2),
    "early": lambda: EarlyFusion(filters=2),
    "intermediate": lambda: IntermediateFusion(filters=2),
}
SHAPES = {"single": (1, 7), "single_2d": (1, 1), "volume": (1, 7), "early": (3, 7), "intermediate": (3, 7)}


class Sure(ResidualUNet):
    """A branch that believes in solid with one probability everywhere."""

    def __init__(self, probability):
        super().__init__(filters=1)
        self.belief = torch.tensor([1 - probability, probability])

    def logits(self, x):
        return self.belief.log()[None, :, None, None].expand(len(x), 2, *x.shape[-2:])


def scores(network, image):
    """A single network's logits take its only voltage without the axis."""
    return network.logits(image[:, 0] if isinstance(network, ResidualUNet) else image)


def lively(network):
    """Random statistics in every normalisation, so that folding and reach are not trivially right."""
    generator = torch.Generator().manual_seed(5)
    for module in network.modules():
        if isinstance(module, NORMS):
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


@pytest.mark.parametrize("kind", ["single", "single_2d", "volume", "early", "intermediate"])
@torch.inference_mode()
def test_nothing_beyond_the_reach_matters(kind):
    """A pixel's scores depend on inputs some way off along each axis, and on none beyond REACH_PX."""
    torch.manual_seed(2)
    network = lively(KINDS[kind]()).double()
    side = 2 * REACH_PX + 6 * STRIDE_PX
    channels, slices = SHAPES[kind]
    image = torch.rand(1, channels, slices, side, side, dtype=torch.float64)
    change = torch.zeros_like(image)
    change[..., side // 2, side // 2] = 1000.0
    moved = (scores(network, image + change) - scores(network, image)).abs().sum((0, 1))
    rows = torch.nonzero(moved.sum(1))[:, 0] - side // 2
    columns = torch.nonzero(moved.sum(0))[:, 0] - side // 2
    farthest = max(rows.abs().max(), columns.abs().max())
    nearest = STRIDE_PX if kind == "intermediate" else REACH_PX - 2 * STRIDE_PX
    assert nearest < farthest <= REACH_PX


@pytest.mark.parametrize("kind", ["single", "single_2d", "volume", "early", "intermediate"])
@torch.inference_mode()
def test_every_slice_and_voltage_matters(kind):
    """No image of the window is ignored: changing any of them changes the probabilities."""
    torch.manual_seed(6)
    network = lively(KINDS[kind]())
    channels, slices = SHAPES[kind]
    image = torch.rand(1, channels, slices, 16, 16)
    before = network(image)
    assert before.shape == (1, 2, 16, 16)
    for channel in range(channels):
        for number in range(slices):
            other = image.clone()
            other[0, channel, number] += 1.0
            assert not torch.equal(network(other), before)


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


@pytest.mark.parametrize("kind", ["single", "volume", "early", "intermediate"])
@torch.inference_mode()
def test_folding_changes_nothing_but_the_cost(kind):
    """Batch normalisation is gone, the probabilities are the same."""
    torch.manual_seed(4)
    network = lively(KINDS[kind]())
    image = torch.rand(1, *SHAPES[kind], 32, 32)
    expected = network(image)
    folded = fold_batch_norms(network)
    assert not any(isinstance(module, NORMS) for module in folded.modules())
    torch.testing.assert_close(folded(image), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("solid", "expected"),
    [((0.9, 0.1, 0.1), False), ((1.0, 0.1, 0.1), True), ((0.4, 0.9, 0.9), True), ((0.1, 0.8, 0.8), False)],
)
@torch.inference_mode()
def test_branches_vote_with_the_published_weights(solid, expected):
    """The voting variant decides as the weighted mean 0.5/0.3/0.2 of the branches' beliefs does."""
    voting = Voting([Sure(probability) for probability in solid])
    pore, gold = voting(torch.zeros(1, 3, 7, 8, 8))[0, :, 0, 0]
    assert (0.5 * solid[0] + 0.3 * solid[1] + 0.2 * solid[2] > 0.5) is expected
    assert bool(gold > pore) is expected


@torch.inference_mode()
def test_a_sure_branch_outvotes_two_unsure_ones():
    """Late fusion weighs evidence: a 1 kV branch sure of gold stands against two that faintly doubt it."""
    network = LateFusion([Sure(0.999), Sure(0.4), Sure(0.4)])
    assert network(torch.zeros(1, 3, 7, 8, 8))[0, 1, 0, 0] > 0.9


@torch.inference_mode()
def test_each_branch_sees_its_own_voltage(fusion):
    """Another 4 kV image changes the third branch's evidence and no other's."""
    image = torch.rand(1, 3, 7, 16, 16)
    other = image.clone()
    other[:, 2] += 0.5
    changed = (fusion.branch_evidence(image) != fusion.branch_evidence(other)).any(-1).any(-1)
    assert changed[0].tolist() == [False] * 4 + [True] * 2
