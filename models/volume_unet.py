"""A 3-D U-Net over adjacent slices, one input channel per voltage.

Each 3×3×3 convolution takes a slice off either end of the window, so that seven slices have become the one
to be labelled after three of them; all that follows is 2-D. It takes and returns what
:mod:`models.architectures` says.

Source: Sardhara et al. 2024, §2.2.1 and Appendix 1 (four encoding blocks, residual connections).
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.architectures import ENCODING_BLOCKS, ResidualBlock


class VolumeBlock(nn.Module):
    """Two convolutions, 3×3×3 while there is more than one slice, beside a shortcut of the middle slices."""

    def __init__(self, inputs: int, outputs: int, depth: int) -> None:
        super().__init__()
        first, second = min(depth, 3), min(max(depth - 2, 1), 3)
        self.depth = max(depth - 4, 1)
        self.first = _convolution(inputs, outputs, first, 3)
        self.second = _convolution(outputs, outputs, second, 3)
        self.shortcut = _convolution(inputs, outputs, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, depth, y, x) to (batch, outputs, depth − 4 but at least 1, y, x)."""
        cut = (x.shape[2] - self.depth) // 2
        middle = x[:, :, cut : cut + self.depth]
        return functional.relu(self.second(functional.relu(self.first(x))) + self.shortcut(middle))


class VolumeUNet(nn.Module):
    """For one voltage it is the single network in 3-D, for several the early fusion.

    Args:
        voltages: input channels.
        adjacent_slices: depth of the window, odd, up to 9.
        classes: phases to tell apart.
        filters: channels of the first block; each deeper block has twice as many.
    """

    def __init__(
        self, voltages: int = 1, adjacent_slices: int = 7, classes: int = 2, filters: int = 12
    ) -> None:
        super().__init__()
        widths = [filters * 2**level for level in range(ENCODING_BLOCKS)]
        outer = VolumeBlock(voltages, widths[0], adjacent_slices)
        self.volume_encoders = nn.ModuleList([outer, VolumeBlock(widths[0], widths[1], outer.depth)])
        self.encoders = nn.ModuleList(ResidualBlock(width, 2 * width) for width in widths[1:-1])
        self.lifts = nn.ModuleList(
            nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in widths[-2::-1]
        )
        self.decoders = nn.ModuleList(ResidualBlock(2 * width, width) for width in widths[-2::-1])
        self.classify = nn.Conv2d(filters, classes, 1)

    def logits(self, x: Tensor) -> Tensor:
        """Class scores before the softmax, (batch, class, y, x), of (batch, voltage, slice, y, x)."""
        outer, inner = self.volume_encoders
        deep = outer(x)
        levels = [deep[:, :, deep.shape[2] // 2], inner(functional.max_pool3d(deep, (1, 2, 2)))[:, :, 0]]
        for encoder in self.encoders:
            levels.append(encoder(functional.max_pool2d(levels[-1], 2)))
        face = levels.pop()
        for lift, decoder in zip(self.lifts, self.decoders, strict=True):
            face = decoder(torch.cat([lift(face), levels.pop()], dim=1))
        return cast(Tensor, self.classify(face))

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.logits(x), dim=1)


def _convolution(inputs: int, outputs: int, depth: int, side: int) -> nn.Sequential:
    """No padding along the slices, same padding along the face."""
    size, padding = (depth, side, side), (0, side // 2, side // 2)
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, size, padding=padding, bias=False), nn.BatchNorm3d(outputs)
    )
