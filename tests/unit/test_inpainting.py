"""A network fills planes in a stream as in a batch, is refused when it is another kind, and learns."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from algorithms.inpainting import CHANNELS, SPLINE_CHANNEL, inpainting, sections, turned, window
from algorithms.interpolation import add_slice, finish, provisional, start_interpolation
from algorithms.slice_filling import Interpolation
from daemon.config import parse
from daemon.stages.filling import open_filling
from models.errors import ModelFileMissingError, ModelMetadataInvalidError
from models.fitting import Recipe
from models.inpainting import InpaintingSpec, inpaint, open_inpainter, to_metadata
from models.inpainting_shipping import Making, train_and_ship_inpainting
from models.inpainting_training import InpaintingSettings

Labels = NDArray[np.uint8]
CUTS = [0, 5, 8, 9, 14, 18, 21]
ZOO = Path(__file__).parents[2] / "models" / "zoo"


def leaning_rods(height: int) -> Labels:
    """Two rods that lean by a pixel per plane in opposite directions, in y and x."""
    z, y, x = np.ogrid[:height, :40, :70]
    first = np.hypot(y - 12 - 0.5 * z, x - 12 - z) < 6.0
    return (first | (np.hypot(y - 28 + 0.5 * z, x - 58 + z) < 6.0)).astype(np.uint8)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of one convolution that blurs the heights over three planes: not what any filling does."""
    path = tmp_path_factory.mktemp("inpainting") / "tiny.onnx"
    kernel = np.zeros((1, CHANNELS, 3, 1), np.float32)
    kernel[0, SPLINE_CHANNEL, :, 0] = (2.0, 4.0, 2.0)
    kernel[0, [SPLINE_CHANNEL - 1, SPLINE_CHANNEL + 1], 1, 0] = 1.0
    nodes = [
        helper.make_node("Conv", ["sections", "kernel"], ["score"], pads=[1, 0, 1, 0]),
        helper.make_node("Sigmoid", ["score"], ["chance"]),
        helper.make_node("Squeeze", ["chance", "axis"], ["solid"]),
    ]
    constants = [
        helper.make_tensor("kernel", TensorProto.FLOAT, kernel.shape, kernel.ravel().tolist()),
        helper.make_tensor("axis", TensorProto.INT64, (1,), [1]),
    ]
    given = helper.make_tensor_value_info("sections", TensorProto.FLOAT, ["s", CHANNELS, "z", "u"])
    result = helper.make_tensor_value_info("solid", TensorProto.FLOAT, ["s", "z", "u"])
    graph = helper.make_graph(nodes, "tiny", [given], [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, to_metadata(InpaintingSpec("tiny", CHANNELS, 2.5, "", 0.0)))
    onnx.save(model, str(path))
    return path


def direct(filling: Interpolation, slices: Labels) -> Labels:
    """The definition: every interval from the slices around it, the whole run at hand."""
    volume = [slices[0][None]]
    for lower in range(1, len(CUTS)):
        around = slice(max(0, lower - filling.before), lower + filling.after)
        planes = np.arange(CUTS[lower - 1] + 1, CUTS[lower])
        if planes.size:
            volume.append(filling.fill(np.asarray(CUTS[around]), slices[around], planes))
        volume.append(slices[lower][None])
    return np.concatenate(volume)


def test_a_network_streams_as_in_a_batch(tiny: Path) -> None:
    """Slice by slice through ONNX Runtime: the planes of the definition, final in order, slices untouched;
    what is shown beforehand is what the definition gives for the slices so far."""
    truth = leaning_rods(CUTS[-1] + 1)
    filling = inpainting(partial(inpaint, open_inpainter(tiny, threads=1)))
    state, parts = start_interpolation(100), list[Labels]()
    for cut in CUTS:
        state, final = add_slice(filling, state, cut, truth[cut])
        parts.append(final.labels)
    shown = provisional(filling, state)
    parts.append(finish(filling, state).labels)
    volume = np.concatenate(parts)
    np.testing.assert_array_equal(volume, direct(filling, truth[CUTS]))
    np.testing.assert_array_equal(volume[shown.first :], shown.labels)
    np.testing.assert_array_equal(volume[CUTS], truth[CUTS])
    assert np.mean(volume != truth) < 0.02


def test_sections_are_what_the_network_was_promised() -> None:
    """At a slice the heights have its sign and the mark; neighbours lie before and behind, along y or x;
    the slices around a plane are shown at it, with the share of the way between them."""
    truth = leaning_rods(30)
    cuts = np.asarray([2, 7, 11, 16, 19, 25])
    view = window(cuts, truth[cuts], np.arange(12, 16))
    first = 12 - view.wanted.start
    for one, faces in ((view, truth), (turned(view), truth.transpose(0, 2, 1))):
        shown = sections(one, slice(10, 13))
        assert shown.shape == (3, CHANNELS, view.known.size, faces.shape[2])
        np.testing.assert_array_equal(
            shown[0, -1, :, 0].astype(bool), np.isin(first + np.arange(view.known.size), cuts)
        )
        for cut in (7, 11, 16, 19):
            for channel in range(2 * SPLINE_CHANNEL + 1):
                row = 10 + channel - SPLINE_CHANNEL
                solid = shown[:, channel, cut - first] > 0
                np.testing.assert_array_equal(solid, faces[cut, row : row + 3] == 1)
        for channel, cut in enumerate((7, 11, 16, 19), start=2 * SPLINE_CHANNEL + 1):
            np.testing.assert_array_equal(shown[:, channel, 13 - first] > 0, faces[cut, 10:13] == 1)
        assert shown[0, -2, 13 - first, 0] == pytest.approx(2 / 5)


def test_the_verdicts_of_both_directions_are_averaged() -> None:
    """The pixels with the highest mean of zx and zy sections are solid, as many as the slices have; but none
    that is unlikely, although they have all."""

    def one_sided(given: NDArray[np.float32]) -> NDArray[np.float32]:
        sure = 0.9 if len(given) == 6 else 0.0
        chance = np.full(given[:, 0].shape, sure, np.float32)
        chance[:, :, :2] = 1.0
        return chance

    means = np.full((6, 8), 0.45)
    means[:, :2], means[:2] = 0.5, 0.95
    for solid_rows, least in ((3, 0.5), (0, 0.65), (6, 0.45)):
        slices = np.zeros((2, 6, 8), np.uint8)
        slices[:, :solid_rows] = 1
        filled = inpainting(one_sided).fill(np.asarray([0, 8]), slices, np.arange(1, 8))
        np.testing.assert_array_equal(filled, np.repeat(means[None] >= least, 7, axis=0))


def test_the_configuration_opens_its_network(tiny: Path, tmp_path: Path) -> None:
    """``interpolation = "inpaint"`` fills with the configured file; another kind of network is refused by
    name, a missing one with its path."""
    table = {
        "run": {"folder": str(tmp_path), "output": str(tmp_path / "out")},
        "channels": [{"name": "1kV", "voltage_kv": 1.0}],
        "segmentation": {"providers": ["CPUExecutionProvider"]},
    }

    def filling(model: Path) -> Interpolation:
        volume = {"interpolation": "inpaint", "inpainting_model": str(model)}
        return open_filling(parse({**table, "volume": volume}, where=tmp_path / "c.toml"), cores=1)

    truth = leaning_rods(CUTS[-1] + 1)
    expected = inpainting(partial(inpaint, open_inpainter(tiny, threads=1)))
    np.testing.assert_array_equal(direct(filling(tiny), truth[CUTS]), direct(expected, truth[CUTS]))
    with pytest.raises(ModelMetadataInvalidError, match="no network that inpaints"):
        filling(ZOO / "unet_1kv.onnx")
    with pytest.raises(ModelFileMissingError, match=r"nowhere\.onnx"):
        filling(tmp_path / "nowhere.onnx")


@pytest.mark.slow
def test_a_short_training_learns_and_ships(tmp_path: Path) -> None:
    """From nothing to a file that opens: the loss on structures it never saw falls below the cubic filling's,
    from which it starts, and the card names the file's checksum."""
    recipe = Recipe(batch=48, steps=12, epochs=2, learning_rate=3e-3, cross_entropy_weight=1.0)
    settings = InpaintingSettings(
        filters=8, blocks=2, structures=2, validation_structures=1, side_px=112, planes=60, recipe=recipe
    )
    untaught = Recipe(steps=1, epochs=1, learning_rate=0.0, cross_entropy_weight=1.0)
    start = replace(settings, recipe=untaught)
    told: list[str] = []
    spec = train_and_ship_inpainting(settings, tmp_path / "a", Making("test", "2026-11-20"), told.append)
    train_and_ship_inpainting(start, tmp_path / "b", Making("test", "2026-11-20"), told.append)
    assert spec == open_inpainter(tmp_path / "a" / "inpainting.onnx").spec
    assert spec.sha256 in (tmp_path / "a" / "inpainting.md").read_text(encoding="utf-8")
    losses = [float(line.split("best ")[1].split(")")[0]) for line in told if "best " in line]
    assert losses[1] < losses[-1]
