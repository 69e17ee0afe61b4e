"""The network behind ``interpolation = "inpaint"``: a residual U-Net that corrects the cubic spline.

It takes the maps of :func:`algorithms.plane_inpainting.plane_maps`, ``(batch, MAPS, y, x)`` float32, sides
multiples of :data:`models.architectures.STRIDE_PX`, and returns probabilities ``(batch, 2, y, x)``.
"""

import torch
from torch import Tensor, nn

from algorithms.plane_inpainting import MAPS
from models.architectures import ResidualUNet

SPLINE_CERTAINTY = 6.0
"""Difference of the logits where the spline is :data:`~algorithms.plane_inpainting.SPLINE_REACH_PX` inside
the solid: an untrained network decides as the spline does, surely where that is far from a boundary."""


class PlaneInpainter(nn.Module):
    """Class scores are the spline's plus what the U-Net has learned to add."""

    def __init__(self, filters: int = 16) -> None:
        super().__init__()
        self.correction = ResidualUNet(MAPS, classes=2, filters=filters)

    def logits(self, x: Tensor) -> Tensor:
        """Class scores before the softmax, (batch, 2, y, x)."""
        solid = x[:, -2:-1] * (SPLINE_CERTAINTY / 2)
        return self.correction.logits(x) + torch.cat([-solid, solid], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.logits(x), dim=1)
