"""The summary object of a run (**contract**, DESIGN §4): what came out, without a truth to compare with."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final
from uuid import UUID

import onnxruntime

from daemon import __version__
from daemon.items import FinishReason
from daemon.operating_system import peak_rss_mib
from daemon.stages.filling import Filling
from models.session import Segmenter

TRUTH_KEYS: Final = (
    "thickness_rmse_nm",
    "registration_rmse_px",
    "mp_percent",
    "mgp_percent",
    "mean_dice",
)
_LIBRARIES: Final = ("numpy", "scipy", "scikit-image", "tifffile", "zarr", "tensorstore")
"""Numbers and files depend on these; onnxruntime's distributions have several names."""
METRIC_KEYS: Final = ("e_tpcf", "e_lpf", "e_d", "solid_fraction")
MATERIAL_KEYS: Final = (
    "solid_fraction_sigma",
    "e_tpcf_sigma",
    "e_lpf_sigma",
    "e_d_sigma",
    "ligament_nm",
    "local_thickness_nm",
    "surface_per_um",
    "euler_per_um3",
    "largest_share",
    "chord_x_nm",
    "chord_y_nm",
    "chord_z_nm",
    "representative",
    "phase_fractions",
    "patches",
    "patch_e_tpcf",
    "patch_e_lpf",
    "patch_e_d",
)


def run_summary(
    *,
    slices: int,
    gaps: int,
    alarms: int,
    reason: FinishReason,
    last_metrics: Mapping[str, Any],
    seconds: float,
    output: str,
    thickness: Mapping[str, Any],
    placement: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """The summary of a finished run; keys that need a truth are None until one is compared with."""
    return {
        "slices": slices,
        "finish_reason": str(reason),
        **dict.fromkeys(TRUTH_KEYS),
        **{key: last_metrics.get(key) for key in METRIC_KEYS},
        "seconds_per_slice": seconds / slices if slices else None,
        "peak_rss_mib": peak_rss_mib(),
        "output": output,
        "gaps": gaps,
        "alarms": alarms,
        **{key: last_metrics.get(key) for key in MATERIAL_KEYS},
        **thickness,
        **placement,
        **provenance,
    }


def provenance(run: UUID, segmenter: Segmenter, filling: Filling) -> dict[str, str]:
    """What made these results, as text."""
    return {
        "run": str(run),
        "version": __version__,
        "python": platform.python_version(),
        "libraries": ", ".join((f"onnxruntime {onnxruntime.__version__}", *_versions())),
        "model": segmenter.spec.name,
        "model_sha256": segmenter.spec.sha256,
        "inpainting_sha256": filling.sha256,
        "provider": segmenter.provider,
    }


def _versions() -> list[str]:
    return [f"{name} {version(name)}" for name in _LIBRARIES]
