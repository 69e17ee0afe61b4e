"""What a training is to be: the shipped settings, and a TOML file's own in their place.

Imports torch (through the settings), so it is imported only when a training starts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from daemon.config.complaints import explained
from daemon.config.loading import read_toml
from models.evaluation import HeldOut
from models.gan_training import GanSettings
from models.inpainting_training import InpaintingSettings
from models.material import TrainingSettings
from models.schedules import Schedule

FUSION_GUIDE: Final = "examples/training.toml"
INPAINTING_GUIDE: Final = "examples/inpainting-training.toml"
GAN_GUIDE: Final = "examples/gan-training.toml"
"""The commented files that list every key."""
STRICT: Final = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


@dataclass(frozen=True, slots=True)
class AnnotatedSource:
    """``[[annotated]]``: slices of one sample that a person has labelled.

    Attributes
    ----------
    images
        Folder with an image stack for each channel (``daemon.image_stacks``), e.g. ``run.output`` of a run.
    labels
        Folder of TIFF files, or a Zarr array (``daemon.annotated``).
    channels
        Names of the stacks in the order of ``training.voltages_kv``; empty: ``1kV``, ``2kV``, ….
    square_pixels
        Whether a row is as high on the face as a column is wide; then patches are turned by 90°, too.
    """

    images: Path
    labels: Path
    channels: tuple[str, ...] = ()
    square_pixels: bool = False


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class FusionPlan:
    """The file of a training of networks that segment."""

    training: TrainingSettings
    held_out: HeldOut
    annotated: tuple[AnnotatedSource, ...] = ()

    def __post_init__(self) -> None:
        voltages_kv = self.training.voltages_kv
        if not set(voltages_kv) <= set(self.held_out.voltages_kv):
            raise ValueError("held_out.voltages_kv are at least those of training.voltages_kv")
        for source in self.annotated:
            if source.channels and len(source.channels) != len(voltages_kv):
                raise ValueError("annotated.channels are as many as training.voltages_kv")


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class InpaintingPlan:
    """The file of a training of the inpainting network."""

    training: InpaintingSettings


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class GanPlan:
    """The file of a training of the generators that make Monte Carlo images."""

    training: GanSettings


Plan = TypeVar("Plan", FusionPlan, InpaintingPlan, GanPlan)


def fusion_plan(base: FusionPlan, path: Path | None) -> FusionPlan:
    """``base`` with what the file at ``path`` says in place of its own; without a file, ``base``.

    Raises
    ------
    ConfigurationError
        The file is missing or is not TOML, or a key of it is unknown, of the wrong type or impossible.
    """
    return base if path is None else _anchored(_read(base, path, FUSION_GUIDE), path.absolute().parent)


def inpainting_plan(base: InpaintingPlan, path: Path | None) -> InpaintingPlan:
    """As :func:`fusion_plan`."""
    return base if path is None else _read(base, path, INPAINTING_GUIDE)


def gan_plan(base: GanPlan, path: Path | None) -> GanPlan:
    """As :func:`fusion_plan`."""
    return base if path is None else _read(base, path, GAN_GUIDE)


def _read(base: Plan, path: Path, guide: str) -> Plan:
    table = _over(base, read_toml(path, guide))
    try:
        return TypeAdapter(type(base)).validate_json(json.dumps(table, default=_plain))
    except ValidationError as error:
        raise explained(error, path, type(base), guide) from error


def _over(base: object, table: Mapping[str, Any]) -> dict[str, Any]:
    """Every value of ``base`` by its key, with those of the file in their place, table by table."""
    values: dict[str, Any] = {field.name: getattr(base, field.name) for field in fields(cast(Any, base))}
    for key, given in table.items():
        own = values.get(key)
        # One schedule does not take over keys of another: it is given as a whole.
        inner = is_dataclass(own) and isinstance(given, dict) and not isinstance(own, Schedule)
        values[key] = _over(own, cast("dict[str, Any]", given)) if inner else given
    return values


def _plain(value: object) -> object:
    """Of what JSON does not know; what it is, the type of its key decides."""
    return asdict(cast(Any, value)) if is_dataclass(value) else str(value)


def _anchored(plan: FusionPlan, base: Path) -> FusionPlan:
    """Paths relative to the file; networks to start from are looked for beside it, then in slicewatch."""
    training = plan.training
    if training.start_from and (base / training.start_from).is_dir():
        training = replace(training, start_from=str(base / training.start_from))
    annotated = tuple(
        replace(source, images=base / source.images, labels=base / source.labels) for source in plan.annotated
    )
    return replace(plan, training=training, annotated=annotated)
