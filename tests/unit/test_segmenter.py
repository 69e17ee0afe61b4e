"""The session runs what was exported, seamlessly, on hardware it tells the truth about."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from models import providers
from models.architectures import ResidualUNet
from models.errors import (
    ExportError,
    ModelFileCorruptError,
    ModelMetadataInvalidError,
    ModelMismatchError,
    ProviderUnavailableError,
)
from models.export import LARGEST_DIFFERENCE, Provenance, export_network
from models.fusion import LateFusion
from models.normalisation import Normalisation, face_limits, normalise
from models.session import canary_seconds, open_segmenter, segment
from models.stated import PREFIX

PROVENANCE = Provenance("tiny", ("1kV", "4kV"), (1.0, 4.0), 3, 2, Normalisation(), "00")
NO_HARDWARE = not providers.obstacle(providers.CUDA)


class Unlike(torch.nn.Module):
    """Computes something else when it is exported than when it is run."""

    def forward(self, x):
        mean = x.mean(dim=(1, 2)).unsqueeze(1).expand(-1, 2, -1, -1)
        return mean + 1 if torch.compiler.is_exporting() else mean * 1


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    tiny = LateFusion([ResidualUNet(3, filters=2) for _ in range(2)])
    for module in tiny.modules():  # statistics of a trained network, so that folding has something to do
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    return tiny.eval()


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("zoo") / "tiny.onnx"
    return path, export_network(network, PROVENANCE, path)


@pytest.fixture(scope="module")
def window():
    return np.random.default_rng(0).integers(0, 256, (2, 3, 260, 333), dtype=np.uint8)


@torch.inference_mode()
def by_torch(network, window):
    scaled = np.stack(
        [
            np.stack(
                [normalise(image, face_limits(image, Normalisation()), Normalisation()) for image in channel]
            )
            for channel in window
        ]
    )
    return network(torch.from_numpy(scaled)[None])[0].numpy()


def test_the_file_explains_itself(exported):
    """What was said at export is read back, and the two programs agree to 1e-4."""
    path, spec = exported
    assert open_segmenter(path).spec == spec
    assert (spec.channels, spec.voltages_kv, spec.adjacent_slices) == (("1kV", "4kV"), (1.0, 4.0), 3)
    assert spec.torch_difference <= LARGEST_DIFFERENCE


def test_the_file_holds_no_paths_of_its_maker(exported):
    """Nothing but our own metadata: no stack traces, no folders."""
    content = exported[0].read_bytes()
    assert b".py" not in content
    assert all(entry.key.startswith(PREFIX) for entry in onnx.load_from_string(content).metadata_props)


def test_a_whole_image_equals_torch(exported, network, window):
    """Normalisation and network together: ONNX Runtime's probabilities are torch's."""
    crop = window[..., :256, :328]
    np.testing.assert_allclose(segment(open_segmenter(exported[0]), crop), by_torch(network, crop), atol=1e-4)


@pytest.mark.parametrize(("tile_px", "batch"), [(200, 4), (260, 1)])
def test_tiles_leave_no_seams(exported, window, tile_px, batch):
    """However an image is cut, and with sides that are no multiple of anything, the result is the same."""
    whole = segment(open_segmenter(exported[0], largest_tile_px=1000), window)
    tiled = segment(open_segmenter(exported[0], largest_tile_px=tile_px, batch_tiles=batch), window)
    assert whole.shape == (2, 260, 333)
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-5)
    np.testing.assert_allclose(tiled.sum(axis=0), 1, atol=1e-5)


def test_sixteen_bits_are_as_good_as_eight(exported, window):
    """Brightness and contrast of the file format disappear in the normalisation."""
    segmenter = open_segmenter(exported[0])
    wide = window.astype(np.uint16) * 200 + 1000
    np.testing.assert_allclose(segment(segmenter, wide), segment(segmenter, window), atol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((3, 3, 64, 64), np.uint8),
        np.zeros((2, 7, 64, 64), np.uint8),
        np.zeros((2, 64, 64), np.uint8),
        np.zeros((2, 3, 64, 64), np.float32),
    ],
    ids=["channels", "slices", "dimensions", "type"],
)
def test_a_window_of_the_wrong_kind_is_refused(exported, wrong):
    """The error names what the network takes and what it was given."""
    with pytest.raises(ModelMismatchError, match=r"2 channels of 3 slices.*window of shape"):
        segment(open_segmenter(exported[0]), wrong)


@pytest.mark.skipif(NO_HARDWARE, reason="here is a GPU: nothing to fall back from")
def test_falling_back_to_the_cpu_is_allowed_or_an_error_but_never_silent(exported):
    """Asked for CUDA without a driver: either refused, or on the CPU with the reason on record."""
    wished = (providers.CUDA, providers.CPU)
    segmenter = open_segmenter(exported[0], wished, allow_cpu_fallback=True)
    assert segmenter.provider == providers.CPU
    assert segmenter.refusals[providers.CUDA]
    with pytest.raises(ProviderUnavailableError, match=r"CUDAExecutionProvider: .*allow_cpu_fallback = true"):
        open_segmenter(exported[0], wished, allow_cpu_fallback=False)


def test_the_cpu_by_choice_is_no_fall_back(exported):
    """Asked for the CPU first: no refusal, no error."""
    segmenter = open_segmenter(exported[0], (providers.CPU,), allow_cpu_fallback=False)
    assert (segmenter.provider, dict(segmenter.refusals)) == (providers.CPU, {})


def test_an_unknown_provider_is_refused_with_its_name(exported):
    """A misspelt provider is not ignored."""
    segmenter = open_segmenter(exported[0], ("CudaProvider", providers.CPU))
    assert "CudaProvider" in segmenter.refusals


def test_a_canary_sings(exported):
    """The speed of the hardware in use can be asked."""
    assert 0 < canary_seconds(open_segmenter(exported[0])) < 30


def test_what_is_no_network_is_refused(tmp_path):
    """A text file named .onnx: one clear error."""
    path = tmp_path / "fake.onnx"
    path.write_text("<html>404</html>")
    with pytest.raises(ModelFileCorruptError, match=r"fake\.onnx"):
        open_segmenter(path)


def test_a_network_that_contradicts_its_metadata_is_refused(exported, tmp_path):
    """Channels in the metadata and in the input's shape must agree."""
    model = onnx.load(exported[0])
    for entry in model.metadata_props:
        if entry.key in (PREFIX + "channels", PREFIX + "voltages_kv"):
            entry.value = (
                entry.value.replace("]", "") + ', "x"]' if "channels" in entry.key else "[1.0, 2.0, 4.0]"
            )
    path = tmp_path / "contradiction.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelMetadataInvalidError, match="not what it says"):
        open_segmenter(path)


def test_an_export_that_computes_something_else_is_not_written(tmp_path):
    """torch and ONNX Runtime are compared before a file appears."""
    path = tmp_path / "unlike.onnx"
    with pytest.raises(ExportError, match="differs from torch's"):
        export_network(Unlike(), replace(PROVENANCE, name="unlike"), path)
    assert not path.exists()
