"""Variants with fewer bits label as the network does, say what they are, and go if they do not."""

from dataclasses import replace

import numpy as np
import pytest

from daemon.stages.segmenting import ZOO
from models import variants
from models.datasets import PreparedScene
from models.judging import blocks_of, judge
from models.model_file import checksum_path
from models.normalisation import Normalisation, face_limits
from models.scenes import ENSEMBLE_SEEDS, SceneSize, render_scene
from models.session import open_segmenter
from models.stated import PREFIX

VOLTAGES_KV = (1.0, 2.0, 4.0)


@pytest.fixture(scope="module")
def blocks():
    scene = render_scene(ENSEMBLE_SEEDS[900], VOLTAGES_KV, SceneSize(blocks=2, block_px=80, slices=8))
    limits = [[face_limits(image, Normalisation()) for image in channels] for channels in scene.images]
    spec = open_segmenter(ZOO / "unet_1kv.onnx").spec
    return blocks_of([PreparedScene(scene, limits)], VOLTAGES_KV, spec)


@pytest.fixture(scope="module")
def written(blocks, tmp_path_factory):
    path = tmp_path_factory.mktemp("zoo") / "unet_1kv.onnx"
    path.write_bytes((ZOO / path.name).read_bytes())
    return path, variants.write_variants(path, blocks.inputs, blocks, threads=2)


def test_each_is_smaller_and_labels_as_well(written):
    """Half and a quarter of the bytes, mean Dice within 0.001 of the network's."""
    full, half, eighth = written[1]
    assert [one.precision for one in written[1]] == ["fp32", "fp16", "int8"]
    assert half.mebibytes < 0.55 * full.mebibytes
    assert eighth.mebibytes < 0.35 * full.mebibytes
    for variant in (half, eighth):
        assert variant.kept
        assert full.judgement.mean_dice - variant.judgement.mean_dice <= 0.001


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_variant_explains_itself(written, precision):
    """Its metadata are the network's but for the precision, its checksum is there, its probabilities are
    near the network's without being the same."""
    path = written[0].with_name(f"unet_1kv.{precision}.onnx")
    assert checksum_path(path).is_file()
    spec, full = open_segmenter(path).spec, open_segmenter(written[0]).spec
    assert spec == replace(full, precision=precision, sha256=spec.sha256)
    assert full.precision == "fp32"
    assert spec.sha256 != full.sha256
    content = path.read_bytes()
    assert PREFIX.encode() in content
    for trace in (b"site-packages", b"/tmp", b"stack_trace"):
        assert trace not in content


def test_the_network_itself_is_left_as_it_was(written):
    """To the last byte."""
    assert written[0].read_bytes() == (ZOO / written[0].name).read_bytes()


def test_a_variant_that_labels_worse_is_not_kept(blocks, tmp_path):
    """Calibrated on black images, all values inside are cut off: no file of it stays, its figures do."""
    path = tmp_path / "unet_1kv.onnx"
    path.write_bytes((ZOO / path.name).read_bytes())
    full, half, eighth = variants.write_variants(path, np.zeros_like(blocks.inputs), blocks, threads=2)
    assert (half.kept, eighth.kept) == (True, False)
    assert full.judgement.mean_dice - eighth.judgement.mean_dice > 0.001
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "unet_1kv.fp16.onnx",
        "unet_1kv.fp16.onnx.sha256",
        "unet_1kv.onnx",
    ]


def test_judging_finds_what_a_network_finds(blocks):
    """Mean Dice above chance by far, and a time of this hardware."""
    judged = judge(open_segmenter(ZOO / "unet_1kv.onnx"), blocks)
    assert judged.mean_dice > 0.9
    assert judged.seconds_per_mpx > 0
