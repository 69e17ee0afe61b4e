"""A trained forest and everything that belongs to it: ONNX file, checksum, importance, card."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from algorithms.scores import Confusion, confusion, intersection_over_union, weighted_error_percent
from algorithms.sparse_labels import NOBODY_SAID
from models.electrode_scenes import windows_sha256
from models.forest import (
    AnnotatedWindow,
    ForestSettings,
    export_forest,
    forest_spec,
    gather_samples,
    train_forest,
)
from models.forest_features import feature_names
from models.forest_windows import denoised, newest, with_ends
from models.importance import draw_importance, importance_table
from models.origin import Origin
from models.session import Segmenter, open_segmenter, segment
from models.spec import Denoise, ModelSpec

IMAGES: Final[Mapping[Denoise, str]] = {
    "none": 'as the microscope gives them (`denoise = "none"` in [segmentation])',
    "non-local-means": 'denoised (`denoise = "non-local-means"` in [segmentation], or a run is refused)',
}
AS_FINAL: Final = "final, its whole history known"
AS_NEWEST: Final = "provisional, the newest of all"


@dataclass(frozen=True, slots=True, eq=False)
class ForestMaterial:
    """What a forest learns from and is judged by: windows of ``channels``, ``told`` in words where they come
    from; those ``judged`` are annotated as well, and far from all others; ``judged_told`` says what they are.
    """

    channels: tuple[str, ...]
    windows: Sequence[AnnotatedWindow]
    judged: Sequence[AnnotatedWindow]
    told: str
    judged_told: str

    @property
    def phases(self) -> int:
        """Phases that the labels name, pore among them."""
        said = [window.labels[window.labels != NOBODY_SAID] for window in self.windows]
        return 1 + max(int(labels.max(initial=0)) for labels in said)


def ship_forest(
    name: str,
    material: ForestMaterial,
    settings: ForestSettings,
    out: Path,
    origin: Origin,
    report: Callable[[str], None],
) -> ModelSpec:
    """Train, export, judge, and write ``NAME.onnx``, its checksum, ``NAME_importance.csv`` and ``.png``, and
    its card ``NAME.md``.

    Raises:
        ExportError: a phase has no labels, or the exported forest differs from the trained one.
    """
    clean = (denoised(window, settings.denoise) for window in material.windows)
    samples = gather_samples(with_ends(clean, np.random.default_rng(settings.seed)), settings)
    report(f"{annotated_pixels(material.windows)} annotated pixels on {len(material.windows)} slices")
    forest = train_forest(samples, settings)
    sha256 = windows_sha256(list(material.windows))
    spec = forest_spec(name, material.channels, settings, material.phases, sha256)
    spec = export_forest(forest, spec, samples, out / f"{name}.onnx")
    shares: NDArray[np.float64] = np.asarray(forest.feature_importances_)
    names = feature_names(settings.features, material.channels)
    table = importance_table(names, shares)
    (out / f"{name}_importance.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    draw_importance(names, shares, out / f"{name}_importance.png")
    judgements = judge_forest(out / f"{name}.onnx", material.judged, spec.classes)
    for seen, matrix in judgements.items():
        report(f"judged as {seen}: {in_words(matrix)}")
    card = _card(spec, material, settings, origin, judgements, table[1:11])
    (out / f"{name}.md").write_text(card, encoding="utf-8")
    return spec


def annotated_pixels(windows: Sequence[AnnotatedWindow]) -> int:
    """Pixels that somebody said something about."""
    return sum(int((window.labels != NOBODY_SAID).sum()) for window in windows)


def judge_forest(path: Path, judged: Sequence[AnnotatedWindow], phases: int) -> Mapping[str, Confusion]:
    """What the exported forest makes of the annotated pixels of judged slices: with their whole history, and
    as the newest slice of all. Empty without any."""
    if not judged:
        return {}
    segmenter = open_segmenter(path)
    seen = [denoised(window, segmenter.spec.denoise) for window in judged]
    return {
        AS_FINAL: _judged(segmenter, seen, phases),
        AS_NEWEST: _judged(segmenter, [newest(window) for window in seen], phases),
    }


def _judged(segmenter: Segmenter, windows: Sequence[AnnotatedWindow], phases: int) -> Confusion:
    total: Confusion = np.zeros((phases, phases), np.int64)
    for window in windows:
        said = window.labels != NOBODY_SAID
        found = segment(segmenter, window.images).argmax(axis=0).astype(np.uint8)
        total = total + confusion(window.labels[said], found[said], phases)
    return total


def in_words(matrix: Confusion) -> str:
    """Weighted error and the overlap of every phase."""
    overlaps = ", ".join(f"{intersection_over_union(matrix, phase):.3f}" for phase in range(len(matrix)))
    return f"awe {weighted_error_percent(matrix):.2f} %, IoU {overlaps}"


def _card(
    spec: ModelSpec,
    material: ForestMaterial,
    settings: ForestSettings,
    origin: Origin,
    judgements: Mapping[str, Confusion],
    best: Sequence[str],
) -> str:
    rows = [f"| {' | '.join(line.split(','))} |" for line in best]
    chosen = {key: value for key, value in asdict(settings).items() if key != "normalisation"}
    lines = [
        f"# {spec.name}",
        "",
        f"A random forest for {' + '.join(spec.channels)}: {spec.classes} phases, 0 is pore. It looks",
        f"at {spec.adjacent_slices} slices; its features `{spec.features}` are computed by slicewatch.",
        "",
        f"- Made by {origin.told()} on {origin.date}.",
        f"- Learned from {material.told};",
        "  each annotated slice with its whole history, as the newest of all, and near both ends of a run.",
        f"- Images: {IMAGES[spec.denoise]}.",
        "- On other samples train it anew: a few strokes per phase on some slices are enough",
        "  (`slicewatch train forest --labels`).",
        f"- Settings: {', '.join(f'{key} {value}' for key, value in chosen.items())}.",
        f"- ONNX Runtime's probabilities differ from scikit-learn's by {spec.torch_difference:.1e} at most.",
        f"- sha256 `{spec.sha256}`, of its data `{spec.training_data_sha256}`.",
    ]
    if judgements:
        lines += _judgement_lines(judgements, material.judged_told)
    head = ["", "| signal | kind | scale | importance |", "|---|---|---|---|"]
    return "\n".join([*lines, *head, *rows, ""])


def _judgement_lines(judgements: Mapping[str, Confusion], told: str) -> list[str]:
    phases = range(len(next(iter(judgements.values()))))
    rows = [
        f"| {seen} | {weighted_error_percent(matrix):.2f} | "
        f"{' | '.join(f'{intersection_over_union(matrix, phase):.3f}' for phase in phases)} |"
        for seen, matrix in judgements.items()
    ]
    return [
        "",
        f"Judged on {told}:",
        "",
        f"| a slice as | awe % | {' | '.join(f'IoU of phase {phase}' for phase in phases)} |",
        f"|---|---|{'---|' * len(phases)}",
        *rows,
    ]
