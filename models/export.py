"""Writes a trained network as an ONNX file that says how to feed it, and proves that it computes the same."""

import logging
import warnings
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from models.architectures import REACH_PX, STRIDE_PX, fold_batch_norms
from models.errors import ExportError
from models.model_file import write_checksum
from models.normalisation import Normalisation
from models.providers import CPU
from models.spec import ModelSpec, to_metadata

LARGEST_DIFFERENCE = 1e-4
PROBE_PX = 128


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the file will say about itself beside its shapes; see :class:`models.spec.ModelSpec`."""

    name: str
    channels: tuple[str, ...]
    voltages_kv: tuple[float, ...]
    adjacent_slices: int
    classes: int
    normalisation: Normalisation
    training_data_sha256: str


def export_network(network: nn.Module, provenance: Provenance, path: Path) -> ModelSpec:
    """Write ``path`` and ``<path>.sha256``; the network itself is left as it is.

    Args:
        network: takes (batch, channel, adjacent slice, y, x) and returns (batch, class, y, x).
        provenance: goes into the file.
        path: of the ``.onnx`` file; replaced if it exists.

    Returns:
        What the file says about itself.

    Raises:
        ExportError: ONNX Runtime's probabilities differ from torch's by more than LARGEST_DIFFERENCE.
    """
    exported, difference = exported_model(network, _probe(provenance), "window", path)
    spec = ModelSpec(
        name=provenance.name,
        channels=provenance.channels,
        voltages_kv=provenance.voltages_kv,
        adjacent_slices=provenance.adjacent_slices,
        classes=provenance.classes,
        normalisation=provenance.normalisation,
        stride_px=STRIDE_PX,
        reach_px=REACH_PX,
        training_data_sha256=provenance.training_data_sha256,
        torch_difference=difference,
    )
    return replace(spec, sha256=write_model(exported, to_metadata(spec), path))


def exported_model(
    network: nn.Module, probe: Tensor, input_name: str, path: Path, output_name: str = "probabilities"
) -> tuple[onnx.ModelProto, float]:
    """A network as ONNX, and by how much its output for ``probe`` differs from torch's.

    Args:
        network: one input, (batch, …, y, x), to one output; left as it is.
        probe: input of realistic values, sides PROBE_PX.
        input_name: of the input in the file.
        path: where the file will lie, for messages.
        output_name: of the output in the file.

    Raises:
        ExportError: the outputs differ by more than LARGEST_DIFFERENCE.
    """
    original = deepcopy(network).eval()
    exported = _export(fold_batch_norms(deepcopy(original)), probe, (input_name, output_name))
    return exported, _difference(exported, original, probe, path)


def write_model(exported: onnx.ModelProto, metadata: dict[str, str], path: Path) -> str:
    """Write the file with its metadata, and its checksum beside it; returns the checksum."""
    onnx.helper.set_model_props(exported, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(exported.SerializeToString())
    return write_checksum(path)


def _probe(provenance: Provenance) -> Tensor:
    """Noise around two grey levels: every unit of the network has something to do."""
    rng = np.random.default_rng(0)
    shape = (2, len(provenance.channels), provenance.adjacent_slices, PROBE_PX, PROBE_PX)
    levels = rng.random(shape) < 0.3
    return torch.from_numpy((levels + 0.1 * rng.standard_normal(shape)).astype(np.float32))


def _export(network: nn.Module, probe: Tensor, names: tuple[str, str]) -> onnx.ModelProto:
    """Batch and image sides stay free, the sides as multiples of the stride."""
    blocks_y, blocks_x = (torch.export.Dim(name, min=2, max=4096) for name in ("blocks_y", "blocks_x"))
    y, x = probe.ndim - 2, probe.ndim - 1
    free = {0: torch.export.Dim("batch"), y: STRIDE_PX * blocks_y, x: STRIDE_PX * blocks_x}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it mourns torchvision, which nothing needs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's exporter uses what torch deprecates
        program: Any = torch.onnx.export(
            network,
            (probe,),
            dynamo=True,
            verbose=False,
            input_names=[names[0]],
            output_names=[names[1]],
            dynamic_shapes=(free,),
        )
    return _without_sources(program.model_proto)


def _without_sources(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop the exporter's notes: they hold the paths of the machine it ran on, and half of the bytes."""
    graph = model.graph
    noted: Sequence[Any] = (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info)
    for item in (*noted, *graph.initializer):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    graph.ClearField("value_info")
    return model


def _difference(exported: onnx.ModelProto, network: nn.Module, probe: Tensor, path: Path) -> float:
    session = onnxruntime.InferenceSession(exported.SerializeToString(), providers=[CPU])
    results: Sequence[Any] = session.run(None, {session.get_inputs()[0].name: probe.numpy()})
    with torch.inference_mode():
        difference = float(np.abs(results[0] - network(probe).numpy()).max())
    if difference > LARGEST_DIFFERENCE:
        raise ExportError(
            f"the exported network's output differs from torch's by {difference:.1e}",
            str(path),
            f"Report this: at most {LARGEST_DIFFERENCE:.0e} is allowed; the file was not written.",
        )
    return difference
