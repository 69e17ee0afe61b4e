"""Six ways to segment an emulated battery electrode of three phases, from two thresholds to a forest that
follows every pixel's history, in the order of the multi-signal paper."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from skimage.feature import multiscale_basic_features

from algorithms.scores import confusion, intersection_over_union, weighted_error_percent
from algorithms.thresholds import class_histograms, classify_greys, double_threshold, entropy_thresholds
from algorithms.z_gradient import (
    REACH_SLICES,
    GradientEvidence,
    classify_by_gradient,
    fit_rule,
    gradient_evidence,
)
from benchmarks.forest_scene import FULL, QUICK, ElectrodeScene, electrode_scene
from models.forest import (
    AnnotatedWindow,
    ForestSamples,
    ForestSettings,
    Grey,
    annotated_windows,
    export_forest,
    forest_spec,
    gather_samples,
    padded,
    scaled_window,
    train_forest,
)
from models.forest_features import ADJACENT_SLICES, as_table, window_features
from models.session import open_segmenter, segment

Labels = NDArray[np.uint8]
CHANNELS: Final = ("SE2", "InLens")
EXCLUDED: Final = 30
PHASES: Final = 3
WHOLE_PX: Final = 3072 * 2048
TIMED_PX: Final = {True: (256, 256), False: (768, 1024)}
"""Height and width of the image that is timed, quickly and in full; the time is told per 3072 × 2048 px."""
PUBLISHED: Final = {
    "double_threshold": (60.8, 30.8),
    "triple_threshold": (30.8, 24.9),
    "z_gradient": (23.2, 16.5),
    "one_signal": (12.3, 17.6),
    "two_signals": (10.3, 16.2),
    "tailored": (6.1, 11.0),
}
FORESTS: Final = {"one_signal": "one-signal", "two_signals": "two-signals", "tailored": "tailored"}
THREADS: Final = os.cpu_count() or 1


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Weighted errors of a densely labelled slice, whole and inside a particle; labels of training are sparse
    and more than 30 slices away."""
    scene = electrode_scene(QUICK if quick else FULL)
    zone = range(scene.judged - EXCLUDED, scene.judged + EXCLUDED + 1)
    windows = annotated_windows(scene.images, scene.strokes, zone)
    found: dict[str, Labels] = {**_by_thresholds(scene), "z_gradient": _by_gradient(scene, windows)}
    figures: dict[str, float] = {"annotated_pixels": float(sum((w.labels < PHASES).sum() for w in windows))}
    for name, features in FORESTS.items():
        found[name], told = _by_forest(scene, windows, features, timed_px=TIMED_PX[quick])
        figures |= {f"{key}_{name}": value for key, value in told.items()}
    figures |= _skimage(scene, windows, timed_px=TIMED_PX[quick])
    for name in PUBLISHED:
        figures |= _scored(scene, name, found[name])
    errors = [figures[f"awe_{name}"] for name in PUBLISHED]
    figures["order_holds"] = float(all(a > b for a, b in pairwise(errors)))
    return _table(figures), figures


def _by_thresholds(scene: ElectrodeScene) -> dict[str, Labels]:
    """As published: both know the judged slice's own labels, and the first signal alone."""
    image, truth = scene.images[scene.judged, 0], scene.truth
    histograms = class_histograms(image, truth, PHASES)
    return {
        "double_threshold": classify_greys(image, double_threshold(histograms)),
        "triple_threshold": classify_greys(image, entropy_thresholds(histograms)),
    }


def _by_gradient(scene: ElectrodeScene, windows: Sequence[AnnotatedWindow]) -> Labels:
    """With thresholds that suit the sparse labels best."""
    settings = ForestSettings()
    evidence = [_evidence(window.images, settings) for window in windows]
    said = [window.labels < PHASES for window in windows]
    parts = [
        np.concatenate([getattr(one, name)[here] for one, here in zip(evidence, said, strict=True)])
        for name in ("drift", "grey", "second")
    ]
    labels = np.concatenate([w.labels[here] for w, here in zip(windows, said, strict=True)])
    rule = fit_rule(GradientEvidence(*parts), labels)
    return classify_by_gradient(_evidence(scene.judged_window, settings), rule)


def _evidence(window: Grey, settings: ForestSettings) -> GradientEvidence:
    middle = ADJACENT_SLICES // 2
    near = window[:, middle - REACH_SLICES : middle + REACH_SLICES + 1]
    scaled = scaled_window(near, settings.normalisation)
    return gradient_evidence(scaled[0], scaled[1, REACH_SLICES])


def _by_forest(
    scene: ElectrodeScene, windows: Sequence[AnnotatedWindow], features: str, timed_px: tuple[int, int]
) -> tuple[Labels, dict[str, float]]:
    """The labels that the exported forest gives through the daemon's session; how they agree with
    scikit-learn's; seconds per slice of 3072×2048 px: features, all by ours, all by scikit-learn."""
    settings = ForestSettings(features=features, threads=THREADS)
    samples = gather_samples(windows, settings)
    forest = train_forest(samples, settings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "forest.onnx"
        export_forest(forest, forest_spec("forest", CHANNELS, settings, PHASES, ""), samples, path)
        segmenter = open_segmenter(path, threads=THREADS)
    found = segment(segmenter, scene.judged_window).argmax(axis=0).astype(np.uint8)
    theirs = _by_sklearn(forest, scene.judged_window, settings)
    large = _tiled(scene.judged_window, timed_px)
    scaled = padded(scaled_window(large, settings.normalisation))
    return found, {
        "labels_equal": float(np.mean(found == theirs)),
        "features_s": _per_slice(lambda: window_features(features, scaled, THREADS), timed_px),
        "slice_s": _per_slice(lambda: segment(segmenter, large), timed_px),
        "sklearn_slice_s": _per_slice(lambda: _by_sklearn(forest, large, settings), timed_px),
    }


def _by_sklearn(forest: Any, window: NDArray[np.uint8], settings: ForestSettings) -> Labels:
    """The same features for the whole image at once, and scikit-learn's trees."""
    height, width = window.shape[-2:]
    scaled = padded(scaled_window(window, settings.normalisation))
    features = [one[:height, :width] for one in window_features(settings.features, scaled, THREADS)]
    return forest.predict(as_table(features)).reshape(height, width).astype(np.uint8)


def _skimage(
    scene: ElectrodeScene, windows: Sequence[AnnotatedWindow], timed_px: tuple[int, int]
) -> dict[str, float]:
    """scikit-image's trainable segmentation: its multiscale features of both signals, the same trees."""
    settings, middle = ForestSettings(threads=THREADS), ADJACENT_SLICES // 2
    said = [window.labels < PHASES for window in windows]
    tables = [_basic(w.images[:, middle])[here] for w, here in zip(windows, said, strict=True)]
    labels = np.concatenate([w.labels[here] for w, here in zip(windows, said, strict=True)])
    forest = train_forest(ForestSamples(np.concatenate(tables), labels), settings)

    def classify(images: NDArray[np.uint8]) -> Labels:
        features = _basic(images)
        flat = forest.predict(features.reshape(-1, features.shape[-1]))
        return flat.reshape(features.shape[:2]).astype(np.uint8)

    found = classify(scene.judged_window[:, middle])
    large = _tiled(scene.judged_window, timed_px)[:, middle]
    return _scored(scene, "skimage", found) | {
        "slice_s_skimage": _per_slice(lambda: classify(large), timed_px)
    }


def _basic(images: Grey) -> NDArray[np.float32]:
    features: Any = multiscale_basic_features(
        np.moveaxis(images, 0, -1), sigma_min=0.7, sigma_max=10, channel_axis=-1, workers=THREADS
    )
    return features.astype(np.float32)


def _tiled(window: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The window (channel, slice, y, x) repeated until it has this height and width."""
    times = [-(-wanted // length) for wanted, length in zip(shape, window.shape[-2:], strict=True)]
    return np.ascontiguousarray(np.tile(window, (1, 1, *times))[..., : shape[0], : shape[1]])


def _per_slice(job: Callable[[], object], shape: tuple[int, int]) -> float:
    start = perf_counter()
    job()
    return (perf_counter() - start) * WHOLE_PX / (shape[0] * shape[1])


def _scored(scene: ElectrodeScene, name: str, found: Labels) -> dict[str, float]:
    """Weighted error of the full view and inside the particle, and the overlap of every phase."""
    whole = confusion(scene.truth, found, PHASES)
    inside = confusion(scene.truth[scene.inside], found[scene.inside], PHASES)
    overlaps = {f"iou{phase}_{name}": intersection_over_union(whole, phase) for phase in range(PHASES)}
    return {
        f"awe_{name}": weighted_error_percent(whole),
        f"awe_inside_{name}": weighted_error_percent(inside),
        **overlaps,
    }


def _table(figures: dict[str, float]) -> Table:
    table = Table(
        "approach", "awe %", "published", "inside %", "published", "IoU pore, active, binder", "s per slice",
        title="an emulated electrode, labels 31 slices away and more",
    )  # fmt: skip
    for name in (*PUBLISHED, "skimage"):
        full, inside = PUBLISHED.get(name, (float("nan"),) * 2)
        overlaps = ", ".join(f"{figures[f'iou{phase}_{name}']:.3f}" for phase in range(PHASES))
        seconds = figures.get(f"slice_s_{name}", float("nan"))
        table.add_row(
            name.replace("_", " "),
            f"{figures[f'awe_{name}']:.1f}",
            f"{full:g}",
            f"{figures[f'awe_inside_{name}']:.1f}",
            f"{inside:g}",
            overlaps,
            f"{seconds:.1f}",
        )
    return table
