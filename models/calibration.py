"""Makes a trained network's probabilities mean what they say: a temperature divides its scores, an offset
moves what is added to each phase's.

C. Guo et al., "On calibration of modern neural networks", ICML 2017 ("vector scaling" with one scale for all
phases). The Dice loss favours the rarer phase; the offset takes that back: over all that is calibrated on,
the mean claimed probability of a phase is its share. Both go into the last layer: an exported network needs
no further step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor, nn

from models.architectures import ResidualUNet
from models.fusion import IntermediateFusion, LateFusion
from models.losses import cross_entropy
from models.volume_unet import VolumeUNet

Segmenting = ResidualUNet | VolumeUNet | IntermediateFusion | LateFusion
LOWEST, HIGHEST = 0.2, 5.0
"""Limits of a temperature; one at its limit would say that the network has learned nothing."""
FARTHEST = 3.0
"""Limit of an offset, either way."""
Judged = tuple[float, Tensor, Tensor]
"""Weight, scores (batch, class, y, x) and labels (batch, y, x) of pixels of one kind."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a network's scores are divided by, and what is added to each phase's then; the first one's 0."""

    temperature: float
    offsets: tuple[float, ...]

    def __str__(self) -> str:
        return f"divided by {self.temperature:.2f}, then {', '.join(f'{o:+.2f}' for o in self.offsets)}"


def best_calibration(parts: Sequence[Judged], *, offsets: bool = True) -> Calibration:
    """The one by which scores explain labels best: of the least cross-entropy, which has one minimum in the
    inverse of the temperature and the offsets.

    Without ``offsets`` they are 0, so that no label changes.

    Raises:
        ValueError: a score is not finite.
    """
    if not all(bool(torch.isfinite(scores).all()) for _, scores, _ in parts):
        raise ValueError("a network's scores are not finite: its training has failed")
    wanted = [(weight, scores.detach().double(), labels) for weight, scores, labels in parts]
    phases = wanted[0][1].shape[1]

    @torch.enable_grad()
    def loss_and_slope(place: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        at = torch.tensor(place, requires_grad=True)
        added = torch.cat([torch.zeros(1, dtype=at.dtype), at[1:]])[:, None, None]
        losses = [weight * cross_entropy(at[0] * scores + added, labels) for weight, scores, labels in wanted]
        loss = torch.stack(losses).sum()
        loss.backward()
        return loss.item(), cast(Tensor, at.grad).numpy()

    start = np.array([1.0, *[0.0] * (phases - 1)])
    farthest = FARTHEST if offsets else 0.0
    limits = [(1 / HIGHEST, 1 / LOWEST), *[(-farthest, farthest)] * (phases - 1)]
    found: Any = minimize(loss_and_slope, start, jac=True, method="L-BFGS-B", bounds=limits)
    return Calibration(1 / float(found.x[0]), (0.0, *(float(offset) for offset in found.x[1:])))


@torch.no_grad()
def calibrate(network: Segmenting, calibration: Calibration) -> None:
    """Change the last layer of a network in place, so that its scores are calibrated."""
    last = network.ensemble if isinstance(network, LateFusion) else network.classify
    last.weight /= calibration.temperature
    bias = cast(nn.Parameter, last.bias)
    bias.div_(calibration.temperature).add_(torch.tensor(calibration.offsets, dtype=bias.dtype))
