"""The line of figures beside each panel's title: the latest values, with their units."""

from __future__ import annotations

import math
import statistics

from daemon.items import Status
from daemon.monitor.look import has_images
from daemon.monitor.registration_charts import registered
from daemon.monitor.thickness_charts import gamma_fit, measured, usual_thicknesses
from daemon.monitor.units import UNKNOWN, length, lengths, number, with_sigma
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


def histogram_readout(view: RunView) -> str:
    """The gamma distribution that fits the thicknesses."""
    fit = gamma_fit(view)
    if fit is None:
        return "too few slices for a fit"
    shape = f"shape {fit.shape:.1f} ± {fit.shape_sigma:.1f}"
    outside = len(measured(view)) - len(usual_thicknesses(view))
    beyond = f"  ·  {outside} slices outside" if outside else ""
    return f"gamma: {shape}  ·  scale {fit.scale_nm:.2f} ± {fit.scale_sigma_nm:.2f} nm{beyond}"


def registration_readout(view: RunView) -> str:
    """How well the newest slice was registered, and on what."""
    told = registered(view)
    if not told:
        return UNKNOWN
    placed = told[-1].channels.values()
    sources = ", ".join(sorted({one.source for one in placed}))
    sigma = max(one.sigma_px for one in placed)
    return f"on {sources}  ·  poorest quality {min(one.quality for one in placed):.3f}  ·  σ {sigma:.3f} px"


def solid_readout(view: RunView) -> str:
    """The newest solid fraction and ligament diameter, with their errors."""
    if not view.metrics:
        return UNKNOWN
    last = view.metrics[max(view.metrics)]
    fraction = with_sigma(last.solid_fraction, last.solid_fraction_sigma, "", 4).strip()
    return f"{fraction}  ·  ligaments {with_sigma(last.ligament_nm, last.ligament_sigma_nm, 'nm', 1)}"


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


def slice_readout(view: RunView, index: int | None, *, follows: bool) -> str:
    """Which slice is shown, and whether its segmentation may still change."""
    if index is None:
        return ""
    told = view.slices.get(index)
    if told is not None and told.status is Status.GAP:
        return f"slice {index}  ·  a gap{f': {told.reason}' if told.reason else ''}"
    if not has_images(view, index):
        return f"slice {index}  ·  none of this run"
    status = told.status if told else view.preview.status if view.preview else Status.PROVISIONAL
    settled = "final" if status is Status.FINAL else "provisional"
    return f"{'newest, ' if follows else ''}slice {index}  ·  segmentation {settled}"


def volume_readout(view: RunView) -> str:
    """Extent of the volume, its voxel, and whether it is large enough to speak for the material."""
    if view.planes is None:
        return ""
    voxel_nm = view.planes.grid_nm
    z, y, x = (count * voxel_nm for count in view.planes.shape)
    enough = view.metrics[max(view.metrics)].representative.partition(":")[0] if view.metrics else ""
    extent = lengths(x, y, z)
    return f"{extent}  ·  representative: {enough or UNKNOWN}  ·  voxel {length(voxel_nm)}"
