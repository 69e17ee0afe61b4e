"""A trained forest and everything that belongs to it: ONNX file, checksum, importance, card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

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
from models.importance import draw_importance, importance_table
from models.origin import Origin
from models.session import open_segmenter, segment
from models.spec import ModelSpec


@dataclass(frozen=True, slots=True, eq=False)
class ForestMaterial:
    """What a forest learns from and is judged by: windows of ``channels``, ``told`` in words where they come
    from; ``judged`` is annotated as well and far from all others, or None."""

    channels: tuple[str, ...]
    windows: Sequence[AnnotatedWindow]
    judged: AnnotatedWindow | None
    told: str

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
    samples = gather_samples(material.windows, settings)
    report(f"{len(samples.phases)} annotated pixels on {len(material.windows)} slices")
    forest = train_forest(samples, settings)
    sha256 = windows_sha256(list(material.windows))
    spec = forest_spec(name, material.channels, settings, material.phases, sha256)
    spec = export_forest(forest, spec, samples, out / f"{name}.onnx")
    shares: NDArray[np.float64] = np.asarray(forest.feature_importances_)
    names = feature_names(settings.features, material.channels)
    table = importance_table(names, shares)
    (out / f"{name}_importance.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    draw_importance(names, shares, out / f"{name}_importance.png")
    matrix = judge_forest(out / f"{name}.onnx", material.judged, spec.classes)
    if matrix is not None:
        report(f"on the judged slice: {in_words(matrix)}")
    card = _card(spec, material, settings, origin, matrix, table[1:11])
    (out / f"{name}.md").write_text(card, encoding="utf-8")
    return spec


def judge_forest(path: Path, judged: AnnotatedWindow | None, phases: int) -> Confusion | None:
    """What the exported forest makes of the pixels that are annotated on the judged slice."""
    if judged is None:
        return None
    said = judged.labels != NOBODY_SAID
    found = segment(open_segmenter(path), judged.images).argmax(axis=0).astype(np.uint8)
    return confusion(judged.labels[said], found[said], phases)


def in_words(matrix: Confusion) -> str:
    """Weighted error and the overlap of every phase."""
    overlaps = ", ".join(f"{intersection_over_union(matrix, phase):.3f}" for phase in range(len(matrix)))
    return f"awe {weighted_error_percent(matrix):.2f} %, IoU {overlaps}"


def _card(
    spec: ModelSpec,
    material: ForestMaterial,
    settings: ForestSettings,
    origin: Origin,
    matrix: Confusion | None,
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
        f"- Learned from {material.told}.",
        "- On other samples train it anew: a few strokes per phase on some slices are enough",
        "  (`slicewatch train forest --labels`).",
        f"- Settings: {', '.join(f'{key} {value}' for key, value in chosen.items())}.",
        f"- ONNX Runtime's probabilities differ from scikit-learn's by {spec.torch_difference:.1e} at most.",
        f"- sha256 `{spec.sha256}`, of its data `{spec.training_data_sha256}`.",
    ]
    if matrix is not None:
        lines.append(f"- On a slice far from all others: {in_words(matrix)}.")
    head = ["", "| signal | kind | scale | importance |", "|---|---|---|---|"]
    return "\n".join([*lines, *head, *rows, ""])
