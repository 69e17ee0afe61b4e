"""Makes a trained network's probabilities mean what they say: one temperature divides its scores.

C. Guo et al., "On calibration of modern neural networks", ICML 2017. No label changes. The temperature
goes into the last layer, so that an exported network needs no further step.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.architectures import ResidualUNet
from models.fusion import IntermediateFusion, LateFusion
from models.volume_unet import VolumeUNet

Segmenting = ResidualUNet | VolumeUNet | IntermediateFusion | LateFusion
LOWEST, HIGHEST = 0.2, 5.0
"""Limits of a temperature; one at its limit would say that the network has learned nothing."""
STEPS = 60


def best_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature at which scores (batch, class, y, x) explain labels (batch, y, x) best.

    The cross-entropy has one minimum in 1/T: the golden section finds it.
    """
    low, high = 1 / HIGHEST, 1 / LOWEST
    share = (5**0.5 - 1) / 2
    for _ in range(STEPS):
        left, right = high - share * (high - low), low + share * (high - low)
        if functional.cross_entropy(left * logits, labels) < functional.cross_entropy(right * logits, labels):
            high = right
        else:
            low = left
        if high - low < 1e-3:
            break
    return 2 / (low + high)


@torch.no_grad()
def set_temperature(network: Segmenting, temperature: float) -> None:
    """Divide the scores of a network by a temperature, in place."""
    last = network.ensemble if isinstance(network, LateFusion) else network.classify
    last.weight /= temperature
    cast(nn.Parameter, last.bias).div_(temperature)
