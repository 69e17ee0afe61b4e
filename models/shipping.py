"""From settings to files that can be shipped: networks, checksums, learning curves, model cards."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from models.annotation import NONE, Annotations
from models.cards import Account, write_card
from models.evaluation import HeldOut, held_out_runs, score_all
from models.export import Provenance, export_network
from models.learning_curve import draw_learning_curves
from models.material import Report, TrainingSettings
from models.origin import Origin
from models.refinement import refinements
from models.reliability_diagram import draw_reliability
from models.session import open_segmenter
from models.spec import ModelSpec
from models.training import Trained, channel_name

Training = Callable[[TrainingSettings, Path, Report, Annotations], Trained]


def train_and_ship(
    train: Training,
    settings: TrainingSettings,
    held_out: HeldOut,
    out_dir: Path,
    origin: Origin,
    report: Report,
    annotated: Annotations = NONE,
) -> dict[str, ModelSpec]:
    """Train and write everything that ships to ``out_dir``.

    These are an ``.onnx`` file for each network, e.g. ``late_fusion.onnx`` and, for each voltage,
    ``unet_<voltage>kv.onnx``, each with its checksum and its card, and ``<first network>_curves.png``
    and ``…_reliability.png``. Scenes and checkpoints stay there too; what an earlier start left is used.

    Args:
        train: one of :mod:`models.training`.
        settings: of the training.
        held_out: runs to score the networks on, k-means beside them.
        out_dir: made if it does not exist.
        origin: for the cards.
        report: given a line now and then.
        annotated: slices to refine the networks on; what that brought is reported.

    Raises:
        CheckpointMismatchError: ``out_dir`` holds a training with other settings.
        ExportError: a file does not compute what torch does.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    trained = train(settings, out_dir, report, annotated)
    pictures = tuple(f"{next(iter(trained.networks))}_{kind}.png" for kind in ("curves", "reliability"))
    draw_learning_curves(trained.histories, out_dir / pictures[0])
    specs = export_all(trained, settings, out_dir)
    report("scoring on held-out runs")
    segmenters = {name: open_segmenter(out_dir / f"{name}.onnx") for name in specs}
    scores = score_all(segmenters, held_out_runs(held_out))
    refined = refinements(settings, segmenters, annotated.held_back) if annotated.held_back else {}
    for name, refinement in refined.items():
        report(f"{name}: mean Dice on annotated slices held back {refinement}")
    trust = {name: score.reliability for name, score in scores.items() if score.reliability}
    draw_reliability(trust, out_dir / pictures[1])
    account = Account(
        origin,
        asdict(settings),
        held_out,
        scores,
        trained.histories,
        trained.calibrations,
        trained.started_from,
        (pictures[0], pictures[1]),
        refined,
        len(annotated.held_back),
        len(annotated.calibrated_on),
    )
    for spec in specs.values():
        write_card(out_dir / f"{spec.name}.md", spec, account)
    return specs


def export_all(trained: Trained, settings: TrainingSettings, out_dir: Path) -> dict[str, ModelSpec]:
    """Export every network; by name."""
    return {
        name: export_network(
            network, _provenance(name, voltages_kv, settings, trained), out_dir / f"{name}.onnx"
        )
        for name, (network, voltages_kv) in trained.networks.items()
    }


def _provenance(
    name: str, voltages_kv: tuple[float, ...], settings: TrainingSettings, trained: Trained
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
