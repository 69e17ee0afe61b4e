"""A random forest from sparse labels: its training, and its way into an ONNX file.

The trees are scikit-learn's, the file is read by ONNX Runtime, the features are computed by us in both cases
(:mod:`models.forest_features`). Needs the extra ``train``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
from annotated_types import Ge
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import RandomForestClassifier

from algorithms.sparse_labels import NOBODY_SAID
from models.errors import ExportError
from models.forest_features import (
    ADJACENT_SLICES,
    FEATURE_SETS,
    STRIDE_PX,
    feature_names,
    window_features,
)
from models.model_file import write_checksum
from models.normalisation import Normalisation, face_limits, normalise
from models.spec import Denoise, ModelSpec, to_metadata
from models.windows import window_slices

LARGEST_DIFFERENCE = 1e-4
"""Of the exported forest's probabilities from the trained one's: sums of floats in another order."""
Grey = NDArray[np.uint8 | np.uint16]


@dataclass(frozen=True, slots=True)
class ForestSettings:
    """``features`` names a set of :mod:`models.forest_features`; a leaf holds ``leaf_pixels`` at least;
    ``denoise`` says what is done to each image beforehand, by :func:`models.forest_windows.denoised` in
    training and by the daemon in a run."""

    features: str = "tailored"
    denoise: Denoise = "none"
    trees: Annotated[int, Ge(1)] = 100
    leaf_pixels: Annotated[int, Ge(1)] = 3
    seed: int = 0
    threads: int = 2
    normalisation: Normalisation = field(default_factory=Normalisation)


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedWindow:
    """``images`` (channel, slice, y, x) around a slice, in the order of :func:`models.windows.window_slices`,
    and its sparse ``labels`` (y, x), 255 where nobody said."""

    images: Grey
    labels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class ForestSamples:
    """Features of the annotated pixels, float32 (pixels, features), and their phases (pixels,)."""

    features: NDArray[np.float32]
    phases: NDArray[np.uint8]


def annotated_windows(
    stack: Grey, labels: Iterable[tuple[int, NDArray[np.uint8]]], excluded: range = range(0)
) -> list[AnnotatedWindow]:
    """Windows around the annotated slices of a stack (slice, channel, y, x), without those ``excluded``: a
    zone around a slice that is to be judged, for neighbours look alike."""
    chosen = [(index, said) for index, said in labels if index not in excluded]
    windows = [window_slices(index, range(len(stack)), ADJACENT_SLICES) for index, _ in chosen]
    return [
        AnnotatedWindow(np.ascontiguousarray(stack[list(window)].swapaxes(0, 1)), said)
        for window, (_, said) in zip(windows, chosen, strict=True)
    ]


def gather_samples(windows: Iterable[AnnotatedWindow], settings: ForestSettings) -> ForestSamples:
    """The features of every annotated pixel; the windows are as the forest is to see them."""
    tables: list[NDArray[np.float32]] = []
    phases: list[NDArray[np.uint8]] = []
    for window in windows:
        said = window.labels != NOBODY_SAID
        scaled = padded(scaled_window(window.images, settings.normalisation))
        height, width = said.shape
        features = window_features(settings.features, scaled, settings.threads)
        tables.append(np.stack([feature[:height, :width][said] for feature in features], axis=-1))
        phases.append(window.labels[said])
    return ForestSamples(np.concatenate(tables), np.concatenate(phases))


def scaled_window(images: Grey, normalisation: Normalisation) -> NDArray[np.float32]:
    """Every image of a window (channel, slice, y, x) on its own scale."""
    return np.stack(
        [
            np.stack(
                [normalise(image, face_limits(image, normalisation), normalisation) for image in channel]
            )
            for channel in images
        ]
    )


def padded(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sides rounded up to what the features need, by repeating the last row and column."""
    missing = [-length % STRIDE_PX for length in window.shape[-2:]]
    return np.pad(window, ((0, 0), (0, 0), (0, missing[0]), (0, missing[1])), mode="edge")


def train_forest(samples: ForestSamples, settings: ForestSettings) -> RandomForestClassifier:
    """Fit the trees; every phase counts alike however many of its pixels were painted."""
    forest = RandomForestClassifier(
        n_estimators=settings.trees,
        min_samples_leaf=settings.leaf_pixels,
        class_weight="balanced",
        random_state=settings.seed,
        n_jobs=settings.threads,
    )
    forest.fit(samples.features, samples.phases)
    return forest


def forest_spec(
    name: str, channels: Sequence[str], settings: ForestSettings, classes: int, sha256: str
) -> ModelSpec:
    """What the file of a forest says: its channels are detectors, at any voltage."""
    return ModelSpec(
        name=name,
        channels=tuple(channels),
        voltages_kv=(0.0,) * len(channels),
        adjacent_slices=ADJACENT_SLICES,
        classes=classes,
        normalisation=settings.normalisation,
        stride_px=STRIDE_PX,
        reach_px=-(-FEATURE_SETS[settings.features].reach_px // STRIDE_PX) * STRIDE_PX,
        training_data_sha256=sha256,
        torch_difference=0.0,
        detectors=tuple(channels),
        features=settings.features,
        denoise=settings.denoise,
    )


def export_forest(
    forest: RandomForestClassifier, spec: ModelSpec, samples: ForestSamples, path: Path
) -> ModelSpec:
    """Write ``path`` and ``<path>.sha256``.

    Raises:
        ExportError: the phases are not 0, 1, 2, …, or ONNX Runtime's probabilities differ from
            scikit-learn's on the samples.
    """
    if [int(phase) for phase in forest.classes_] != list(range(spec.classes)):
        raise ExportError(
            f"the labels hold the phases {[int(phase) for phase in forest.classes_]}",
            str(path),
            "Label pixels of every phase: 0 (pore), 1, 2, … without a gap.",
        )
    model = _converted(forest, len(feature_names(spec.features, spec.channels)))
    difference = _difference(model, forest, samples.features)
    if difference > LARGEST_DIFFERENCE:
        raise ExportError(
            f"its probabilities differ by {difference:.2g} from those of the trained forest",
            str(path),
            "Report this with the versions of skl2onnx, scikit-learn and onnxruntime.",
        )
    spec = replace(spec, torch_difference=difference)
    onnx.helper.set_model_props(model, to_metadata(spec))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return replace(spec, sha256=write_checksum(path))


def _converted(forest: RandomForestClassifier, features: int) -> onnx.ModelProto:
    """The forest with its probabilities as its only output."""
    model: Any = convert_sklearn(
        forest,
        initial_types=[("features", FloatTensorType([None, features]))],
        options={id(forest): {"zipmap": False}},
        target_opset={"": 17, "ai.onnx.ml": 3},
    )
    kept = [output for output in model.graph.output if output.name == "probabilities"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return model


def _difference(model: onnx.ModelProto, forest: RandomForestClassifier, table: NDArray[np.float32]) -> float:
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    results: Sequence[Any] = session.run(None, {"features": table})
    wanted: Any = forest.predict_proba(table)
    return float(np.abs(results[0] - wanted).max())
