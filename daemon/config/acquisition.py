"""Tables that say what is acquired: folder, channels, geometry, fiducials, ruler."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from daemon.config.section import Section

DEFAULT_FILE_PATTERN = r"(?:SliceImage - |_s)(?P<slice>\d+)\.tiff?$"


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
    look_ahead: bool = True

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
    """One image of every slice, recognised by its metadata; the order is the model's input order.

    A ``voltage_kv`` of 0 and an empty ``detector`` mean any; one of them must be said.
    """

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")
    voltage_kv: float = Field(default=0.0, ge=0.0, le=100.0)
    detector: str = ""
    reference: bool = False

    @model_validator(mode="after")
    def is_recognisable(self) -> ChannelSection:
        """An image of any voltage and any detector could be of every channel."""
        if not self.voltage_kv and not self.detector:
            raise ValueError("needs voltage_kv, or detector, to tell its images from others")
        return self


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
    """One ruler mark: centre x and top y in px of the first slice, and which way it travels with depth.

    A mark that others hand over to begins deeper: ``x`` is where it is then, in the frame of the first slice.
    """

    kind: Literal["parallel", "inclined"]
    x: float = Field(ge=0.0)
    y: int = Field(ge=0)
    height: int = Field(ge=1)
    direction: Literal[-1, 0, 1] = 0
    begins_nm: float = Field(default=0.0, ge=0.0)
    ends_nm: float = Field(default=0.0, ge=0.0)

    @model_validator(mode="after")
    def direction_fits_kind(self) -> MarkSection:
        """An inclined mark travels, a parallel one does not."""
        if (self.kind == "inclined") != (self.direction != 0):
            raise ValueError("an inclined mark has direction 1 or -1, a parallel mark 0")
        return self

    @model_validator(mode="after")
    def ends_below_its_beginning(self) -> MarkSection:
        """A mark that ends does so deeper than it begins."""
        if 0.0 < self.ends_nm <= self.begins_nm:
            raise ValueError("begins_nm, then ends_nm, deeper; 0: there to the end of the run")
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
        kinds = {mark.kind for mark in self.marks if mark.begins_nm == 0.0}
        if kinds != {"parallel", "inclined"}:
            raise ValueError("needs at least one inclined and one parallel mark in the first slice")
        return self
