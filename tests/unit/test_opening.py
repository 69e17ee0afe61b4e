"""A network is tried out when it is opened: one that is not what it says never gets as far as a slice."""

import json
from dataclasses import asdict

import numpy as np
import onnx
import pytest

from daemon.stages.segmenting import ZOO
from models import runtime
from models.errors import (
    ModelError,
    ModelMetadataInvalidError,
    ModelMismatchError,
    ProviderUnavailableError,
)
from models.onnx_metadata import read_metadata
from models.session import open_segmenter, segment
from models.stated import PREFIX
from tests.unit.hand_made_network import FARTHEST_PX, SPEC, changed, unchanged, write_network


def test_a_network_that_is_what_it_says_is_opened(tmp_path):
    """And gives probabilities of an image of any size."""
    segmenter = open_segmenter(write_network(tmp_path / "hand.onnx", {}, unchanged()))
    window = np.random.default_rng(0).integers(0, 256, (2, 3, 50, 61), dtype=np.uint8)
    assert (segmenter.spec.name, segmenter.spec.reach_px) == (SPEC.name, FARTHEST_PX)
    np.testing.assert_allclose(segment(segmenter, window).sum(axis=0), 1, atol=1e-5)


LIES = {
    "a class more": ({"classes": "3"}, "gives .*, and not .*3,"),
    "half of the stride": ({"stride_px": "4"}, "cannot be run on tiles"),
    "a stride of 1": ({"stride_px": "1"}, "cannot be run on tiles"),
    "stride 0": ({"stride_px": "0"}, "stride_px: Input should be greater than or equal to 1"),
    "half of the reach": ({"reach_px": "8"}, "sees farther than its reach_px 8: "),
    "text for the stride": ({"stride_px": '"8"'}, "stride_px: Input should be a valid integer"),
    "text for a percentile": (
        {"normalisation": json.dumps(asdict(SPEC.normalisation) | {"low_percent": "1"})},
        "low_percent: Input should be a valid number",
    ),
    "another channel": (
        {"channels": '["a", "b", "c"]', "voltages_kv": "[1, 2, 4]"},
        "which is not what it says about itself",
    ),
    "another slice": ({"adjacent_slices": "5"}, "which is not what it says about itself"),
    "features of a forest": ({"features": '"tailored"'}, "which are not the features 'tailored'"),
}


@pytest.mark.parametrize("case", LIES)
def test_a_network_that_is_not_what_it_says_is_refused(tmp_path, case):
    """Sizes, classes and reach are tried out on noise, on the CPU as well; the remedy says what to use."""
    lies, said = LIES[case]
    path = write_network(tmp_path / "lie.onnx", lies, unchanged())
    with pytest.raises(ModelMetadataInvalidError, match=f"{said}.*lie.onnx.*models/zoo"):
        open_segmenter(path)


SPOILT = {
    "not finite": ("Mul", np.nan, "not finite"),
    "endless": ("Mul", np.inf, "not finite"),
    "twice as much": ("Mul", 2.0, "no probabilities"),
    "negative": ("Add", [[[[2.0]], [[-2.0]]]], "no probabilities"),
    "a class from nowhere": ("Add", np.zeros((2, 1, 1, 1, 1)), "gives .*, and not"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_network_that_gives_no_probabilities_is_refused(tmp_path, case):
    """A damaged training or export is told before a run, not by its volume."""
    operation, spoiler, said = SPOILT[case]
    path = write_network(tmp_path / "spoilt.onnx", {}, changed(operation), spoiler=spoiler)
    with pytest.raises(ModelMetadataInvalidError, match=f"{said}.*spoilt.onnx.*models/zoo"):
        open_segmenter(path)


TILES = {"a pixel too small": ({}, 39, "39 px .* at least 40 px"), "none": ({}, 0, "at least 40 px")}
TILES |= {"a reach beyond every tile": ({"reach_px": "8000"}, 768, "sees 8000 px far.* models/zoo")}


@pytest.mark.parametrize("case", TILES)
def test_tiles_of_which_nothing_would_be_kept_are_refused(tmp_path, case):
    """With the smallest that will do."""
    lies, largest, said = TILES[case]
    path = write_network(tmp_path / "hand.onnx", lies, unchanged())
    with pytest.raises(ModelMismatchError, match=said):
        open_segmenter(path, largest_tile_px=largest)


def test_no_hardware_at_all_is_refused(tmp_path):
    """An empty list of providers."""
    path = write_network(tmp_path / "hand.onnx", {}, unchanged())
    with pytest.raises(ProviderUnavailableError, match="Name CPUExecutionProvider"):
        open_segmenter(path, ())


@pytest.mark.parametrize("shape", [(2, 3, 0, 64), (2, 3, 64, 0), (2, 3, 0, 0)])
def test_a_face_without_pixels_is_refused(tmp_path, shape):
    """Its region lies outside of the image, say."""
    segmenter = open_segmenter(write_network(tmp_path / "hand.onnx", {}, unchanged()))
    with pytest.raises(ModelMismatchError, match="window of shape"):
        segment(segmenter, np.zeros(shape, np.uint8))


CUT = {"text": lambda _: b"<html>404</html>", "half": lambda content: content[: len(content) // 2]}
CUT |= {"empty": lambda _: b"", "its end": lambda content: content[:-3]}


@pytest.mark.parametrize("case", CUT)
def test_what_is_no_whole_network_is_refused(tmp_path, case):
    """Without a checksum that would tell."""
    path = write_network(tmp_path / "cut.onnx", {}, unchanged())
    path.write_bytes(CUT[case](path.read_bytes()))
    with pytest.raises(ModelError, match=r"cut\.onnx"):
        open_segmenter(path)


@pytest.mark.parametrize("name", ["electrode_forest", "unet_1kv", "inpainting"])
def test_metadata_are_read_without_a_session(name):
    """The same as ONNX itself reads, of files of two exporters."""
    path = ZOO / f"{name}.onnx"
    expected = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert read_metadata(path.read_bytes(), path) == expected


def test_a_forest_is_started_once(monkeypatch):
    """With the one thread that it needs."""
    started = []
    start = runtime.start

    def counted(*arguments, **options):
        started.append(options["threads"])
        return start(*arguments, **options)

    monkeypatch.setattr(runtime, "start", counted)
    open_segmenter(ZOO / "electrode_forest.onnx", threads=2)
    assert started == [1]


def test_the_smallest_tiles_are_enough(tmp_path):
    """A stride is kept of each; the result is that of a single tile."""
    path = write_network(tmp_path / "hand.onnx", {}, unchanged())
    window = np.random.default_rng(0).integers(0, 256, (2, 3, 96, 80), dtype=np.uint8)
    tiled = segment(open_segmenter(path, largest_tile_px=2 * FARTHEST_PX + 8), window)
    np.testing.assert_allclose(tiled, segment(open_segmenter(path), window), atol=1e-6)


def test_a_shipped_network_that_says_to_see_less_is_refused(tmp_path):
    """Its tiles would leave seams. As they are, all see as far as they say (contract/test_zoo.py)."""
    model, path = onnx.load(ZOO / "unet_1kv.onnx"), tmp_path / "lie.onnx"
    for entry in model.metadata_props:
        entry.value = "24" if entry.key == f"{PREFIX}reach_px" else entry.value
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelMetadataInvalidError, match="sees farther than its reach_px 24: "):
        open_segmenter(path)
