"""``slicewatch shrink``: variants of a network with fewer bits, judged, and told in its card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daemon.errors import StoreError
from daemon.operating_system import usable_cores
from daemon.training import require
from daemon.written_section import check_section, write_section
from models.datasets import PreparedScene, prepare_scenes
from models.errors import ModelMismatchError
from models.model_file import read_checked
from models.scenes import ENSEMBLE_SEEDS, VALIDATION_SEEDS, SceneSize
from models.session import open_segmenter
from models.spec import ModelSpec

if TYPE_CHECKING:
    from models.variants import Variant

VALIDATION_SCENES: Final = 6
CALIBRATION_SCENES: Final = 4
EVERY: Final = 4
"""So many blocks of the calibration scenes are left out for one that is run: neighbours are alike."""
SECTION: Final = "variants"
FULL: Final = "fp32"
REMEDY: Final = "Make the file writable, its sections whole, and start the command again."
USUAL_KV: Final = (1.0, 2.0, 4.0)


def shrink_network(network: Path, scenes: Path, report: Callable[[str], None]) -> None:
    """Write the variants of ``network`` beside it and a section on them into its card.

    Calibrated on scenes that no branch has learned from, judged on those that validated the training; no
    held-out run is touched.

    Raises
    ------
    LibraryMissingError
        What writes networks is not installed.
    StoreError
        Scenes or files cannot be written.
    ModelError
        ``network`` is no network of ours, or a forest, or a variant already.
    """
    require("torch", "onnx")
    from models.judging import blocks_of
    from models.variants import write_variants

    spec = open_segmenter(network).spec
    _check_can_shrink(spec, network)
    card = network.with_suffix(".md")
    check_section(card, SECTION, REMEDY)
    voltages_kv = USUAL_KV if set(spec.voltages_kv) <= set(USUAL_KV) else spec.voltages_kv
    prepared = partial(_scenes, scenes, voltages_kv, spec, report)
    validation = blocks_of(prepared(VALIDATION_SEEDS[:VALIDATION_SCENES]), voltages_kv, spec)
    calibration = blocks_of(prepared(ENSEMBLE_SEEDS[:CALIBRATION_SCENES]), voltages_kv, spec).inputs[::EVERY]
    report("converting and judging")
    variants = write_variants(network, calibration, validation, threads=usable_cores())
    for variant in variants[1:]:
        report(f"{variant.precision}: {'kept' if variant.kept else 'labels worse, not kept'}")
    write_section(card, SECTION, card_section(network, variants, validation.labels.size), REMEDY)
    report(f"card: {card}")


def _check_can_shrink(spec: ModelSpec, network: Path) -> None:
    if spec.features:
        what, remedy = (
            "a forest has no weights to make smaller",
            "Train it with fewer trees, if it is too slow.",
        )
    elif spec.precision != FULL:
        what = f"this network is a variant already: {spec.precision}"
        remedy = "Give the network that it was made from."
    else:
        return
    raise ModelMismatchError(what, str(network), remedy)


def card_section(network: Path, variants: Sequence[Variant], pixels: int) -> str:
    """The part of a card on the variants of its network."""
    rows = "\n".join(_row(network, variant, variants[0]) for variant in variants)
    today, cores = datetime.now(UTC).date().isoformat(), usable_cores()
    return f"""\
## Variants

`slicewatch shrink {network.name}`, {today}: {pixels / 1e6:.2f} million pixels of {VALIDATION_SCENES}
validation scenes. Seconds on the {cores} cores of this machine's CPU, of the quickest batch; half precision
is for GPUs.

| precision | MiB | mean Dice | − fp32 | s per Mpx | file |
|---|---|---|---|---|---|
{rows}"""


def _row(network: Path, variant: Variant, full: Variant) -> str:
    judged = variant.judgement
    loss = judged.mean_dice - full.judgement.mean_dice
    return (
        f"| {variant.precision} | {variant.mebibytes:.2f} | {judged.mean_dice:.5f} | {loss:+.5f} "
        f"| {judged.seconds_per_mpx:.2f} | {_file(network, variant, full)} |"
    )


def _file(network: Path, variant: Variant, full: Variant) -> str:
    if variant is full:
        return f"`{network.name}`"
    if not variant.kept:
        return "not kept: labels worse"
    path = network.with_name(f"{network.stem}.{variant.precision}.onnx")
    return f"`{path.name}`, sha256 `{read_checked(path)[1]}`"


def _scenes(
    folder: Path,
    voltages_kv: Sequence[float],
    spec: ModelSpec,
    report: Callable[[str], None],
    seeds: Sequence[int],
) -> list[PreparedScene]:
    def tell(done: int, wanted: int) -> None:
        report(f"scenes: {done}/{wanted}")

    try:
        return prepare_scenes(folder, seeds, voltages_kv, SceneSize(), spec.normalisation, tell)
    except OSError as error:
        raise StoreError(
            f"scenes cannot be kept: {error.strerror or error}",
            where=str(folder),
            remedy="Choose a folder that this user may write to with --scenes.",
        ) from error
