"""Model cards: what a network is for, what it was made from, how good it is, and how to make it again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from algorithms.reliability import calibration_error
from models.calibration import Calibration
from models.evaluation import HeldOut, Score
from models.fitting import Epoch
from models.origin import Origin
from models.refinement import Refinement
from models.spec import ModelSpec

PURPOSE = """\
Tells gold (1) from pore (0) on the face of hierarchical nanoporous gold in epoxy, in backscattered-electron
images of a FIB-SEM tomography, where gold below the face shines through the epoxy."""
RENDERED = """\
- Learned from rendered images only (`models/scenes.py`): no real microscope, no other material contrast. On
  other samples look at the result before trusting it."""
REFINED = """\
- Learned from rendered images (`models/scenes.py`) and from the annotated slices named under "Making": no
  other microscope, no other material contrast. On other samples look at the result before trusting it."""
LIMITS = """\
- Pixels of 2.5–5 nm and slices of 5–15 nm on average were trained; ligaments of 10–150 nm.
- The images of a window must be registered to about 0.3 px.
- Probabilities are calibrated for {known}; at other doses they claim too much or too little."""
AS_PUBLISHED = "images as published"


LATE = "late_fusion"


@dataclass(frozen=True, slots=True)
class Account:
    """How the networks of one training came about.

    Attributes:
        origin: the command that made them, the date of training and scores.
        settings: of the training, as a plain dictionary.
        held_out: the runs it was scored on.
        scores: on them, by name.
        histories: epochs of each stage.
        calibrations: of each network, by name.
        started_from: checksums of the networks whose weights the training began with, by name.
        pictures: names of those of the learning curves and of the reliability.
        refinements: what annotated slices brought, by name; empty without any.
        held_back: number of annotated slices by which that was judged.
        calibrated_on: number of those that are annotated as a whole, which were calibrated on.
    """

    origin: Origin
    settings: Mapping[str, Any]
    held_out: HeldOut
    scores: Mapping[str, Score]
    histories: Mapping[str, Sequence[Epoch]]
    calibrations: Mapping[str, Calibration]
    started_from: Mapping[str, str]
    pictures: tuple[str, str]
    refinements: Mapping[str, Refinement] = field(default_factory=dict[str, Refinement])
    held_back: int = 0
    calibrated_on: int = 0


def write_card(path: Path, spec: ModelSpec, account: Account) -> None:
    """Write a network's card in Markdown."""
    sections = [
        f"# {_title(spec)}",
        PURPOSE,
        "## Use",
        _use(spec),
        "## Figures",
        _figures(spec, account),
        *_refined(spec, account),
        "## Limits",
        f"{REFINED if account.refinements else RENDERED}\n{LIMITS.format(known=_known(account))}",
        "## Making",
        _making(spec, account),
    ]
    path.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _title(spec: ModelSpec) -> str:
    kind = spec.name.replace("_", " ").capitalize() if len(spec.channels) > 1 else "Single voltage"
    return f"{kind}, {' + '.join(spec.channels)} (`{spec.name}.onnx`)"


def _use(spec: ModelSpec) -> str:
    cut = spec.normalisation
    channels, slices = len(spec.channels), spec.adjacent_slices
    return f"""\
- Input `window`: float32 (batch, {channels}, {slices}, y, x). Channels: {", ".join(spec.channels)}. {slices}
  adjacent slices in the order of milling, the middle one is labelled. y, x: multiples of {spec.stride_px}.
- Each image is scaled beforehand so that its percentiles {cut.low_percent:g} and {cut.high_percent:g} become
  0 and 1, and cut at {cut.floor:g} and {cut.ceiling:g}.
- Output `probabilities`: float32 (batch, {spec.classes}, y, x); class 0 pore, 1 gold.
- Input more than {spec.reach_px} px away does not matter.
- The file says all this itself (`slicewatch.*` metadata); `models.session` obeys it.
- sha256 `{spec.sha256}`; largest difference from torch {spec.torch_difference:.1e}."""


def _figures(spec: ModelSpec, account: Account) -> str:
    run, date = account.held_out, account.origin.date
    rows = "\n".join(_row(name, score, name == spec.name) for name, score in account.scores.items())
    truth = next(iter(account.scores.values())).true_solid_fraction
    return f"""\
Measured on {date} on {run.runs} held-out rendered runs: other structures and seeds than in training
(`models.evaluation`), {run.slices} slices of {run.height}×{run.width} px each, {run.pixel_nm} nm pixels,
slices {run.thickness_nm} ± {run.thickness_sigma_nm} nm, the ends of the runs included. True solid fraction
{truth:.4f}. k-means has k = 3.

| | MP % | MGP % | mean Dice | solid fraction | calibration error |
|---|---|---|---|---|---|
{rows}

Scores of pore and gold were calibrated: {account.calibrations[spec.name]}, as found on the ensemble's scenes,
{_unseen(spec)}{_also_held_back(account)};
claimed probability beside frequency: `{account.pictures[1]}`."""


def _unseen(spec: ModelSpec) -> str:
    """How far the scenes of the calibration were new to the network."""
    if spec.name == LATE:
        return "most of which its ensemble layer has learned from and its branches have not"
    return "which it has not learned from"


def _also_held_back(account: Account) -> str:
    return f", and on {account.calibrated_on} annotated slices held back" if account.calibrated_on else ""


def _known(account: Account) -> str:
    return f"{AS_PUBLISHED} and those slices together" if account.calibrated_on else AS_PUBLISHED


def _refined(spec: ModelSpec, account: Account) -> list[str]:
    if not account.refinements:
        return []
    return [
        "## Annotated slices",
        f"Mean Dice on the annotated pixels of {account.held_back} slices that were held back, before and "
        f"after the training: {account.refinements[spec.name]}. They chose the epoch, too.",
    ]


def _row(name: str, score: Score, bold: bool) -> str:
    label = f"**{name}**" if bold else name
    error = f"{calibration_error(score.reliability):.4f}" if score.reliability else "–"
    return (
        f"| {label} | {score.mp_percent:.3f} | {score.mgp_percent:.3f} | {score.mean_dice:.4f} "
        f"| {score.solid_fraction:.4f} | {error} |"
    )


def _making(spec: ModelSpec, account: Account) -> str:
    seconds = sum(epoch.seconds for history in account.histories.values() for epoch in history)
    epochs = ", ".join(f"{stage} {len(history)}" for stage, history in account.histories.items())
    start = ", ".join(f"{name} (sha256 `{sha256[:16]}…`)" for name, sha256 in account.started_from.items())
    return f"""\
{account.origin.told()}

{seconds / 60:.0f} minutes of fitting (epochs: {epochs}), {account.origin.date}; the learning curves are in
`{account.pictures[0]}`. Started from {start or "random weights"}.
sha256 of the images and labels that were learned from or calibrated on, so the ensemble's scenes are in it
and the rendered ones that chose the epoch are not:
`{spec.training_data_sha256}`. Settings:

```json
{json.dumps(account.settings, indent=1)}
```"""
