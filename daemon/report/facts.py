"""What a report says in words and numbers, in the order of its page."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import numpy as np

from daemon.items import FinishReason, PlaneKind, ThicknessSource
from daemon.report.contents import Contents, Row, column
from daemon.report.phases import phase_shares
from daemon.report.placement import placement_cautions, placement_facts
from daemon.report.style import SOURCES
from daemon.thickness_figures import scored, sources_against_ruler, thickness_figures

Facts = dict[str, str]
UNKNOWN: Final = "not known"
_CPU: Final = "CPUExecutionProvider"
_TRUTHS: Final = {
    "thickness_rmse_nm": ("Thickness, RMS error", "nm"),
    "registration_rmse_px": ("Registration, RMS error", "px"),
    "mp_percent": ("Misplaced pixels of faces", "%"),
    "mgp_percent": ("Misplaced pixels of the solid", "%"),
    "mean_dice": ("Mean Dice score of faces", ""),
    "volume_mp_percent": ("Misplaced voxels of the volume", "%"),
    "volume_mean_dice": ("Mean Dice score of the volume", ""),
}


def headline(contents: Contents) -> str:
    """How the run ended."""
    reason = contents.summary.get("finish_reason")
    words = {
        FinishReason.COMPLETED: "Completed",
        FinishReason.STOPPED: "Stopped by a person; it can go on",
        FinishReason.DRIFT_ABORT: "ABORTED because the milling drifted",
        FinishReason.ERRORED: "Ended by an ERROR",
    }
    return words[FinishReason(reason)] if reason else "Not finished: this page shows the run so far"


def key_figures(contents: Contents) -> Facts:
    """The numbers one asks for first."""
    mean_nm, sigma_nm = _mean_sigma(contents)
    last: dict[str, Any] = dict(contents.metrics[-1]) if contents.metrics else {}
    return {
        "slices": str(len(contents.kept)),
        "gaps": str(len(contents.gaps)),
        "milled depth": number(_largest(contents, "depth_nm") / 1e3, "µm"),
        f"mean thickness, σ {number(sigma_nm, 'nm')}": number(mean_nm, "nm"),
        "solid fraction": number(float(last.get("solid_fraction") or np.nan), ""),
        "alarms": str(len(contents.alarms)),
    }


def cautions(contents: Contents) -> list[str]:
    """What must be known before anything on the page is used, the gravest first."""
    found = [*_assumptions(contents), *_losses(contents), *_limits(contents)]
    drifting = sorted({a["kind"] for a in contents.alarms if a["kind"].startswith("drift")})
    if drifting:
        found.insert(0, f"The milling drifted: {', '.join(drifting)} (see the alarms).")
    elif contents.alarms:
        count = len(contents.alarms)
        found.append(f"{count} alarm{'s were' if count > 1 else ' was'} raised (see below).")
    return found


def _assumptions(contents: Contents) -> list[str]:
    """Thickness that nothing has measured, and slices registered without a fiducial."""
    told = [row for row in contents.kept if row["thickness_nm"]]
    found: list[str] = []
    for source in (ThicknessSource.TARGET, ThicknessSource.ASV, ThicknessSource.SIMILARITY):
        count = sum(row["thickness_source"] == source for row in told)
        if count:
            what = (
                "ASSUMED, not measured" if source is ThicknessSource.TARGET else f"only {SOURCES[source][2]}"
            )
            found.append(
                f"The thickness of {count} of {len(told)} slices is {what}: depths, the volume's z axis and "
                "its anisotropy rest on it."
            )
    for source, words in (("face", "on the face itself"), ("lost", "NOT AT ALL: the last shift was kept")):
        count = sum(source in row.get("shift_source", "") for row in contents.kept)
        if count:
            found.append(f"{count} of {len(contents.kept)} slices were registered {words}.")
    return found


def _losses(contents: Contents) -> list[str]:
    """Slices that are missing, and files that were kept out."""
    found: list[str] = []
    if contents.gaps:
        found.append(
            f"{len(contents.gaps)} slice indices have no slice: {gap_list(contents.gaps)}. The volume is "
            "interpolated across them."
        )
    quarantined = [a for a in contents.alarms if a["kind"].startswith("file quarantined")]
    if quarantined:
        found.append(f"{len(quarantined)} image files were kept out of the volume (see the alarms).")
    return found


def _limits(contents: Contents) -> list[str]:
    """What the volume cannot tell: planes nobody has seen, and figures that are still too uncertain."""
    found = placement_cautions(contents)
    bridged = sum(row.get("kind") == PlaneKind.BRIDGED for row in contents.metrics)
    if bridged:
        found.append(f"{bridged} of {len(contents.metrics)} planes are bridged: shown, but not counted.")
    told = contents.metrics[-1].get("representative") if contents.metrics else ""
    if told and told != "yes":
        found.append(f"The volume is too small to stand for the material: {told.removeprefix('not yet: ')}.")
    return found


def gap_list(gaps: list[Row]) -> str:
    """Gaps as ranges with their reasons: ``7–9 (missing), 12 (unreadable)``."""
    if not gaps:
        return ""
    ordered = sorted((int(row["slice"]), row["reason"].partition(":")[0]) for row in gaps)
    breaks = [n for n, (a, b) in enumerate(pairwise(ordered), 1) if b != (a[0] + 1, a[1])]
    runs = [ordered[i:j] for i, j in pairwise([0, *breaks, len(ordered)])]
    return ", ".join(
        f"{run[0][0]}{f'–{run[-1][0]}' if len(run) > 1 else ''} ({run[0][1] or 'no reason given'})"
        for run in runs
    )


def slice_facts(contents: Contents) -> Facts:
    """Thickness in numbers."""
    sources = [row["thickness_source"] for row in contents.kept if row["thickness_nm"]]
    counts = {source: sources.count(source) for source in SOURCES if source in sources}
    sigma = column(contents.kept, "thickness_sigma_nm")
    depth_sigma = column(contents.kept, "depth_sigma_nm")
    return {
        "Slice indices": f"{len(contents.slices)}, of which {len(contents.gaps)} gaps",
        "Gaps": gap_list(contents.gaps) or "none",
        "Thickness from": ", ".join(f"{SOURCES[s][2]}: {n}" for s, n in counts.items()) or UNKNOWN,
        "Thickness, mean and standard deviation": _plus_minus(*_mean_sigma(contents)),
        **_distribution(contents),
        "Standard error of a thickness": number(_median(sigma), "nm (median)"),
        "Standard error of a depth": number(_median(depth_sigma), "nm (median)"),
    }


def _distribution(contents: Contents) -> Facts:
    """The gamma fit with its errors, and the outliers."""
    told = thickness_figures(contents.kept, contents.outlier_z)
    share = 100.0 * told["thickness_outliers"] / max(told["thickness_count"], 1)
    outliers = f"{told['thickness_outliers']} ({share:.0f} %) beyond {contents.outlier_z:g} σ"
    if not np.isfinite(told["thickness_gamma_shape"]):
        return {"Thickness, outliers": outliers}
    return {
        "Thickness, gamma fit": (
            f"shape {told['thickness_gamma_shape']:.3g} ± {told['thickness_gamma_shape_sigma']:.2g}, scale "
            f"{told['thickness_gamma_scale_nm']:.3g} ± {told['thickness_gamma_scale_sigma_nm']:.2g} nm"
        ),
        "Thickness, outliers": outliers,
    }


def outlier_rows(contents: Contents) -> list[tuple[str, ...]]:
    """Slices beyond the chosen z-score, the farthest first: slice, thickness, z, source."""
    beyond = [row for row in scored(contents.kept, contents.outlier_z) if row.get("outlier")]
    return [
        (
            row["slice"],
            f"{float(row['thickness_nm']):.2f} nm",
            f"{row['z_score']:+.2f} σ",
            SOURCES[row["thickness_source"]][2],
        )
        for row in sorted(beyond, key=lambda row: -abs(row["z_score"]))
    ]


def source_rows(contents: Contents) -> list[tuple[str, str, str, str]]:
    """Source, slices compared, bias and scatter against the ruler; empty where no ruler measured."""
    target_nm = float(contents.configuration["geometry"]["target_thickness_nm"])
    return [
        (SOURCES[w.source][2], str(w.slices), f"{w.bias_nm:+.2f} nm", f"{w.scatter_nm:.2f} nm")
        for w in sources_against_ruler(contents.kept, target_nm)
        if np.isfinite(w.bias_nm)
    ]


def volume_facts(contents: Contents) -> Facts:
    """The volume in numbers."""
    z, y, x = contents.shape
    grid = contents.grid_nm
    facts = {
        "Voxels (z, y, x)": f"{z} × {y} × {x}",
        "Voxel": f"{grid:g} nm, isotropic",
        "Extent (z, y, x)": f"{z * grid / 1e3:.3f} × {y * grid / 1e3:.3f} × {x * grid / 1e3:.3f} µm",
        "Interpolation between slices": contents.configuration["volume"]["interpolation"],
        **placement_facts(contents),
    }
    if contents.face_pixel_nm:
        facts["Pixel on the face (y, x)"] = (
            " × ".join(f"{size:.3g}" for size in contents.face_pixel_nm) + " nm"
        )
    return facts


def anisotropy_rows(contents: Contents) -> list[tuple[str, ...]]:
    """This volume with its standard errors; below it the emulator's truth on the same grid, if known."""
    last = contents.metrics[-1] if contents.metrics else {}
    names = ("solid_fraction", "e_tpcf", "e_lpf", "e_d")
    rows = [("this volume", *(_with_sigma(last, name, "") for name in names))]
    truths = [_float(contents.summary.get(f"true_{name}")) for name in names]
    if np.isfinite(truths).any():
        rows.append(("true structure, on the same grid", *(number(truth, "") for truth in truths)))
    return rows


def structure_facts(contents: Contents) -> Facts:
    """Sizes and connectivity of the solid."""
    last = contents.metrics[-1] if contents.metrics else {}
    return {
        "Ligament diameter, in three dimensions": _with_sigma(last, "ligament", "nm"),
        "Mean local thickness on faces": _with_sigma(last, "local_thickness_nm", "nm"),
        "Surface per volume": _with_sigma(last, "surface_per_um", "1/µm"),
        "Euler number per volume": _with_sigma(last, "euler_per_um3", "1/µm³"),
        "Share of the solid in the largest piece": _with_sigma(last, "largest_share", ""),
        **phase_shares(last),
        "Large enough to stand for the material": last.get("representative") or UNKNOWN,
    }


def truth_facts(contents: Contents) -> Facts:
    """Errors against the truth of an emulated run; empty for a real one."""
    return {
        label: number(_float(contents.summary[key]), unit)
        for key, (label, unit) in _TRUTHS.items()
        if contents.summary.get(key) is not None
    }


def provenance(contents: Contents) -> Facts:
    """What made these results."""
    names = {
        "version": "slicewatch",
        "python": "Python",
        "libraries": "Libraries",
        "run": "Run",
        "model": "Network",
        "model_sha256": "Network's sha256",
        "error": "Ended by",
        "provider": "Ran on",
        "seconds_per_slice": "Seconds per slice",
        "peak_rss_mib": "Peak memory (MiB)",
    }
    told = {label: contents.summary.get(key) for key, label in names.items()}
    wanted = contents.configuration["segmentation"]["providers"][0]
    if told["Ran on"] == _CPU and wanted != _CPU:
        told["Ran on"] = f"{_CPU}; {wanted} was asked for in vain"
    return {
        label: f"{value:.4g}" if isinstance(value, float) else str(value)
        for label, value in told.items()
        if value is not None
    }


def number(value: float, unit: str) -> str:
    """Three significant digits with a unit."""
    return f"{value:.3g} {unit}".strip() if np.isfinite(value) else UNKNOWN


def _with_sigma(row: Row, name: str, unit: str) -> str:
    """A figure with its standard error where the table has one; ``ligament`` is ``ligament_nm`` there."""
    value = row.get(name) or row.get(f"{name}_{unit}")
    sigma = row.get(f"{name}_sigma") or row.get(f"{name}_sigma_{unit}")
    if not value:
        return UNKNOWN
    error = f" ± {float(sigma):.2g}" if sigma else ""
    return f"{float(value):.3g}{error} {unit}".strip()


def _mean_sigma(contents: Contents) -> tuple[float, float]:
    """Mean and σ of a slice, nm; what was only assumed tells nothing of the milling."""
    told = thickness_figures(contents.kept, contents.outlier_z)
    assumed = told["thickness_from"] == ThicknessSource.TARGET
    return (np.nan if assumed else told["thickness_mean_nm"]), told["thickness_sigma_nm"]


def _plus_minus(mean_nm: float, sigma_nm: float) -> str:
    return f"{mean_nm:.2f} ± {sigma_nm:.2f} nm" if np.isfinite(mean_nm) else UNKNOWN


def _largest(contents: Contents, name: str) -> float:
    values = column(contents.kept, name)
    return float(np.nanmax(values)) if np.isfinite(values).any() else np.nan


def _median(values: np.ndarray[Any, Any]) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else np.nan


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else np.nan
