"""The tables of a run (**contract**, DESIGN §4): ``slices.csv``, ``metrics.csv``, ``ligaments.csv``,
``summary.json``.

An unknown number is an empty field, never 0. ``daemon.run_tables`` writes them.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from daemon.volume_store import write_atomically

SLICE_COLUMNS: Final = (
    "slice",
    "status",
    "reason",
    "depth_nm",
    "depth_sigma_nm",
    "thickness_nm",
    "thickness_sigma_nm",
    "thickness_source",
    "z_plane",
)
CHANNEL_COLUMNS: Final = ("shift_y_px", "shift_x_px", "quality")
EXTRA_COLUMNS: Final = (
    "asv_thickness_nm",
    "similarity_thickness_nm",
    "mean_of_slices",
    "z_score",
    "outlier",
    "taper_nm",
    "taper_sigma_nm",
    "shift_source",
    "notes",
    "displacement_nm",
)
DOMAIN_COLUMNS: Final = ("domain_distance", "domain_limit")
"""Of every channel, too."""
METRIC_COLUMNS: Final = (
    "plane",
    "solid_fraction",
    "e_tpcf",
    "e_lpf",
    "e_d",
    "d_xy_nm",
    "d_xz_nm",
    "d_yz_nm",
    "kind",
    "solid_fraction_sigma",
    "e_tpcf_sigma",
    "e_lpf_sigma",
    "e_d_sigma",
    "ligament_nm",
    "ligament_sigma_nm",
    "local_thickness_nm",
    "surface_per_um",
    "euler_per_um3",
    "largest_share",
    "chord_x_nm",
    "chord_y_nm",
    "chord_z_nm",
    "representative",
    "patches",
    "patch_solid_fraction",
    "patch_solid_fraction_low",
    "patch_solid_fraction_high",
    "patch_e_tpcf",
    "patch_e_tpcf_low",
    "patch_e_tpcf_high",
    "patch_e_lpf",
    "patch_e_lpf_low",
    "patch_e_lpf_high",
    "patch_e_d",
    "patch_e_d_low",
    "patch_e_d_high",
    "band_sigmas",
    "phase_fractions",
)
LIGAMENT_COLUMNS: Final = ("diameter_nm", "share_of_solid")


def slice_columns(channels: Sequence[str]) -> tuple[str, ...]:
    """The columns of ``slices.csv`` for these channels: the contract's first, ours after them."""
    per_channel = tuple(f"{column}_{name}" for name in channels for column in CHANNEL_COLUMNS)
    domain = tuple(f"{column}_{name}" for name in channels for column in DOMAIN_COLUMNS)
    return (*SLICE_COLUMNS, *per_channel, *EXTRA_COLUMNS, *domain)


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write ``summary.json``; unknown numbers become null.

    Raises
    ------
    StoreError
        The disk is full or read-only.
    """
    write_atomically(path, json.dumps(known(summary), indent=2) + "\n")


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of one of our tables as text; an empty list if there is none yet."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def known(value: Any) -> Any:
    """The same value with every NaN and infinity replaced by None, as JSON wants it."""
    if isinstance(value, Mapping):
        return {key: known(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [known(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
