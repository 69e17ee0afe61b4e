"""From settings to files that can be shipped: networks, checksums, learning curves, model cards."""

from dataclasses import asdict
from pathlib import Path

from torch import nn

from models.architectures import LateFusion
from models.cards import Account, write_card
from models.evaluation import HeldOut, held_out_runs, score_all
from models.export import Provenance, export_network
from models.learning_curve import draw_learning_curves
from models.session import open_segmenter
from models.spec import ModelSpec
from models.training import Report, TrainedFusion, TrainingSettings, channel_name, train_late_fusion


def train_and_ship(
    settings: TrainingSettings, held_out: HeldOut, out_dir: Path, command: str, date: str, report: Report
) -> dict[str, ModelSpec]:
    """Train late fusion and write everything that ships with it to ``out_dir``.

    These are ``late_fusion.onnx`` and, for each voltage, ``unet_<voltage>kv.onnx``, each with its checksum
    and its card, and ``learning_curves.png``. Scenes and checkpoints stay there too; what an earlier
    start left is used again.

    Args:
        settings: of the training.
        held_out: runs to score the networks on, k-means beside them.
        out_dir: made if it does not exist.
        command: that was typed, for the cards.
        date: of today, ISO 8601, for the cards.
        report: given a line now and then.

    Raises:
        CheckpointMismatchError: ``out_dir`` holds a training with another recipe.
        ExportError: a file does not compute what torch does.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    trained = train_late_fusion(settings, out_dir, report)
    draw_learning_curves(trained.histories, out_dir / "learning_curves.png")
    specs = export_all(trained, settings, out_dir)
    report("scoring on held-out runs")
    segmenters = {name: open_segmenter(out_dir / f"{name}.onnx") for name in specs}
    scores = score_all(segmenters, held_out_runs(held_out))
    account = Account(command, date, asdict(settings), held_out, scores, trained.histories)
    for spec in specs.values():
        write_card(out_dir / f"{spec.name}.md", spec, account)
    return specs


def export_all(trained: TrainedFusion, settings: TrainingSettings, out_dir: Path) -> dict[str, ModelSpec]:
    """Export the fused network and each branch on its own; by name."""
    networks: dict[str, tuple[nn.Module, tuple[float, ...]]] = {
        "late_fusion": (trained.network, settings.voltages_kv)
    }
    for branch, voltage in zip(_branches(trained.network), settings.voltages_kv, strict=True):
        networks[f"unet_{voltage:g}kv"] = (branch, (voltage,))
    return {
        name: export_network(
            network, _provenance(name, voltages_kv, settings, trained), out_dir / f"{name}.onnx"
        )
        for name, (network, voltages_kv) in networks.items()
    }


def _branches(network: LateFusion) -> list[nn.Module]:
    return list(network.branches)


def _provenance(
    name: str, voltages_kv: tuple[float, ...], settings: TrainingSettings, trained: TrainedFusion
) -> Provenance:
    return Provenance(
        name=name,
        channels=tuple(channel_name(voltage) for voltage in voltages_kv),
        voltages_kv=voltages_kv,
        adjacent_slices=settings.adjacent_slices,
        classes=2,
        normalisation=settings.normalisation,
        training_data_sha256=trained.training_data_sha256,
    )
