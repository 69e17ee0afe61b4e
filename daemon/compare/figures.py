"""What two runs say of one acquisition: how they were made, thickness, registration, material, alarms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from daemon.compare.finished import Finished
from daemon.compare.lines import Line, number, said, side_by_side
from daemon.configuration_changes import FREE_KEYS

_MADE_BY: Final = ("version", "model", "model_sha256", "inpainting_sha256", "provider", "libraries")
_COUNTS: Final = ("slices", "gaps", "alarms")
_THICKNESS: Final = {
    "thickness_mean_nm": "mean of the slices",
    "thickness_sigma_nm": "their standard deviation",
    "thickness_outliers": "outliers",
}
_MATERIAL: Final = {
    "solid_fraction": "",
    "e_tpcf": "",
    "e_lpf": "",
    "e_d": "",
    "ligament_nm": "nm",
    "local_thickness_nm": "nm",
    "chord_x_nm": "nm",
    "chord_y_nm": "nm",
    "chord_z_nm": "nm",
    "surface_per_um": "1/µm",
    "euler_per_um3": "1/µm³",
    "largest_share": "",
}


def all_figures(first: Finished, second: Finished) -> Iterator[Line]:
    """Every line that tables and journals give, in the order in which people read them."""
    yield from made_by(first, second)
    for name in _COUNTS:
        yield side_by_side("run", name, number(first.summary.get(name)), number(second.summary.get(name)))
    yield from thickness(first, second)
    yield from registration(first, second)
    for name, unit in _MATERIAL.items():
        ends = number(first.metrics.get(name)), number(second.metrics.get(name))
        yield side_by_side("material", name.removesuffix("_nm"), *ends, unit)
    for kind in sorted(first.alarms.keys() | second.alarms.keys()):
        yield side_by_side("alarms", kind, first.alarms[kind], second.alarms[kind])


def made_by(first: Finished, second: Finished) -> Iterator[Line]:
    """Network, libraries and settings, as far as they differ."""
    for name in _MADE_BY:
        ends = first.summary.get(name), second.summary.get(name)
        if ends[0] != ends[1]:
            yield said("made by", name, *ends)
    before, after = _settings(first.configuration), _settings(second.configuration)
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield said("settings", key, before.get(key, "–"), after.get(key, "–"))


def thickness(first: Finished, second: Finished) -> Iterator[Line]:
    """Distributions, and differences slice by slice where both measured."""
    for name, about in _THICKNESS.items():
        unit = "nm" if name.endswith("_nm") else ""
        ends = number(first.summary.get(name)), number(second.summary.get(name))
        yield side_by_side("thickness", about, *ends, unit)
    yield from _by_slice(first, second, "thickness", "thickness_nm", "nm")
    yield from _by_slice(first, second, "thickness", "depth_nm", "nm")


def registration(first: Finished, second: Finished) -> Iterator[Line]:
    """Shifts of the channels that both have, slice by slice, and how well each was found."""
    common = _common(first, second)
    for name in first.channels:
        if name not in second.channels:
            continue
        for axis in "yx":
            column = f"shift_{axis}_px_{name}"
            yield from _by_slice(first, second, "registration", column, "px")
        before, after = (_mean(run.column(f"quality_{name}", common)) for run in (first, second))
        yield side_by_side("registration", f"mean quality {name}", before, after)


def _by_slice(first: Finished, second: Finished, section: str, column: str, unit: str) -> Iterator[Line]:
    """Mean, rms and the largest of the differences over the slices where both have a value."""
    common = _common(first, second)
    apart = second.column(column, common) - first.column(column, common)
    known = np.isfinite(apart)
    if not known.any():
        return
    apart, indices = apart[known], np.array(common)[known]
    about = column.removesuffix("_nm").replace("_px", "")
    worst = int(np.argmax(np.abs(apart)))
    yield Line(section, f"{about}, mean difference", difference=float(apart.mean()), unit=unit)
    yield Line(section, f"{about}, rms difference", difference=float(np.sqrt(np.mean(apart**2))), unit=unit)
    largest = f"{about}, largest difference (slice {indices[worst]})"
    yield Line(section, largest, difference=float(apart[worst]), unit=unit)


def _common(first: Finished, second: Finished) -> list[int]:
    return sorted(first.slices.keys() & second.slices.keys())


def _mean(values: np.typing.NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _settings(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Keys that may change results, as ``table.key``; where a run lies is not among them."""
    return {
        f"{table}.{key}": value
        for table, section in configuration.items()
        for key, value in (section.items() if isinstance(section, dict) else [("", section)])
        if not {table, f"{table}.{key}"} & FREE_KEYS and f"{table}.{key}" != "run.output"
    }
