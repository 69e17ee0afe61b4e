"""Where networks are trained: chosen here once; everything else goes where the network's weights are."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from models.errors import ProviderUnavailableError

Device = Literal["auto", "cpu", "cuda"]


def training_device(wanted: Device) -> torch.device:
    """The device to train on; ``auto`` is the graphics processor if torch finds one.

    Repetitions on one device are alike, as far as its library goes; two devices round differently.

    Raises:
        ProviderUnavailableError: a graphics processor is wanted, and torch finds none.
    """
    found = torch.cuda.is_available()
    if wanted == "cuda" and not found:
        raise ProviderUnavailableError(
            "torch finds no graphics processor",
            "training.device",
            "Install a build of torch for it and its driver, or train with device = 'cpu' or 'auto'.",
        )
    if wanted == "cpu" or not found:
        return torch.device("cpu")
    torch.backends.cudnn.benchmark = False  # it would choose by time, and so not always the same
    torch.backends.cudnn.deterministic = True
    return torch.device("cuda")


def device_of(network: nn.Module) -> torch.device:
    """Where the network's weights are."""
    return next(network.parameters()).device


def following(network: nn.Module, compute: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """``compute``, a method of ``network``, of inputs that are brought to where its weights are."""
    return lambda inputs: compute(inputs.to(device_of(network), non_blocking=True))
