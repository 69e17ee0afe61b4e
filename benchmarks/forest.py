"""Six ways to segment emulated battery electrodes of three phases, from two thresholds to a forest that
follows every pixel's history, in the order of the multi-signal paper.

One judged slice of one electrode does not tell two good forests apart, so errors are means over electrodes.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
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
from models.forest_windows import newest, with_ends
from models.session import Segmenter, open_segmenter, segment

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
ELECTRODES: Final = {True: 1, False: 4}
WITH_ENDS: Final = {True: 1, False: 2}
"""Electrodes on which the tailored forest is trained once more, with the ends of runs as ``train forest``
trains it."""
FORESTS: Final = {"one_signal": "one-signal", "two_signals": "two-signals", "tailored": "tailored"}
THREADS: Final = os.cpu_count() or 1


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Weighted errors of a densely labelled slice, whole and inside a particle; labels of training are sparse
    and more than 30 slices away."""
    scenes = [electrode_scene(QUICK if quick else FULL, seed) for seed in range(ELECTRODES[quick])]
    each = [_errors(scene) for scene in scenes]
    figures = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
    count = len(each)
    for name in PUBLISHED:
        errors = [one[f"awe_{name}"] for one in each]
        figures[f"awe_sigma_{name}"] = float(np.std(errors, ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    ordered = [figures[f"awe_{name}"] for name in PUBLISHED]
    figures["order_holds"] = float(all(a > b for a, b in pairwise(ordered)))
    figures |= _beside_ends(scenes[: WITH_ENDS[quick]], each)
    figures |= _seconds(scenes[0], TIMED_PX[quick]) | {"electrodes": float(count)}
    return _table(figures), figures


def _errors(scene: ElectrodeScene) -> dict[str, float]:
    """Of every approach on one electrode, and how the forests' labels agree with scikit-learn's."""
    windows = _annotated(scene)
    found: dict[str, Labels] = {**_by_thresholds(scene), "z_gradient": _by_gradient(scene, windows)}
    figures = {"annotated_pixels": float(sum((w.labels < PHASES).sum() for w in windows))}
    for name, features in FORESTS.items():
        trained = _trained(windows, features)
        found[name] = trained.classify(scene.judged_window)
        same = found[name] == trained.classify_by_sklearn(scene.judged_window)
        figures[f"labels_equal_{name}"] = float(np.mean(same))
        found[f"newest_{name}"] = trained.classify(_as_newest(scene))
    middle = scene.judged_window[:, ADJACENT_SLICES // 2]
    found["skimage"] = _by_skimage(_skimage_forest(windows), middle)
    for name, labels in found.items():
        figures |= _scored(scene, name, labels)
    return figures


def _beside_ends(scenes: Sequence[ElectrodeScene], each: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means over some of the electrodes, learned with the ends of runs and, as in ``each``, without."""
    learned = [_errors_with_ends(scene) for scene in scenes]
    figures = {name: float(np.mean([one[name] for one in learned])) for name in learned[0]}
    for name in ("tailored", "newest_tailored"):
        figures[f"awe_{name}_beside_ends"] = float(
            np.mean([one[f"awe_{name}"] for one, _ in zip(each, scenes, strict=False)])
        )
    return figures


def _errors_with_ends(scene: ElectrodeScene) -> dict[str, float]:
    """Of the tailored forest that learned the ends of runs, too, on the judged slice as a final one and as
    the newest of all."""
    windows = list(with_ends(_annotated(scene), np.random.default_rng(0)))
    trained = _trained(windows, "tailored")
    return _scored(scene, "with_ends", trained.classify(scene.judged_window)) | _scored(
        scene, "newest_with_ends", trained.classify(_as_newest(scene))
    )


def _as_newest(scene: ElectrodeScene) -> Grey:
    """The judged slice's window as it is before any later slice has come."""
    return newest(AnnotatedWindow(scene.judged_window, scene.truth)).images


def _seconds(scene: ElectrodeScene, timed_px: tuple[int, int]) -> dict[str, float]:
    """Per slice of 3072×2048 px: the features, all of it by ours, by scikit-learn, by scikit-image."""
    windows, large = _annotated(scene), _tiled(scene.judged_window, timed_px)
    figures: dict[str, float] = {}
    for name, features in FORESTS.items():
        trained = _trained(windows, features)
        scaled = padded(scaled_window(large, trained.settings.normalisation))
        figures |= {
            f"features_s_{name}": _per_slice(partial(window_features, features, scaled, THREADS), timed_px),
            f"slice_s_{name}": _per_slice(partial(trained.classify, large), timed_px),
            f"sklearn_slice_s_{name}": _per_slice(partial(trained.classify_by_sklearn, large), timed_px),
        }
    by_skimage = partial(_by_skimage, _skimage_forest(windows), large[:, ADJACENT_SLICES // 2])
    return figures | {"slice_s_skimage": _per_slice(by_skimage, timed_px)}


def _annotated(scene: ElectrodeScene) -> list[AnnotatedWindow]:
    zone = range(scene.judged - EXCLUDED, scene.judged + EXCLUDED + 1)
    return annotated_windows(scene.images, scene.strokes, zone)


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


@dataclass(frozen=True, slots=True)
class _Trained:
    """A forest of ours as scikit-learn made it and as the daemon runs it."""

    settings: ForestSettings
    forest: Any
    segmenter: Segmenter

    def classify(self, window: Grey) -> Labels:
        """The labels that the exported forest gives through the daemon's session."""
        return segment(self.segmenter, window).argmax(axis=0).astype(np.uint8)

    def classify_by_sklearn(self, window: Grey) -> Labels:
        """The same features for the whole image at once, and scikit-learn's trees."""
        height, width = window.shape[-2:]
        scaled = padded(scaled_window(window, self.settings.normalisation))
        features = window_features(self.settings.features, scaled, THREADS)
        table = as_table([one[:height, :width] for one in features])
        return self.forest.predict(table).reshape(height, width).astype(np.uint8)


def _trained(windows: Sequence[AnnotatedWindow], features: str) -> _Trained:
    settings = ForestSettings(features=features, threads=THREADS)
    samples = gather_samples(windows, settings)
    forest = train_forest(samples, settings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "forest.onnx"
        export_forest(forest, forest_spec("forest", CHANNELS, settings, PHASES, ""), samples, path)
        return _Trained(settings, forest, open_segmenter(path, threads=THREADS))


def _skimage_forest(windows: Sequence[AnnotatedWindow]) -> Any:
    """scikit-image's trainable segmentation: its multiscale features of both signals, the same trees."""
    middle, said = ADJACENT_SLICES // 2, [window.labels < PHASES for window in windows]
    tables = [_basic(w.images[:, middle])[here] for w, here in zip(windows, said, strict=True)]
    labels = np.concatenate([w.labels[here] for w, here in zip(windows, said, strict=True)])
    return train_forest(ForestSamples(np.concatenate(tables), labels), ForestSettings(threads=THREADS))


def _by_skimage(forest: Any, images: Grey) -> Labels:
    features = _basic(images)
    flat = forest.predict(features.reshape(-1, features.shape[-1]))
    return flat.reshape(features.shape[:2]).astype(np.uint8)


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
        title=f"{figures['electrodes']:.0f} emulated electrodes, labels 31 slices away and more",
    )  # fmt: skip
    for name in (*PUBLISHED, "skimage", "newest_tailored", "with_ends", "newest_with_ends"):
        full, inside = PUBLISHED.get(name, (float("nan"),) * 2)
        overlaps = ", ".join(f"{figures[f'iou{phase}_{name}']:.3f}" for phase in range(PHASES))
        seconds = figures.get(f"slice_s_{name}", float("nan"))
        table.add_row(
            name.replace("_", " "),
            f"{figures[f'awe_{name}']:.2f} ± {figures.get(f'awe_sigma_{name}', 0.0):.2f}",
            f"{full:g}",
            f"{figures[f'awe_inside_{name}']:.1f}",
            f"{inside:g}",
            overlaps,
            f"{seconds:.1f}",
        )
    return table
