"""From settings to generators that can be shipped: files, checksums, learning curves, samples, cards."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.architectures import STRIDE_PX
from models.export import PROBE_PX, exported_model, write_model
from models.fitting import Epoch
from models.gan_images import CARD_SEEDS, Image, fast_face, fast_faces, monte_carlo_faces
from models.gan_training import (
    GanSettings,
    TrainedGenerator,
    from_contrast,
    stage_name,
    to_contrast,
    train_generator,
)
from models.image_generator import GeneratorSpec, ImageGeneratorSession, open_generator
from models.kept_settings import keep_settings
from models.learning_curve import draw_learning_curves
from models.origin import Origin
from models.style_distance import earth_movers_distance
from models.translation_networks import REACH_PX, ImageGenerator

CARD_IMAGES = 1
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Likeness:
    """How an image compares with the Monte Carlo image of the same structure.

    Attributes:
        correlation: of pixels; the noise of the counted electrons lowers it.
        histogram_distance: earth mover's, of the counted shares.
    """

    correlation: float
    histogram_distance: float


def ship_gan(
    settings: GanSettings, out_dir: Path, origin: Origin, report: Report
) -> dict[str, GeneratorSpec]:
    """Train, and write a generator for each voltage with its checksum and card to ``out_dir``; by name.

    Learning curves of all of them are in ``gan_curves.png``, what they made on the way in ``samples``.

    Raises:
        CheckpointMismatchError: ``out_dir`` holds a training with other settings.
        ExportError: a file does not compute what torch does.
    """
    keep_settings(out_dir, asdict(settings))
    specs: dict[str, GeneratorSpec] = {}
    histories: dict[str, tuple[Epoch, ...]] = {}
    for voltage in settings.voltages_kv:
        name = stage_name(voltage)
        trained = train_generator(settings, voltage, out_dir, report)
        histories[name] = trained.history
        path = out_dir / f"{name}.onnx"
        specs[name] = export_generator(trained, settings, voltage, path)
        report(f"{name}: comparing with Monte Carlo images of other structures")
        likeness = _likenesses(open_generator(path), settings, out_dir, report)
        card = _card(specs[name], settings, origin, trained.history, likeness)
        path.with_suffix(".md").write_text(card, encoding="utf-8")
    draw_learning_curves(histories, out_dir / "gan_curves.png")
    return specs


def export_generator(
    trained: TrainedGenerator, settings: GanSettings, voltage_kv: float, path: Path
) -> GeneratorSpec:
    """Write the file of the generator and its checksum; what the file says about itself."""
    probe_face = fast_face(replace(settings.face, side_px=PROBE_PX), voltage_kv, CARD_SEEDS[0])
    probe = torch.from_numpy(np.stack([probe_face, probe_face.T])[:, None])
    exported, difference = exported_model(_OnShares(trained.cycle.there), probe, "image", path, "made")
    spec = GeneratorSpec(
        voltage_kv=voltage_kv,
        voxel_nm=settings.face.voxel_nm,
        electrons=settings.face.electrons,
        stride_px=STRIDE_PX,
        reach_px=REACH_PX,
        training_data_sha256=trained.training_data_sha256,
        torch_difference=difference,
    )
    return replace(spec, sha256=write_model(exported, spec.to_metadata(), path))


class _OnShares(nn.Module):
    """A generator from shares of the electrons to shares."""

    def __init__(self, generator: ImageGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, shares: Tensor) -> Tensor:
        return from_contrast(self.generator(to_contrast(shares)))


def _likenesses(
    generator: ImageGeneratorSession, settings: GanSettings, out_dir: Path, report: Report
) -> Mapping[str, Likeness]:
    """Of the fast image, and of what the generator makes of it, on structures that nothing was trained on."""
    voltage_kv, electrons = generator.spec.voltage_kv, settings.face.electrons
    seeds = CARD_SEEDS[:CARD_IMAGES]
    truth = monte_carlo_faces(settings.face, voltage_kv, seeds, out_dir / "images", settings.threads, report)
    fast = fast_faces(settings.face, voltage_kv, seeds)
    made = np.stack([generator(face) for face in fast])
    return {
        "fast image": _likeness(fast, truth, electrons),
        generator_label(voltage_kv): _likeness(made, truth, electrons),
    }


def generator_label(voltage_kv: float) -> str:
    """Of a row of the card."""
    return f"**{stage_name(voltage_kv)}**"


def _likeness(expected: Image, truth: Image, electrons: int) -> Likeness:
    """Counts are drawn from what is expected, so that both images have the noise of their electrons."""
    rng = np.random.default_rng(0)
    counted = (rng.binomial(electrons, np.clip(expected, 0, 1)) / electrons).astype(np.float32)
    correlation = float(np.corrcoef(expected.ravel(), truth.ravel())[0, 1])
    return Likeness(correlation, earth_movers_distance(counted, truth))


def _card(
    spec: GeneratorSpec,
    settings: GanSettings,
    origin: Origin,
    history: tuple[Epoch, ...],
    likenesses: Mapping[str, Likeness],
) -> str:
    rows = "\n".join(
        f"| {name} | {one.correlation:.4f} | {one.histogram_distance:.4f} |"
        for name, one in likenesses.items()
    )
    name, minutes = stage_name(spec.voltage_kv), sum(epoch.seconds for epoch in history) / 60
    return f"""# Monte Carlo images from fast ones, {spec.voltage_kv:g} kV (`{name}.onnx`)

Turns the fast image of gold in epoxy, weighted by how deep the beam sees, into what following every electron
would give. Trained without pairs, as a CycleGAN (`models/translation_networks.py`).

## Use

- `slicewatch synthesize slices --method gan --voltage {spec.voltage_kv:g}`.
- Input `image`: float32 (batch, 1, y, x), the share of the electrons that comes back, as
  `models.fast_image` has it; y, x: multiples of {spec.stride_px}. Output `made`: the expected share, of the
  same shape; counting electrons adds their noise.
- Input more than {spec.reach_px} px away does not matter.
- sha256 `{spec.sha256}`; largest difference from torch {spec.torch_difference:.1e}.

## Figures

{CARD_IMAGES} face of {settings.face.side_px}×{settings.face.side_px} px of a structure that nothing was
trained on, beside the Monte Carlo image of the same structure with {spec.electrons} electrons per pixel,
{origin.date}. The noise of the electrons limits the correlation; both histograms have it.

| | correlation | distance of histograms (earth mover's, share) |
|---|---|---|
{rows}

## Limits

- Gold in epoxy, ligaments of 15 nm in 110 nm, voxels of {spec.voxel_nm:g} nm, beam from above.
- As good as the simulation it learned from (docs/synthesize.md).

## Making

{origin.told()}

{minutes:.0f} minutes of fitting, {len(history)} epochs, {origin.date}, {settings.threads} thread of a
processor, no GPU; curve: `gan_curves.png`. sha256 of the training images:
`{spec.training_data_sha256}`. Settings:

```json
{json.dumps(asdict(settings), indent=1)}
```
"""
