"""The line of figures beside each panel's title: the latest values, with their units."""

from __future__ import annotations

import math
import statistics

from daemon.items import Status
from daemon.monitor.units import UNKNOWN, length, number, with_sigma
from daemon.view import RunView


def thickness_readout(view: RunView) -> str:
    """Latest thickness ± σ, mean and standard deviation of the run, depth reached."""
    told = [m for _, m in sorted(view.thickness.items()) if math.isfinite(m.thickness_nm)]
    if not told:
        return UNKNOWN
    values = [m.thickness_nm for m in told]
    spread = f", σ {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    last = with_sigma(told[-1].thickness_nm, told[-1].thickness_sigma_nm, "nm")
    mean = f"{statistics.fmean(values):.2f}{spread} nm"
    return f"last {last}  ·  mean {mean}  ·  depth {length(told[-1].depth_nm)}"


def drift_readout(view: RunView) -> str:
    """The latest verdict in its own words."""
    if not view.drift:
        return UNKNOWN
    last = view.drift[max(view.drift)]
    return f"{last.verdict or UNKNOWN}  ·  threshold {number(last.threshold, 2)}"


def metrics_readout(view: RunView) -> str:
    """Latest anisotropies and solid fraction."""
    if not view.metrics:
        return UNKNOWN
    last = view.metrics[max(view.metrics)]
    figures = (
        ("e_TPCF", last.e_tpcf),
        ("e_LPF", last.e_lpf),
        ("e_D", last.e_d),
        ("solid", last.solid_fraction),
    )
    return "  ·  ".join(f"{name} {number(value)}" for name, value in figures)


def slice_readout(view: RunView) -> str:
    """Index of the slice shown, and whether its segmentation may still change."""
    if view.preview is None:
        return ""
    settled = "final" if view.preview.status is Status.FINAL else "provisional"
    return f"slice {view.preview.index}  ·  segmentation {settled}"


def volume_readout(view: RunView) -> str:
    """Extent of the volume, its voxel, and whether it is large enough to speak for the material."""
    if view.planes is None:
        return ""
    voxel_nm = view.planes.grid_nm
    z, y, x = (length(count * voxel_nm) for count in view.planes.shape)
    enough = view.metrics[max(view.metrics)].representative.partition(":")[0] if view.metrics else ""
    return f"{x} × {y} × {z}  ·  voxel {length(voxel_nm)}  ·  representative: {enough or UNKNOWN}"
