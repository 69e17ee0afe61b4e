"""A training can begin with an exported network: it computes the same, and it can learn."""

import pytest
import torch

from models.architectures import ResidualUNet
from models.errors import ModelMismatchError
from models.export import Provenance, export_network
from models.fusion import LateFusion
from models.normalisation import Normalisation
from models.warm_start import exported_weights, start_from


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small network with lively statistics, its file, and the network itself."""
    torch.manual_seed(3)
    network = ResidualUNet(3, filters=2)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network.logits(torch.rand(4, 3, 32, 32))
    network.eval()
    path = tmp_path_factory.mktemp("exported") / "unet_1kv.onnx"
    export_network(network, Provenance("unet_1kv", ("1kV",), (1.0,), 3, 2, Normalisation(), "ab"), path)
    return network, path


def started(path):
    torch.manual_seed(9)
    network = ResidualUNet(3, filters=2)
    weights, sha256 = exported_weights(path)
    start_from(network, weights, torch.rand(8, 1, 3, 32, 32), str(path))
    return network, sha256


def test_a_started_network_computes_what_the_exported_one_does(exported):
    """Put back and folded normalisations cancel, to rounding."""
    original, path = exported
    image = torch.rand(2, 1, 3, 32, 48)
    network, sha256 = started(path)
    with torch.inference_mode():
        torch.testing.assert_close(network(image), original(image), rtol=0, atol=1e-5)
    assert sha256 == path.with_suffix(".onnx.sha256").read_text().split()[0]


def test_a_started_network_is_ready_to_learn(exported):
    """With the statistics of a batch in place of the running ones, the start is nearly the same: the first
    step of a training does not throw away what was learned."""
    original, path = exported
    network, _ = started(path)
    image = torch.rand(16, 1, 3, 32, 32)
    with torch.no_grad():
        difference = (network.train()(image) - original(image)).abs().mean()
    assert difference < 0.05


@pytest.mark.parametrize(
    "other",
    [ResidualUNet(3, filters=4), ResidualUNet(5, filters=2), LateFusion([ResidualUNet(3, filters=2)])],
    ids=["filters", "slices", "architecture"],
)
def test_weights_of_another_architecture_are_refused(exported, other):
    """With the remedy, and not half loaded."""
    weights, _ = exported_weights(exported[1])
    with pytest.raises(ModelMismatchError, match="networks of the same kind"):
        start_from(other, weights, torch.rand(1, 1, 3, 16, 16), "unet_1kv.onnx")
