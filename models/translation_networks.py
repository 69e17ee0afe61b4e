"""Networks that turn images of one style into another's, in pairs that lead there and back (CycleGAN).

Images are ``(batch, 1, y, x)`` float32 of about −1 to 1; the sides of what a generator takes are multiples of
:data:`models.architectures.STRIDE_PX`. There is no normalisation over pixels: grey values keep their meaning,
and what becomes of a pixel depends on its neighbourhood alone, however a face is cut into tiles.

Sources: J.-Y. Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial networks",
ICCV 2017; T. Sardhara et al., "Generative adversarial networks for creating realistic training data …", §2.2.
"""

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 3
REACH_PX = 40
"""No input pixel farther than this changes an output pixel.

Each block reaches 2 px of its own level: 2·(1 + 2 + 3·4) on the way down, where the deepest level has three
blocks, and 2·(2 + 1) on the way up; pooling and unpooling add at most 1 + 2. Rounded up to STRIDE_PX.
"""
BOTTOM_BLOCKS = 3
SLOPE = 0.2
"""Of the discriminator's leaky units (Zhu et al.)."""


class PlainResidualBlock(nn.Module):
    """Two 3×3 convolutions, same padding, beside a 1×1 shortcut; no normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(functional.relu(self.first(x))) + self.shortcut(x))


class ImageGenerator(nn.Module):
    """A U-Net with residual connections that says what to add to an image; untrained, it adds little.

    Args:
        filters: channels of the first block; each deeper level has twice as many.
    """

    def __init__(self, filters: int = 8) -> None:
        super().__init__()
        widths = [filters * 2**level for level in range(LEVELS)]
        self.encoders = nn.ModuleList(
            PlainResidualBlock(inputs, outputs)
            for inputs, outputs in zip([1, *widths[:-1]], widths, strict=True)
        )
        self.bottom = nn.ModuleList(
            PlainResidualBlock(widths[-1], widths[-1]) for _ in range(BOTTOM_BLOCKS - 1)
        )
        self.lifts = nn.ModuleList(
            nn.ConvTranspose2d(deep, shallow, 2, stride=2)
            for deep, shallow in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.decoders = nn.ModuleList(PlainResidualBlock(2 * width, width) for width in widths[-2::-1])
        self.added = nn.Conv2d(filters, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        return image + cast(Tensor, self.added(self._features(image)))

    def _features(self, x: Tensor) -> Tensor:
        levels: list[Tensor] = []
        for encoder in self.encoders:
            x = encoder(functional.max_pool2d(x, 2) if levels else x)
            levels.append(x)
        for block in self.bottom:
            x = block(x)
        for lift, decoder, skip in zip(self.lifts, self.decoders, levels[-2::-1], strict=True):
            x = decoder(torch.cat([lift(x), skip], dim=1))
        return x


class PatchDiscriminator(nn.Module):
    """Says of every neighbourhood of 38 px how much it looks like the style, 1 or 0 (least squares).

    Not normalised: instance normalisation hides grey levels from it, and a spectral norm makes it so flat
    that the generators stay where the cycle costs nothing, at the identity (tried on 2026-11-27).
    """

    def __init__(self, filters: int = 16) -> None:
        super().__init__()
        widths = [1, filters, 2 * filters, 4 * filters]
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 4, stride=2, padding=1) for inputs, outputs in pairwise(widths)
        )
        self.judge = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        for layer in self.layers:
            image = functional.leaky_relu(layer(image), SLOPE)
        return cast(Tensor, self.judge(image))


class ImageCycle(nn.Module):
    """Generators there and back, and the discriminators of both styles."""

    def __init__(self, filters: int = 8, discriminator_filters: int = 16) -> None:
        super().__init__()
        self.there, self.back = ImageGenerator(filters), ImageGenerator(filters)
        self.judge_there = PatchDiscriminator(discriminator_filters)
        self.judge_back = PatchDiscriminator(discriminator_filters)

    def generators(self) -> list[nn.Parameter]:
        """Parameters of the two that make images."""
        return [*self.there.parameters(), *self.back.parameters()]

    def judges(self) -> list[nn.Parameter]:
        """Parameters of the two that judge them."""
        return [*self.judge_there.parameters(), *self.judge_back.parameters()]
