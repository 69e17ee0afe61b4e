"""From a trained inpainting network to the files that ship: ONNX, checksum, learning curve, card."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from algorithms.inpainting import CHANNELS
from models.export import difference_from_torch, exported
from models.inpainting import InpaintingSpec, to_metadata
from models.inpainting_network import InpaintingNetwork
from models.inpainting_training import InpaintingSettings, Report, TrainedInpainting, train_inpainting
from models.learning_curve import draw_learning_curves
from models.model_file import write_checksum

NAME = "inpainting"
CARD = """\
# Inpainting between slices (`{name}.onnx`)

Fills the planes between the slices of a FIB-SEM tomography of hierarchical nanoporous gold: corrects the
cubic filling on zx and on zy sections, which are averaged (`volume.interpolation = "inpaint"`).

## Use

- Input `sections`: float32 (section, {channels}, z, u), any size: five heights of the cubic spline through
  the slices' signed distances (of the two sections before, the section itself, the two behind), the
  distances of the two slices above and the two below, how far the plane is from slice to slice, and 1 at
  slices (`algorithms/inpainting.py` makes them). Voxels of {grid_nm:g} nm.
- Output `solid`: float32 (section, z, u), the probability of the solid.
- sha256 `{sha256}`; largest difference from torch {difference:.1e}.

## Figures

`python -m benchmarks interpolation`: row RML; the table of {date} is in docs/results.md.

## Limits

- Learned from levelled-wave structures with ligaments of 13–18 and 110 nm and slices of 9–13 nm on average,
  cut without error of depth or segmentation. On other materials compare it with `cubic` before trusting it.
- Two phases; a further one is decided as in the cubic filling.

## Making

`{command}`

{minutes:.0f} minutes of fitting ({epochs} epochs), {date}. sha256 of the training volumes:
`{data}`. Settings:

```json
{settings}
```
"""


@dataclass(frozen=True, slots=True)
class Making:
    """The command that was typed and today's date, ISO 8601, for the card."""

    command: str
    date: str


def train_and_ship_inpainting(
    settings: InpaintingSettings, out_dir: Path, making: Making, report: Report
) -> InpaintingSpec:
    """Train, and write ``inpainting.onnx``, checksum, card and ``inpainting_curve.png`` to ``out_dir``.

    Raises:
        CheckpointMismatchError: ``out_dir`` holds a training with another recipe.
        ExportError: the file does not compute what torch does.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    trained = train_inpainting(settings, out_dir, report)
    draw_learning_curves({NAME: trained.history}, out_dir / "inpainting_curve.png")
    spec = export_inpainting(trained.network, settings, trained.training_data_sha256, out_dir)
    (out_dir / f"{NAME}.md").write_text(_card(spec, settings, trained, making), encoding="utf-8")
    return spec


def export_inpainting(
    network: InpaintingNetwork, settings: InpaintingSettings, training_data_sha256: str, out_dir: Path
) -> InpaintingSpec:
    """Write ``inpainting.onnx`` and its checksum; what the file says about itself.

    Raises:
        ExportError: ONNX Runtime's probabilities differ from torch's.
    """
    path, probe = out_dir / f"{NAME}.onnx", _probe()
    evaluated = network.to(memory_format=torch.contiguous_format).eval()  # pyright: ignore[reportCallIssue]
    free = {0: torch.export.Dim("section"), 2: torch.export.Dim("z"), 3: torch.export.Dim("u")}
    model = exported(evaluated, probe, free, ("sections", "solid"))
    spec = InpaintingSpec(
        NAME,
        probe.shape[1],
        settings.grid_nm,
        training_data_sha256,
        difference_from_torch(model, evaluated, probe, path),
    )
    onnx.helper.set_model_props(model, to_metadata(spec))
    path.write_bytes(model.SerializeToString())
    return replace(spec, sha256=write_checksum(path))


def _probe() -> Tensor:
    """Noise in the range of the distances."""
    rng = np.random.default_rng(0)
    probe = np.clip(rng.standard_normal((3, CHANNELS, 17, 40)), -1.0, 1.0)
    return torch.from_numpy(probe.astype(np.float32))


def _card(
    spec: InpaintingSpec, settings: InpaintingSettings, trained: TrainedInpainting, making: Making
) -> str:
    plain: dict[str, Any] = asdict(settings)
    return CARD.format(
        name=NAME,
        channels=spec.channels,
        grid_nm=spec.grid_nm,
        sha256=spec.sha256,
        difference=spec.torch_difference,
        date=making.date,
        command=making.command,
        minutes=sum(epoch.seconds for epoch in trained.history) / 60,
        epochs=len(trained.history),
        data=spec.training_data_sha256,
        settings=json.dumps(plain, indent=1),
    )
