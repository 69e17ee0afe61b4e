"""Smaller variants of an exported network: half precision, and 8-bit integers.

Each is judged on validation scenes beside the network it was made from, and stays only if it labels as well.
Half precision is for GPUs: a CPU without such arithmetic converts every value there and back.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

from models.export import write_model
from models.judging import Blocks, Judgement, judge
from models.model_file import checksum_path
from models.session import open_segmenter
from models.spec import to_metadata

LARGEST_DICE_LOSS: Final = 0.001
FULL: Final = "fp32"
EXACT: Final = ("Softmax", "LogSoftmax")
"""Stay in single precision: cheap, and small probabilities would vanish there first."""
QUANTISED: Final = ("Conv", "ConvTranspose", "MaxPool", "Add", "Concat", "Relu")

Inputs = NDArray[np.float32]
Converter = Callable[[onnx.ModelProto, Inputs], onnx.ModelProto]


@dataclass(frozen=True, slots=True)
class Variant:
    """What became of one variant.

    Attributes:
        precision: ``fp32``, ``fp16`` or ``int8``.
        mebibytes: of the file.
        judgement: on the validation scenes.
        kept: whether its file is there.
    """

    precision: str
    mebibytes: float
    judgement: Judgement
    kept: bool


def write_variants(path: Path, calibration: Inputs, validation: Blocks, *, threads: int) -> list[Variant]:
    """Write ``NAME.fp16.onnx`` and ``NAME.int8.onnx`` beside ``NAME.onnx``, with metadata and checksums.

    A variant whose mean Dice is more than LARGEST_DICE_LOSS below that of the network itself is not kept.

    Args:
        path: of a single-precision network of ours.
        calibration: inputs (n, channel, slice, y, x) that show how large the values inside become.
        validation: what all are judged on.
        threads: of the processor, for judging.

    Returns:
        The network itself, then each variant.

    Raises:
        ModelError: the file is no network of ours.
    """
    segmenter = open_segmenter(path, threads=threads)
    full = Variant(FULL, _mebibytes(path), judge(segmenter, validation), kept=True)
    found = [full]
    for precision, convert in CONVERTERS.items():
        variant = path.with_name(f"{path.stem}.{precision}.onnx")
        metadata = to_metadata(replace(segmenter.spec, precision=precision))
        write_model(convert(onnx.load(path), calibration), metadata, variant)
        judgement = judge(open_segmenter(variant, threads=threads), validation)
        kept = full.judgement.mean_dice - judgement.mean_dice <= LARGEST_DICE_LOSS
        found.append(Variant(precision, _mebibytes(variant), judgement, kept))
        if not kept:
            variant.unlink()
            checksum_path(variant).unlink()
    return found


def half_precision(model: onnx.ModelProto, _: Inputs) -> onnx.ModelProto:
    """Weights and values of 16 bits; what goes in and comes out stays as it is."""
    return convert_float_to_float16(model, keep_io_types=True, op_block_list=list(EXACT))


def eight_bits(model: onnx.ModelProto, calibration: Inputs) -> onnx.ModelProto:
    """Weights of 8 bits, a scale per filter; values of 8 bits, scaled by what calibration shows.

    The last convolution stays exact: its outputs are the scores that are compared.
    """
    with TemporaryDirectory() as folder:
        inferred, written = Path(folder) / "inferred.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(model, inferred, skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            inferred,
            written,
            _Samples(model.graph.input[0].name, calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED),
            per_channel=True,
            reduce_range=True,  # 7 bits of weight: sums of two products overflow 16 bits before AVX-512 VNNI
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_last_convolutions(model),
        )
        return onnx.load(written)


CONVERTERS: Final[Mapping[str, Converter]] = {"fp16": half_precision, "int8": eight_bits}


class _Samples(CalibrationDataReader):
    """One sample after the other, as the quantiser asks for them."""

    def __init__(self, name: str, inputs: Inputs) -> None:
        self._feeds: Iterator[dict[str, Inputs]] = ({name: sample[None]} for sample in inputs)

    def get_next(self) -> dict[str, Any] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return next(self._feeds, None)


def _last_convolutions(model: onnx.ModelProto) -> list[str]:
    """Of each branch and of the whole: those that no other convolution follows before a softmax."""
    made_by = {output: node for node in model.graph.node for output in node.output}
    softmaxes = [node for node in model.graph.node if node.op_type in EXACT]
    return [made_by[node.input[0]].name for node in softmaxes if made_by[node.input[0]].op_type == "Conv"]


def _mebibytes(path: Path) -> float:
    return path.stat().st_size / 2**20
