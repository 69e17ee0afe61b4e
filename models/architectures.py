"""Networks that label a face as pore or solid from its own image and its neighbours'.

Every network takes ``(batch, voltage, adjacent slice, y, x)`` float32, normalised as
:mod:`models.normalisation` does it, and returns probabilities ``(batch, class, y, x)`` float32.
``y`` and ``x`` are multiples of :data:`STRIDE_PX`.

Source: Sardhara et al. 2024, "Enhancing 3D Reconstruction Accuracy of FIB Tomography Data Using
Multi-voltage Images and Multimodal Machine Learning", §2.2 and Appendix 1.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

ENCODING_BLOCKS = 4
STRIDE_PX = 2 ** (ENCODING_BLOCKS - 1)
"""Image sides and tile origins are multiples of this: each encoding block but the first halves the image."""

REACH_PX = 56
"""No input pixel farther than this, along y or x, can change an output pixel.

Two 3×3 convolutions a block reach 2 px of their own level: 2·(1 + 2 + 4 + 8) on the way down and
2·(4 + 2 + 1) on the way up; pooling and unpooling add at most 1 + 2 + 4. Rounded up to STRIDE_PX.
"""


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions, same padding, beside a 1×1 shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, 3)
        self.second = _convolution(outputs, outputs, 3)
        self.shortcut = _convolution(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(functional.relu(self.first(x))) + self.shortcut(x))


class ResidualUNet(nn.Module):
    """One voltage: 2-D U-Net over adjacent slices, four encoding blocks, residual connections.

    Args:
        adjacent_slices: images of the window, the face to be labelled in the middle.
        classes: phases to tell apart.
        filters: channels of the first block; each deeper block has twice as many.
    """

    def __init__(self, adjacent_slices: int = 7, classes: int = 2, filters: int = 16) -> None:
        super().__init__()
        widths = [filters * 2**level for level in range(ENCODING_BLOCKS)]
        self.encoders = nn.ModuleList(
            ResidualBlock(inputs, outputs)
            for inputs, outputs in zip([adjacent_slices, *widths[:-1]], widths, strict=True)
        )
        self.lifts = nn.ModuleList(
            nn.ConvTranspose2d(deep, shallow, 2, stride=2)
            for deep, shallow in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.decoders = nn.ModuleList(ResidualBlock(2 * width, width) for width in widths[-2::-1])
        self.classify = nn.Conv2d(filters, classes, 1)

    def logits(self, x: Tensor) -> Tensor:
        """Class scores before the softmax, (batch, class, y, x), of one voltage's (batch, slice, y, x)."""
        levels: list[Tensor] = []
        for encoder in self.encoders:
            x = encoder(functional.max_pool2d(x, 2) if levels else x)
            levels.append(x)
        for lift, decoder, skip in zip(self.lifts, self.decoders, levels[-2::-1], strict=True):
            x = decoder(torch.cat([lift(x), skip], dim=1))
        return cast(Tensor, self.classify(x))

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.logits(x[:, 0]), dim=1)


class LateFusion(nn.Module):
    """One branch per voltage; a 1×1 convolution over the branches' concatenated probabilities.

    The branches are trained first and on their own; the ensemble layer learns from their
    probabilities.
    """

    def __init__(self, branches: Sequence[ResidualUNet], classes: int = 2) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.ensemble = voting_layer(len(branches), classes)

    def branch_probabilities(self, x: Tensor) -> Tensor:
        """What each branch believes, concatenated: (batch, voltage · class, y, x)."""
        return torch.cat(
            [branch(x[:, index : index + 1]) for index, branch in enumerate(self.branches)], dim=1
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.ensemble(self.branch_probabilities(x)), dim=1)


VOTES = {3: (0.5, 0.3, 0.2)}
"""Weights of 1, 2 and 4 kV that the papers' ensemble came to (§3.1)."""
DECISIVENESS = 8.0
"""Logits are this times the votes' margin: what all branches are sure of comes out at 0.9997."""


def voting_layer(branches: int, classes: int = 2) -> nn.Conv2d:
    """An ensemble layer that lets the branches vote with the papers' weights, or with equal ones.

    It decides as the voting variant does, and is where the training of the ensemble starts.
    """
    votes = VOTES.get(branches, (1 / branches,) * branches)
    layer = nn.Conv2d(classes * len(votes), classes, 1)
    weights = torch.cat([vote * torch.eye(classes) for vote in votes], dim=1)
    with torch.no_grad():
        layer.weight.copy_((DECISIVENESS * weights)[:, :, None, None])
        cast(Tensor, layer.bias).zero_()
    return layer


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """Put every batch normalisation of an evaluated network into the convolution before it, in place.

    The result computes the same function with fewer passes over memory.
    """
    network.eval()
    for block in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        convolution, norm = cast(nn.Conv2d, block[0]), cast(nn.BatchNorm2d, block[1])
        block[0] = nn.utils.fuse_conv_bn_eval(convolution, norm)
        block[1] = nn.Identity()
    return network


def _convolution(inputs: int, outputs: int, size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False), nn.BatchNorm2d(outputs)
    )
