"""Two single-voltage networks stand in for a fused one: what a run with a missing voltage gets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import ModelMismatchError
from models.jury import assemble_jury, joined
from models.session import open_segmenter, segment

ZOO = Path(__file__).parents[2] / "models" / "zoo"


def solid(*probabilities):
    return [np.array([1 - p, p], np.float32)[None, :, None, None] for p in probabilities]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (0.5, 0.5, 0.5),
        (0.9, 0.5, 0.9),
        (0.5, 0.9, 0.75),
        (0.8, 0.2, 2 / 3),
        (1.0, 0.0, 1.0),
        (0.99, 0.4, 0.988),
    ],
)
def test_evidence_adds_up(first, second, expected):
    """Odds multiply, those of the second by their root; a claim of 0 or 1 is not taken for certainty."""
    result = joined(solid(first, second), (1.0, 0.5))
    assert result[0, 1, 0, 0] == pytest.approx(expected, abs=2e-3)
    assert result.sum() == pytest.approx(1, abs=1e-6)


def test_two_voltages_are_segmented_together():
    """The jury names its channels in order, and its result is the members' joined, whatever the order."""
    members = [open_segmenter(ZOO / f"unet_{name}.onnx") for name in ("4kv", "1kv")]
    jury = assemble_jury(members, "models/zoo")
    assert jury.spec.voltages_kv == (4.0, 1.0)
    assert jury.spec.channels == ("4kV", "1kV")
    window = np.random.default_rng(0).integers(0, 256, (2, 7, 64, 72), dtype=np.uint8)
    alone = [segment(one, window[index : index + 1])[None] for index, one in enumerate(members)]
    np.testing.assert_allclose(segment(jury, window), joined(alone, (0.5, 1.0))[0], atol=1e-5)


def test_networks_that_look_differently_are_not_joined():
    """Other numbers of slices would need other windows."""
    one = open_segmenter(ZOO / "unet_1kv.onnx")
    other = replace(one, spec=replace(one.spec, adjacent_slices=5))
    with pytest.raises(ModelMismatchError, match="one training"):
        assemble_jury([one, other], "models/zoo")
