"""A network of a few operations, written by hand: what a file says can be told apart from what it does."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.normalisation import Normalisation
from models.spec import ModelSpec, to_metadata
from models.stated import PREFIX

SPEC = ModelSpec("hand", ("1kV", "4kV"), (1.0, 4.0), 3, 2, Normalisation(), 8, 16, "ab" * 32, 0.0)
FARTHEST_PX = 16


def write_network(path: Path, said: dict[str, str], last: list[onnx.NodeProto], **constants: object) -> Path:
    """Write a network of 2 voltages and 3 slices, of stride 8, that sees FARTHEST_PX far.

    Args:
        path: of the file.
        said: JSON by field, in place of what SPEC says.
        last: operations from ``belief``, the probabilities of two phases, to ``probabilities``.
        constants: that these need.
    """
    weights = np.zeros((2, 1, 3, 3), np.float32)
    weights[1] = 1.0
    given = {"flat": [1, 2], "wide": weights, "blocks": np.ones((1, 1, 8, 8)), "channel": [1], **constants}
    initialisers = [
        numpy_helper.from_array(
            np.asarray(value, np.int64 if name in ("flat", "channel") else np.float32), name
        )
        for name, value in given.items()
    ]
    nodes = [
        helper.make_node("ReduceMean", ["window", "flat"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "channel"], ["image"]),
        helper.make_node("MaxPool", ["image"], ["coarse"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("ConvTranspose", ["coarse", "blocks"], ["fine"], strides=[8, 8]),
        helper.make_node("Add", ["image", "fine"], ["both"]),
        helper.make_node("Conv", ["image", "wide"], ["far"], dilations=[16, 16], pads=[16] * 4),
        helper.make_node("Add", ["far", "both"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["belief"], axis=1),
        *last,
    ]
    sides = ["batch", 2, 3, "y", "x"]
    graph = helper.make_graph(
        nodes,
        "hand",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, None)],
        initialisers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    metadata = to_metadata(SPEC) | {PREFIX + key: value for key, value in said.items()}
    helper.set_model_props(model, metadata)
    path.write_bytes(model.SerializeToString())
    return path


def unchanged() -> list[onnx.NodeProto]:
    """The probabilities as they are."""
    return [helper.make_node("Identity", ["belief"], ["probabilities"])]


def changed(operation: str) -> list[onnx.NodeProto]:
    """The probabilities and the constant ``spoiler``."""
    return [helper.make_node(operation, ["belief", "spoiler"], ["probabilities"])]
