"""From settings to an inpainting network that can be shipped: file, checksum, learning curve, card."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from algorithms.plane_inpainting import plane_inpainting
from algorithms.slice_filling import INTERPOLATIONS
from models.architectures import REACH_PX, STRIDE_PX
from models.export import PROBE_PX, exported_model, write_model
from models.fitting import Epoch
from models.inpainter import InpainterSpec, open_inpainter
from models.inpainting_training import InpaintingSettings, TrainedInpainter, train_inpainting
from models.kept_settings import keep_settings
from models.learning_curve import draw_learning_curves
from models.mimicking import VALIDATION_SEEDS, mimicking_volumes, random_plane
from models.mimicking_sets import Scale, Scores, score_fillings
from models.origin import Origin
from models.training import Report

CARD_SCALE = Scale(structures=5, draws=2, slices=32, side_px=128)
CARD_SEED = 59_000
"""Other structures than those of training, validation and the benchmark."""


def ship_inpainting(
    settings: InpaintingSettings, out_dir: Path, origin: Origin, report: Report
) -> InpainterSpec:
    """Train, and write ``inpainting.onnx``, its checksum, its card and its learning curve to ``out_dir``.

    Raises:
        CheckpointMismatchError: ``out_dir`` holds a training with other settings.
        ExportError: the file does not compute what torch does.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    keep_settings(out_dir, asdict(settings))
    trained = train_inpainting(settings, out_dir, report)
    draw_learning_curves({"inpainting": trained.history}, out_dir / "inpainting_curve.png")
    spec = export_inpainter(trained, settings, out_dir / "inpainting.onnx")
    report("scoring on other structures")
    fillings = {**INTERPOLATIONS, "inpaint": plane_inpainting(open_inpainter(out_dir / "inpainting.onnx"))}
    scores = score_fillings(fillings, CARD_SCALE, CARD_SEED)
    card = _card(spec, settings, origin, trained.history, scores)
    (out_dir / "inpainting.md").write_text(card, encoding="utf-8")
    return spec


def export_inpainter(trained: TrainedInpainter, settings: InpaintingSettings, path: Path) -> InpainterSpec:
    """Write the network's file and its checksum; what the file says about itself."""
    exported, difference = exported_model(trained.network, _probe(path.parent, settings), "maps", path)
    spec = InpainterSpec(
        maps=exported.graph.input[0].type.tensor_type.shape.dim[1].dim_value,
        stride_px=STRIDE_PX,
        reach_px=REACH_PX,
        grid_nm=settings.volumes.grid_nm,
        training_data_sha256=trained.training_data_sha256,
        torch_difference=difference,
    )
    return replace(spec, sha256=write_model(exported, spec.to_metadata(), path))


def _probe(folder: Path, settings: InpaintingSettings) -> Tensor:
    """Two real planes: what the network will be given."""
    volumes = mimicking_volumes(
        replace(settings.volumes, side_voxels=PROBE_PX), VALIDATION_SEEDS[-1:], folder / "probe.npy", _unheard
    )
    rng = np.random.default_rng(0)
    return torch.from_numpy(np.stack([random_plane(volumes, PROBE_PX, rng)[0] for _ in range(2)]))


def _unheard(line: str) -> None:
    """One structure is made at once: nobody waits for it."""


def _card(
    spec: InpainterSpec,
    settings: InpaintingSettings,
    origin: Origin,
    history: tuple[Epoch, ...],
    scores: Mapping[str, Scores],
) -> str:
    rows = "\n".join(
        f"| {name} | {mp:.3f} | {mgp:.3f} | {dice:.4f} |" for name, (mp, mgp, dice) in scores.items()
    )
    minutes = sum(epoch.seconds for epoch in history) / 60
    return f"""# Inpainting of missing planes (`inpainting.onnx`)

Tells solid from pore on the planes of the isotropic volume that were milled away between two slices.

## Use

- `[volume] interpolation = "inpaint"`. Input `maps`: float32 (batch, {spec.maps}, y, x), as
  `algorithms.plane_inpainting.plane_maps` makes them of six slices; y, x: multiples of {spec.stride_px}.
- Output: probabilities of pore and solid, float32 (batch, 2, y, x).
- Input more than {spec.reach_px} px away does not matter.
- sha256 `{spec.sha256}`; largest difference from torch {spec.torch_difference:.1e}.

## Figures

Planes between the slices of other structures than in training, hierarchical nanoporous gold, slices of
10.16 ± 3.12 nm on a {spec.grid_nm:g} nm grid; measured planes included, {origin.date}.
`python -m benchmarks interpolation` measures the same on 50 sets.

| | MP % | MGP % | mean Dice |
|---|---|---|---|
{rows}

## Limits

- Learned from levelled-wave structures at {spec.grid_nm:g} nm voxels, boundaries 0.7 px (rms) out of place.
- Slices up to 14 planes apart; wider intervals are left to the cubic spline.

## Making

{origin.told()}

{minutes:.0f} minutes of fitting, {len(history)} epochs, {origin.date}; curve: `inpainting_curve.png`.
sha256 of the training volumes: `{spec.training_data_sha256}`. Settings:

```json
{json.dumps(asdict(settings), indent=1)}
```
"""
