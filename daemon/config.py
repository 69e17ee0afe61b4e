"""The configuration (DESIGN §6): every key, its unit and its default; read from TOML and the environment.

``load`` is the only way in. Unknown keys are refused with the nearest known name. An environment variable
``SLICEWATCH_<TABLE>__<KEY>`` (for example ``SLICEWATCH_PUBLISH__EVENTS``) overrides the file.
Relative paths are relative to the configuration file.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from daemon.errors import ConfigurationError

DEFAULT_FILE_PATTERN = r"(?:SliceImage - |_s)(?P<slice>\d+)\.tiff?$"


class Section(BaseModel):
    """A table of the configuration: frozen, no unknown keys, no coercion surprises."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class RunSection(Section):
    """What to watch and where to write."""

    folder: Path
    output: Path
    file_pattern: str = DEFAULT_FILE_PATTERN
    expected_slices: int = Field(default=0, ge=0)
    observer: Literal["auto", "native", "polling", "off"] = "auto"
    scan_interval_s: float = Field(default=1.0, gt=0.0)
    missing_after_s: float = Field(default=0.0, ge=0.0)
    stalled_after_s: float = Field(default=120.0, gt=0.0)
    quiet_after_s: float = Field(default=0.0, ge=0.0)
    sentinel: str = ""

    @field_validator("file_pattern")
    @classmethod
    def names_a_slice(cls, pattern: str) -> str:
        """Refuse a pattern that is no regular expression or has no group ``slice``."""
        try:
            groups = re.compile(pattern).groupindex
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if "slice" not in groups:
            raise ValueError("needs the named group (?P<slice>\\d+)")
        return pattern


class ChannelSection(Section):
    """One image of every slice, recognised by its metadata; the order is the model's input order."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")
    voltage_kv: float = Field(gt=0.0, le=100.0)
    detector: str = ""
    reference: bool = False


class SidecarSection(Section):
    """What plain TIFF files cannot say themselves; ``channel_pattern`` has the named group ``channel``."""

    channel_pattern: str = ""
    pixel_size_nm: float = Field(default=0.0, ge=0.0)
    tilt_correction: bool = False


class Region(Section):
    """A rectangle in px of the reference slice; width or height 0 means all."""

    x: int = Field(default=0, ge=0)
    y: int = Field(default=0, ge=0)
    width: int = Field(default=0, ge=0)
    height: int = Field(default=0, ge=0)


class GeometrySection(Section):
    """How pixels relate to nanometres."""

    pixel_size_nm: float | Literal["metadata"] = "metadata"
    tilt_deg: float = Field(default=52.0, gt=0.0, le=90.0)
    tilt_correction: bool | Literal["metadata"] = "metadata"
    target_thickness_nm: float = Field(default=10.0, gt=0.0)
    roi: Region = Region()

    @field_validator("pixel_size_nm")
    @classmethod
    def is_positive(cls, value: float | str) -> float | str:
        """Refuse a pixel size that is no length."""
        if isinstance(value, float) and not 0.0 < value < 1e5:
            raise ValueError("a pixel size is a positive length in nm, or 'metadata'")
        return value


class FiducialSection(Section):
    """A mark to register on, px in the first slice; ``on`` says whether the mill removes it."""

    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(ge=8)
    height: int = Field(ge=8)
    search_px: int = Field(default=64, ge=1)
    on: Literal["face", "surface"] = "face"


class MarkSection(Section):
    """One ruler mark: centre x and top y in px of the first slice, and which way it travels with depth."""

    kind: Literal["parallel", "inclined"]
    x: float = Field(ge=0.0)
    y: int = Field(ge=0)
    height: int = Field(ge=1)
    direction: Literal[-1, 0, 1] = 0

    @model_validator(mode="after")
    def direction_fits_kind(self) -> MarkSection:
        """An inclined mark travels, a parallel one does not."""
        if (self.kind == "inclined") != (self.direction != 0):
            raise ValueError("an inclined mark has direction 1 or -1, a parallel mark 0")
        return self


class RulerSection(Section):
    """The ruler in the protective layer."""

    angle_deg: float = Field(default=45.0, gt=0.0, lt=90.0)
    mark_width_nm: float = Field(default=100.0, gt=0.0)
    polarity: Literal["bright", "dark"] = "bright"
    marks: tuple[MarkSection, ...] = ()

    @model_validator(mode="after")
    def has_both_kinds(self) -> RulerSection:
        """Depth needs an inclined mark and a parallel one to compare it with."""
        kinds = {mark.kind for mark in self.marks}
        if kinds != {"parallel", "inclined"}:
            raise ValueError("needs at least one inclined and one parallel mark")
        return self


class SegmentationSection(Section):
    """The network and where it runs; an empty ``model`` picks the shipped one that fits the channels."""

    model: str = ""
    providers: tuple[str, ...] = Field(
        default=("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"), min_length=1
    )
    allow_cpu_fallback: bool = True
    threads: int = Field(default=0, ge=0)


class VolumeSection(Section):
    """The isotropic volume."""

    grid_nm: float = Field(default=2.5, ge=0.1, le=1000.0)
    interpolation: Literal["nearest", "cubic"] = "cubic"
    metric_lags: int = Field(default=100, ge=4, le=1000)
    store_probabilities: bool = False
    store_images: bool = False


class DriftSection(Section):
    """When to say that the milling has drifted."""

    warmup_slices: int = Field(default=20, ge=5)
    shift_sigma: float = Field(default=1.0, gt=0.0)
    false_alarm_slices: float = Field(default=5000.0, ge=50.0)
    limits_nm: tuple[float, float] = (2.0, 25.0)

    @field_validator("limits_nm")
    @classmethod
    def in_order(cls, limits: tuple[float, float]) -> tuple[float, float]:
        """Lower before upper."""
        if not 0.0 <= limits[0] < limits[1]:
            raise ValueError("lower limit, then upper limit, both ≥ 0 nm")
        return limits


class FileAction(Section):
    """Write a sentinel file that the microscope's script watches."""

    kind: Literal["file"]
    path: Path


class AbortSection(Section):
    """What an alarm of drifting thickness may do; unarmed it only tells."""

    armed: bool = False
    actions: tuple[FileAction, ...] = ()


class PublishSection(Section):
    """ZeroMQ endpoints; loopback only, until CURVE keys are configured."""

    events: str = "tcp://127.0.0.1:5555"
    control: str = "tcp://127.0.0.1:5556"
    curve_keys: str = ""


class MonitorSection(Section):
    """Where the dashboard listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8050, ge=0, le=65535)


class Configuration(Section):
    """The whole of ``config.toml``."""

    run: RunSection
    channels: tuple[ChannelSection, ...] = Field(min_length=1)
    sidecar: SidecarSection = SidecarSection()
    geometry: GeometrySection = GeometrySection()
    fiducials: tuple[FiducialSection, ...] = ()
    ruler: RulerSection | None = None
    segmentation: SegmentationSection = SegmentationSection()
    volume: VolumeSection = VolumeSection()
    drift: DriftSection = DriftSection()
    abort: AbortSection = AbortSection()
    publish: PublishSection = PublishSection()
    monitor: MonitorSection = MonitorSection()

    @model_validator(mode="after")
    def channels_are_distinct(self) -> Configuration:
        """Distinct names, and exactly one reference (the only channel is it without being told)."""
        names = [channel.name for channel in self.channels]
        if len(set(names)) != len(names):
            raise ValueError(f"channel names repeat: {names}")
        references = sum(channel.reference for channel in self.channels)
        if references != 1 and len(self.channels) > 1:
            raise ValueError(f"exactly one channel has reference = true; {references} have")
        return self

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Channel names in the model's input order."""
        return tuple(channel.name for channel in self.channels)

    @property
    def reference_channel(self) -> str:
        """The channel that the others are registered to."""
        return next((c.name for c in self.channels if c.reference), self.channels[0].name)


def load(path: Path) -> Configuration:
    """Read, override from the environment, resolve paths, and check a configuration file.

    Raises
    ------
    ConfigurationError
        The file is missing, is not TOML, or a key is unknown or out of range.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the configuration cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="Give the path of a configuration file; config.toml in the repository is a commented one.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the configuration is not TOML: {error}", where=str(path), remedy="Correct that line."
        ) from error
    return parse(_overridden(table, os.environ), where=path)


def parse(table: dict[str, Any], *, where: Path) -> Configuration:
    """Check a configuration table; paths become relative to the folder of ``where``.

    Raises
    ------
    ConfigurationError
        A key is unknown or a value out of range.
    """
    try:
        configuration = Configuration.model_validate(table)
    except ValidationError as error:
        raise _explained(error, where) from error
    return _anchored(configuration, where.absolute().parent)


def as_toml_table(configuration: Configuration) -> dict[str, Any]:
    """The configuration as plain values, every key present, for the journal and for reports."""
    return configuration.model_dump(mode="json", exclude_none=True)


def _overridden(table: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Apply ``SLICEWATCH_TABLE__KEY=value``; the value is read as TOML, else taken as text."""
    for name, text in environment.items():
        parts = name.removeprefix("SLICEWATCH_").lower().split("__")
        if not name.startswith("SLICEWATCH_") or len(parts) != 2:
            continue
        try:
            value: Any = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        section = table.setdefault(parts[0], {})
        if isinstance(section, dict):
            section[parts[1]] = value
    return table


def _anchored(configuration: Configuration, base: Path) -> Configuration:
    run = configuration.run
    actions = tuple(
        action.model_copy(update={"path": base / action.path}) for action in configuration.abort.actions
    )
    return configuration.model_copy(
        update={
            "run": run.model_copy(update={"folder": base / run.folder, "output": base / run.output}),
            "abort": configuration.abort.model_copy(update={"actions": actions}),
            "segmentation": configuration.segmentation.model_copy(
                update={"model": _model_path(configuration.segmentation.model, base)}
            ),
        }
    )


def _model_path(model: str, base: Path) -> str:
    """A path that exists beside the configuration wins; else it is looked up in the installation."""
    return str(base / model) if model and (base / model).exists() else model


def _explained(error: ValidationError, where: Path) -> ConfigurationError:
    """One complaint, an unknown key first: a misspelt key is also why another one is missing."""
    complaints = error.errors()
    first = next((c for c in complaints if c["type"] == "extra_forbidden"), complaints[0])
    location = ".".join(str(part) for part in first["loc"]) or "the whole file"
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        near = difflib.get_close_matches(name, _keys_beside(first["loc"]), n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else "Remove it; config.toml lists every key."
        return ConfigurationError(f"unknown key {name!r}", where=f"{where}: {location}", remedy=remedy)
    given = first.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return ConfigurationError(
        f"{first['msg']}{shown}",
        where=f"{where}: {location}",
        remedy="Correct the value; config.toml explains every key.",
    )


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """Names of the keys that are known where an unknown one was found."""
    model: type[BaseModel] = Configuration
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        model = next((m for m in _models_in(annotation)), model)
    return list(model.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    arguments = getattr(annotation, "__args__", ())
    return [model for argument in arguments for model in _models_in(argument)]
