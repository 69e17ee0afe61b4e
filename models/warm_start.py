"""Starts a training from an exported network: its weights, with batch normalisations put back.

An exported file holds convolutions into which the normalisations were folded. Here each one gets back
a normalisation that changes nothing for now: its statistics are measured on a batch, and its scale and shift
undo them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor, nn

from models.errors import ModelFileCorruptError, ModelMismatchError
from models.model_file import read_checked

Norm = nn.BatchNorm2d | nn.BatchNorm3d
CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def exported_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """Weights and biases of a file of ours by their names in torch, and the file's checksum.

    Raises:
        ModelFileMissingError, ModelFileCorruptError: there is no such file, or it is not whole.
    """
    content, sha256 = read_checked(path)
    try:
        graph = onnx.load_from_string(content).graph
        arrays = {item.name: numpy_helper.to_array(item).copy() for item in graph.initializer}
    except (DecodeError, ValueError, TypeError) as problem:
        raise ModelFileCorruptError(
            f"the network to start from cannot be read: {problem}",
            str(path),
            "Fetch the file again, or set training.start_from to another folder.",
        ) from problem
    weights = {
        name: torch.from_numpy(array) for name, array in arrays.items() if name.endswith(("weight", "bias"))
    }
    return weights, sha256


def check_start(network: nn.Module, path: Path) -> None:
    """Make sure that a file holds every weight that a network is to start from.

    Raises:
        ModelFileMissingError, ModelFileCorruptError: there is no such file, or it is not whole.
        ModelMismatchError: it is of another architecture, or holds no such weights (8 bits, a forest).
    """
    weights, _ = exported_weights(path)
    layers = [name for name, module in network.named_modules() if isinstance(module, CONVOLUTIONS)]
    if any(f"{name}.weight" not in weights for name in layers):
        raise _mismatch(str(path))
    _check_shapes(network, _without_folded(network, weights)[0], str(path))


@torch.no_grad()
def start_from(network: nn.Module, weights: dict[str, Tensor], inputs: Tensor, where: str) -> None:
    """Make ``network`` compute what the exported one did, ready to be trained.

    Args:
        network: of the architecture that was exported, or one that contains it; called with ``inputs``.
        weights: of the exported network, as :func:`exported_weights` returns them; what they do not cover
            stays as it is.
        inputs: a batch like those of the training, for the statistics.
        where: the weights come from, for messages.

    Raises:
        ModelMismatchError: the weights are those of another architecture, or none at all.
    """
    if not weights:
        raise _mismatch(where)
    plain, biases = _without_folded(network, weights)
    _check_shapes(network, plain, where)
    network.load_state_dict(plain, strict=False)
    pairs = dict(network.named_modules())
    hooks = [
        _part(pairs[name], 0).register_forward_hook(_restore(cast(Norm, _part(pairs[name], 1)), bias))
        for name, bias in biases.items()
    ]
    network.eval()
    network(inputs)
    for hook in hooks:
        hook.remove()


def _without_folded(
    network: nn.Module, weights: dict[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights that the network has as they are, and biases by the pair of a convolution and a normalisation
    into which they were folded."""
    pairs = [name for name, module in network.named_modules() if isinstance(module, nn.Sequential)]
    biases = {name: weights[f"{name}.0.bias"] for name in pairs if f"{name}.0.bias" in weights}
    plain = {name: value for name, value in weights.items() if name.removesuffix(".0.bias") not in biases}
    return plain, biases


def _check_shapes(network: nn.Module, plain: dict[str, Tensor], where: str) -> None:
    state = network.state_dict()
    if any(name not in state or state[name].shape != value.shape for name, value in plain.items()):
        raise _mismatch(where)


def _mismatch(where: str) -> ModelMismatchError:
    return ModelMismatchError(
        "these are not the weights of the network that is to start from them",
        where,
        "Set training.start_from to a folder of networks of the same kind, adjacent_slices and filters (not "
        'their variants of 8 bits), or to "" to start from random weights.',
    )


def _part(pair: nn.Module, index: int) -> nn.Module:
    return cast(nn.Sequential, pair)[index]


def _restore(norm: Norm, bias: Tensor) -> Callable[[nn.Module, object, Tensor], None]:
    def measure(_convolution: nn.Module, _inputs: object, output: Tensor) -> None:
        """Before the normalisation itself runs: from here on it adds the bias and nothing else."""
        dims = [axis for axis in range(output.ndim) if axis != 1]
        variance, mean = torch.var_mean(output, dims, correction=0)
        cast(Tensor, norm.running_mean).copy_(mean)
        cast(Tensor, norm.running_var).copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean + bias)

    return measure
