"""The network that inpaints sections along z, beside the cubic filling that it corrects.

It takes what :func:`algorithms.inpainting.sections` makes, ``(section, channel, z, u)`` float32 of any number
and size, and returns the probability of the solid ``(section, z, u)``.

Source: Sardhara et al., slice thickness, section 2.2.3, which inpaints zx and zy planes too, but from empty
planes and with a network of another kind.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from algorithms.inpainting import CHANNELS, SPLINE_CHANNEL

FIRST_TRUST = 4.0
"""How sure the untrained network is of the cubic filling: the logit at the bound of its height."""


class InpaintingNetwork(nn.Module):
    """Residual blocks of 3×3 convolutions at full resolution; their sum corrects the spline's height.

    Args:
        filters: channels throughout.
        blocks: each reaches 2 px further.
    """

    def __init__(self, filters: int = 16, blocks: int = 4) -> None:
        super().__init__()
        self.enter = nn.Conv2d(CHANNELS, filters, 3, padding=1)
        self.first = nn.ModuleList(nn.Conv2d(filters, filters, 3, padding=1) for _ in range(blocks))
        self.second = nn.ModuleList(nn.Conv2d(filters, filters, 3, padding=1) for _ in range(blocks))
        self.leave = nn.Conv2d(filters, 1, 1)
        self.trust = nn.Parameter(torch.tensor(FIRST_TRUST))
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias if self.leave.bias is not None else self.leave.weight)

    def score(self, x: Tensor) -> Tensor:
        """Half the logit of the solid, (section, 1, z, u)."""
        features = functional.relu(self.enter(x))
        for first, second in zip(self.first, self.second, strict=True):
            features = functional.relu(features + second(functional.relu(first(features))))
        return self.leave(features) + self.trust * x[:, SPLINE_CHANNEL : SPLINE_CHANNEL + 1]

    def logits(self, x: Tensor) -> Tensor:
        """Scores of pore and solid (section, 2, z, u) for the loss."""
        score = self.score(x)
        return torch.cat((-score, score), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(2.0 * self.score(x)[:, 0])
