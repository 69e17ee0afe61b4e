"""Networks that label a face from its images at several voltages, joined early, half-way or late.

All take and return what :mod:`models.architectures` says.

Source: Sardhara et al. 2024, "Enhancing 3D Reconstruction Accuracy of FIB Tomography Data Using
Multi-voltage Images and Multimodal Machine Learning", §2.2 and Appendix 1.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.architectures import ResidualUNet, convolution
from models.evaluation import VOTES
from models.volume_unet import VolumeUNet

JOINED_FILTERS = 64
"""Of the layer that joins the voltages half-way, as published."""
DECISIVENESS = 8.0
"""Logits of the vote are this times its margin: what all branches are sure of comes out at 0.9997."""


class EarlyFusion(VolumeUNet):
    """The voltages are the input channels of a 3-D U-Net."""

    def __init__(self, voltages: int = 3, adjacent_slices: int = 7, filters: int = 12) -> None:
        super().__init__(voltages, adjacent_slices, filters=filters)


class IntermediateFusion(nn.Module):
    """A U-Net of two encoding blocks per voltage; their features are joined to 64 and classified."""

    def __init__(
        self, voltages: int = 3, adjacent_slices: int = 7, classes: int = 2, filters: int = 16
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            ResidualUNet(adjacent_slices, classes, filters, encoding_blocks=2) for _ in range(voltages)
        )
        for branch in self.branches:
            del branch.classify  # features are joined, not votes
        self.join = convolution(filters * voltages, JOINED_FILTERS, 3)
        self.classify = nn.Conv2d(JOINED_FILTERS, classes, 1)

    def logits(self, x: Tensor) -> Tensor:
        """Class scores before the softmax, (batch, class, y, x)."""
        features = [
            cast(ResidualUNet, branch).features(x[:, index]) for index, branch in enumerate(self.branches)
        ]
        return cast(Tensor, self.classify(functional.relu(self.join(torch.cat(features, dim=1)))))

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.logits(x), dim=1)


class LateFusion(nn.Module):
    """One branch per voltage; a 1×1 convolution over the logarithms of the branches' probabilities.

    Logarithms, where the papers take the probabilities themselves: evidence from independent images
    multiplies, and a sure branch can outvote two unsure ones. The branches are trained first and on their
    own, then the ensemble layer on what they believe, then all of it together.
    """

    def __init__(self, branches: Sequence[ResidualUNet], classes: int = 2) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.ensemble = evidence_layer(len(branches), classes)

    def branch_evidence(self, x: Tensor) -> Tensor:
        """Logarithms of each branch's probabilities, concatenated: (batch, voltage · class, y, x)."""
        scores = [
            cast(ResidualUNet, branch).logits(x[:, index]) for index, branch in enumerate(self.branches)
        ]
        return torch.cat([torch.log_softmax(score, dim=1) for score in scores], dim=1)

    def logits(self, x: Tensor) -> Tensor:
        """Class scores before the softmax, (batch, class, y, x)."""
        return cast(Tensor, self.ensemble(self.branch_evidence(x)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.logits(x), dim=1)


class Voting(nn.Module):
    """The branches of a late fusion vote with fixed weights, the papers' for three voltages, else equal."""

    def __init__(self, branches: Sequence[ResidualUNet]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        equal = (1 / len(branches),) * len(branches)
        self.votes = VOTES if len(branches) == len(VOTES) else equal

    def forward(self, x: Tensor) -> Tensor:
        beliefs = [branch(x[:, index : index + 1]) for index, branch in enumerate(self.branches)]
        margin = torch.stack([vote * belief for vote, belief in zip(self.votes, beliefs, strict=True)]).sum(0)
        return torch.softmax(DECISIVENESS * margin, dim=1)


def evidence_layer(branches: int, classes: int = 2) -> nn.Conv2d:
    """An ensemble layer that sums the branches' evidence, the first branch's fully and the others' by half.

    Where the training of the ensemble starts: what shines through misleads the higher voltages alike.
    """
    layer = nn.Conv2d(classes * branches, classes, 1)
    shares = [1.0, *(0.5,) * (branches - 1)]
    weights = torch.cat([share * torch.eye(classes) for share in shares], dim=1)
    with torch.no_grad():
        layer.weight.copy_(weights[:, :, None, None])
        cast(Tensor, layer.bias).zero_()
    return layer
