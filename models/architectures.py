"""Networks that label a face as pore or solid from its own image and its neighbours', at one voltage.

Every network takes ``(batch, voltage, adjacent slice, y, x)`` float32, normalised as
:mod:`models.normalisation` does it, and returns probabilities ``(batch, class, y, x)`` float32.
``y`` and ``x`` are multiples of :data:`STRIDE_PX`.

Source: Sardhara et al. 2024, "Enhancing 3D Reconstruction Accuracy of FIB Tomography Data Using
Multi-voltage Images and Multimodal Machine Learning", §2.2 and Appendix 1.
"""

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
        self.first = convolution(inputs, outputs, 3)
        self.second = convolution(outputs, outputs, 3)
        self.shortcut = convolution(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(functional.relu(self.first(x))) + self.shortcut(x))


class ResidualUNet(nn.Module):
    """One voltage: 2-D U-Net over adjacent slices, residual connections. Of one slice it is the plain 2-D
    network.

    Args:
        adjacent_slices: images of the window, the face to be labelled in the middle.
        classes: phases to tell apart.
        filters: channels of the first block; each deeper block has twice as many.
        encoding_blocks: levels, 2 to ENCODING_BLOCKS.
    """

    def __init__(
        self,
        adjacent_slices: int = 7,
        classes: int = 2,
        filters: int = 16,
        encoding_blocks: int = ENCODING_BLOCKS,
    ) -> None:
        super().__init__()
        widths = [filters * 2**level for level in range(encoding_blocks)]
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
        return cast(Tensor, self.classify(self.features(x)))

    def features(self, x: Tensor) -> Tensor:
        """What the classes are told apart by: (batch, filters, y, x)."""
        levels: list[Tensor] = []
        for encoder in self.encoders:
            x = encoder(functional.max_pool2d(x, 2) if levels else x)
            levels.append(x)
        for lift, decoder, skip in zip(self.lifts, self.decoders, levels[-2::-1], strict=True):
            x = decoder(torch.cat([lift(x), skip], dim=1))
        return x

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.logits(x[:, 0]), dim=1)


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


def convolution(inputs: int, outputs: int, size: int) -> nn.Sequential:
    """A convolution, same padding, and its batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False), nn.BatchNorm2d(outputs)
    )
