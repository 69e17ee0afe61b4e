"""From the first images to a configuration table, and to words about what was found and what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from algorithms.calibration_bars import Bar
from algorithms.calibration_motion import Angle
from algorithms.calibration_region import Region, sample_region
from daemon.calibrate.first_images import ChannelKey, Series
from daemon.calibrate.marks import Fiducial, Ruler, find_fiducials, find_ruler, largest_shift_px, views_of
from daemon.config import Configuration, parse
from daemon.errors import ConfigurationError
from daemon.geometry import face_geometry
from daemon.items import Frame
from daemon.project import read_project

_MARGIN_PX: Final = 8
_TILT_DEG: Final = 52.0
_USUAL_TARGET_NM: Final = 10.0
_NAMED: Final = 3
"""Files that are named in one line; of more, only how many."""


@dataclass(frozen=True, slots=True)
class Lack:
    """What could not be found, why, and what a person can do about it."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A configuration ``table``, the marks behind it, and words: what was ``found``, what ``lacks``."""

    first: Frame
    table: Mapping[str, Any]
    fiducials: tuple[Fiducial, ...]
    ruler: Ruler | None
    roi: Region | None
    found: tuple[str, ...]
    lacks: tuple[Lack, ...]


def propose(
    folder: Path,
    output: Path,
    channels: Mapping[ChannelKey, Series],
    reference_kv: float | None,
    target_nm: float | None,
    unreadable: Sequence[Path] = (),
) -> Proposal:
    """Look for marks in the first images and put what is found into a configuration.

    ``reference_kv`` None: the middle voltage. ``target_nm`` None: as the project says, else 10 nm.
    ``unreadable`` are files of the first slices that gave no image: a person is told.

    Raises
    ------
    ConfigurationError
        No channel has the reference voltage, or the pixel size is not known.
    """
    key = _reference(channels, reference_kv, folder)
    target, said = _target(folder, target_nm)
    series = channels[key]
    first = next(iter(series.values()))
    table: dict[str, Any] = {
        "run": {"folder": str(folder.absolute()), "output": str(output.absolute())},
        "channels": _channel_tables(tuple(channels), key),
        "geometry": {"tilt_deg": _tilt_deg(first), "target_thickness_nm": target},
    }
    geometry = face_geometry(_configuration(table, folder), first)
    views = views_of(series)
    fiducials = find_fiducials(views, geometry.recession_px_per_nm * target)
    ruler = find_ruler(views, fiducials, geometry, target)
    margin = _MARGIN_PX + round(largest_shift_px(views.images, fiducials))
    roi = sample_region(first.image, ruler.bars, margin) if ruler is not None else None
    if roi is not None:
        table["geometry"]["roi"] = {"x": roi.x, "y": roi.y, "width": roi.width, "height": roi.height}
    table["fiducials"] = [_fiducial_table(fiducial, margin) for fiducial in fiducials]
    if ruler is not None:
        table["ruler"] = _ruler_table(ruler, geometry.pixel_x_nm)
    found = (_channels_words(channels, key), said, *_found_words(fiducials, ruler, roi, target))
    lacks = (*_unreadable(unreadable), *_lacks(fiducials, ruler, roi, views.bars[0], len(series)))
    return Proposal(first, table, fiducials, ruler, roi, found, lacks)


def _reference(channels: Mapping[ChannelKey, Series], wanted_kv: float | None, folder: Path) -> ChannelKey:
    keys = tuple(channels)
    if wanted_kv is None:
        return keys[len(keys) // 2] if len(keys) % 2 else keys[len(keys) // 2 - 1]
    for key in keys:
        if abs(key.voltage_kv - wanted_kv) <= 0.02 * wanted_kv:
            return key
    known = ", ".join(f"{key.voltage_kv:g}" for key in keys)
    raise ConfigurationError(
        f"no image was taken at {wanted_kv:g} kV",
        where=str(folder),
        remedy=f"The first images are of {known} kV: give one of these to --reference.",
    )


def _target(folder: Path, given_nm: float | None) -> tuple[float, str]:
    """The target thickness and where it comes from."""
    if given_nm is not None:
        return given_nm, f"target thickness {given_nm:g} nm, as given"
    project = read_project(folder)
    told = next((t.target_nm for t in project.thickness.values() if t.target_nm), project.z_spacing_nm)
    if told is not None:
        return round(told, 3), f"target thickness {told:g} nm, from the project's files"
    return _USUAL_TARGET_NM, f"target thickness {_USUAL_TARGET_NM:g} nm ASSUMED: give --target-thickness"


def _tilt_deg(frame: Frame) -> float:
    """The stage's tilt where the metadata gives a believable one, else the usual 52°."""
    tilt = frame.metadata.tilt_deg
    return round(tilt, 1) if tilt is not None and 20.0 <= tilt <= 80.0 else _TILT_DEG


def _configuration(table: dict[str, Any], folder: Path) -> Configuration:
    return parse(table, where=folder / "proposal")


def _channel_tables(keys: tuple[ChannelKey, ...], reference: ChannelKey) -> list[dict[str, Any]]:
    """The detector is named only where it is needed to tell two images of one voltage apart."""
    tables: list[dict[str, Any]] = []
    for key in keys:
        twins = sum(other.voltage_kv == key.voltage_kv for other in keys) > 1
        name = f"{key.voltage_kv:g}kV" + (f"-{key.detector}" if twins else "")
        table: dict[str, Any] = {"name": name, "voltage_kv": key.voltage_kv}
        table |= {"detector": key.detector} if twins else {}
        tables.append(table | ({"reference": True} if key == reference else {}))
    return tables


def _fiducial_table(fiducial: Fiducial, margin_px: int) -> dict[str, Any]:
    region = fiducial.region
    return {
        "x": region.x_px,
        "y": region.y_px,
        "width": region.width_px,
        "height": region.height_px,
        "search_px": max(region.search_px, 2 * margin_px),
        "on": "surface" if region.surface else "face",
    }


def _ruler_table(ruler: Ruler, pixel_nm: float) -> dict[str, Any]:
    bars = ruler.bars
    return {
        "angle_deg": round(ruler.angle.degrees, 2),
        "mark_width_nm": round(sum(bar.width_px for bar in bars) / len(bars) * pixel_nm, 1),
        "polarity": "bright" if bars[0].contrast > 0.0 else "dark",
        "marks": [
            {
                "kind": "inclined" if direction else "parallel",
                "x": round(bar.x_px, 1),
                "y": round(bar.y0_px),
                "height": round(bar.y1_px - bar.y0_px),
                "direction": direction,
            }
            for bar, direction in zip(bars, ruler.travel.directions, strict=True)
        ],
    }


def _channels_words(channels: Mapping[ChannelKey, Series], reference: ChannelKey) -> str:
    names = ", ".join(f"{key.voltage_kv:g} kV {key.detector}".strip() for key in channels)
    seen = sorted({number for series in channels.values() for number in series})
    gap = "" if seen[-1] - seen[0] < len(seen) else f" of {seen[0]} to {seen[-1]}"
    return f"channels: {names} in {len(seen)}{gap} slices; reference {reference.voltage_kv:g} kV"


def _unreadable(files: Sequence[Path]) -> tuple[Lack, ...]:
    if not files:
        return ()
    names = ", ".join(f"{file.parent.name}/{file.name}" for file in files[:_NAMED])
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return (
        Lack(
            f"{len(files)} of the first files cannot be read: {names}{more}",
            "The proposal rests on the others. Look at these files; a run quarantines them.",
        ),
    )


def _found_words(
    fiducials: tuple[Fiducial, ...], ruler: Ruler | None, roi: Region | None, target_nm: float
) -> tuple[str, ...]:
    words = [
        f"fiducial on the {'unmilled surface' if f.region.surface else 'face'} at "
        f"x {f.cross.x_px:.0f}, y {f.cross.y_px:.0f} (likeness to a cross {f.cross.likeness:.2f})"
        for f in fiducials
    ]
    if ruler is not None:
        signs = {0: "stays", 1: "moves right", -1: "moves left"}
        marks = ", ".join(
            f"x {b.x_px:.0f} {signs[d]}" for b, d in zip(ruler.bars, ruler.travel.directions, strict=True)
        )
        words.append(f"ruler of {len(ruler.bars)} marks: {marks}")
        words.append(_angle_words(ruler.angle, target_nm))
    if roi is not None:
        words.append(f"region of interest {roi.width}×{roi.height} px at x {roi.x}, y {roi.y}")
    return tuple(words)


def _angle_words(angle: Angle, target_nm: float) -> str:
    error = f"± {angle.sigma_deg:.1f}°"
    return {
        "assumed": f"angle 45° ASSUMED: the marks' travel agrees with it ({error}, the milling's scatter)",
        "target": f"angle {angle.degrees:.1f}° {error}, so that the mean slice has {target_nm:g} nm: "
        "EVERY thickness scales with it; correct ruler.angle_deg if the design is known",
        "recession": f"angle {angle.degrees:.1f}° {error}, measured against the face's recession",
    }[angle.source]


def _lacks(
    fiducials: tuple[Fiducial, ...],
    ruler: Ruler | None,
    roi: Region | None,
    bars: tuple[Bar, ...],
    slices: int,
) -> tuple[Lack, ...]:
    lacks: list[Lack] = []
    if not fiducials:
        lacks.append(
            Lack(
                "no fiducial: no upright cross is seen at one place in most of the first images",
                "Draw [[fiducials]] by hand around anything unmilled with edges along x and y; without one "
                "the face itself is used, with a larger error.",
            )
        )
    if ruler is None:
        lacks.append(_ruler_lack(bars, slices))
    if roi is None:
        lacks.append(
            Lack(
                "no region of interest: nothing rougher than the layer was recognised below a ruler",
                "Set geometry.roi by hand; until then the whole image becomes the volume.",
            )
        )
    return tuple(lacks)


def _ruler_lack(bars: tuple[Bar, ...], slices: int) -> Lack:
    if not bars:
        return Lack(
            "no ruler: no two upright bars of equal width stand on common rows",
            "Draw [ruler] by hand if there is one; without a ruler thickness is assumed, not measured.",
        )
    if slices < 4:
        return Lack(
            f"no ruler: {len(bars)} bars are there, but {slices} slices do not show which of them move",
            "Calibrate again when more slices are there, or write [ruler] by hand.",
        )
    return Lack(
        f"no ruler: {len(bars)} bars are there, but they do not move as inclined and parallel marks do",
        "Look at the picture; write [ruler] by hand if these are the marks.",
    )
