"""The card of an adapted network: what it was made from, what changed, and what nobody knows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.adaptation_effect import Effect
from models.adapting import Adapted
from models.evaluation import HeldOut, Score
from models.origin import Origin
from models.spec import ModelSpec

PAGES = ("labels.png", "styles.png", "distributions.png", "curves.png")


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How an adapted network came about.

    Attributes:
        origin: command and date.
        settings: as a plain dictionary.
        before: the network that was copied.
        slices: of the acquisition, that were looked at.
        held_out: the synthetic runs of the figures.
    """

    origin: Origin
    settings: Mapping[str, Any]
    before: ModelSpec
    slices: int
    held_out: HeldOut


def write_adaptation_card(path: Path, adapted: Adapted, effect: Effect, about: Adaptation) -> None:
    """In Markdown."""
    spec = adapted.spec
    path.write_text(
        f"""# {spec.name}: {about.before.name} adapted to an acquisition (`{adapted.path.name}`)

A copy of `{about.before.name}.onnx` (sha256 `{about.before.sha256}`), fine-tuned on synthetic structures in
the style of {about.slices} slices of one acquisition. Nobody has labelled these slices: look at `{PAGES[0]}`
and decide. It takes what the network it was copied from takes: {", ".join(spec.channels)},
{spec.adjacent_slices} adjacent slices; class 0 pore, 1 gold. sha256 `{spec.sha256}`.

## Before and after

{_scores(effect, about.held_out)}

| on {len(effect.faces)} faces of the acquisition, truth unknown | before | after |
|---|---|---|
{_acquired_rows(effect)}
{_distance_rows(spec, effect)}

{100 * effect.changed_share:.1f} % of the pixels got another label. The distance is the live check's, of the
slices that the style was learned from, so it flatters; above 1 a run is told of.

Pages: `{PAGES[0]}` (labels before and after), `{PAGES[1]}` (synthetic, adapted and acquired images),
`{PAGES[2]}` (grey values and spatial frequencies), `{PAGES[3]}` (learning curves).

## Limits

- The style is that of these slices: another detector, dwell or voltage is another style.
- Structures are those of hierarchical nanoporous gold in epoxy, 15 nm ligaments within ones of 110 nm, 12.5 %
  solid. Where the sample is another, the style takes in what differs of the structure, and labels may suffer.
- A figure with a truth is of synthetic scenes only. Anisotropy and solid fraction of a reprocessed run say
  more: `slicewatch compare`.

## Making

{about.origin.told()}

{_minutes(adapted):.0f} minutes of fitting on the processor, {about.origin.date}; epochs:
{_epochs(adapted)}. Scores were calibrated: {adapted.tuned.calibration}. sha256 of the
images and labels that were learned from: `{spec.training_data_sha256}`. Settings:

```json
{json.dumps(about.settings, indent=1)}
```
""",
        encoding="utf-8",
    )


def _scores(effect: Effect, held_out: HeldOut) -> str:
    size = f"{held_out.runs} × {held_out.slices} slices of {held_out.height} × {held_out.width} px"
    rows = "\n".join(
        f"| {what}, {when} | {_scored(score)} |"
        for what, pair in (
            ("synthetic scenes in the acquired style (they chose the epoch)", effect.in_style),
            (f"held-out synthetic runs as they are, {size}", effect.synthetic),
        )
        for when, score in zip(("before", "after"), pair, strict=True)
    )
    return (
        f"| truth known | MP % | MGP % | mean Dice | solid fraction (true) |\n|---|---|---|---|---|\n{rows}"
    )


def _scored(score: Score) -> str:
    return (
        f"{score.mp_percent:.3f} | {score.mgp_percent:.3f} | {score.mean_dice:.4f} | "
        f"{score.solid_fraction:.4f} ({score.true_solid_fraction:.4f})"
    )


def _acquired_rows(effect: Effect) -> str:
    before, after = effect.acquired
    return (
        f"| solid fraction | {before.solid_fraction:.4f} | {after.solid_fraction:.4f} |\n"
        f"| pixels claimed with more than 90 % | {before.sure_share:.3f} | {after.sure_share:.3f} |"
    )


def _distance_rows(spec: ModelSpec, effect: Effect) -> str:
    pairs = zip(spec.channels, effect.distances, strict=True)
    return "\n".join(
        f"| {name}: distance from known images, over its limit | {far.before:.2f} | {far.after:.2f} |"
        for name, far in pairs
    )


def _minutes(adapted: Adapted) -> float:
    return sum(epoch.seconds for history in adapted.histories.values() for epoch in history) / 60


def _epochs(adapted: Adapted) -> str:
    return ", ".join(f"{stage} {len(history)}" for stage, history in adapted.histories.items())
