"""Tables that say what is made of the images: segmentation, volume, the verdict on the milling."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from daemon.config.section import Section
from models.spec import Denoise


class SegmentationSection(Section):
    """The network and where it runs; an empty ``model`` picks the shipped one that fits the channels."""

    model: str = ""
    providers: tuple[str, ...] = Field(
        default=("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"), min_length=1
    )
    allow_cpu_fallback: bool = True
    threads: int = Field(default=0, ge=0)
    denoise: Denoise = "none"


class VolumeSection(Section):
    """The isotropic volume; an empty ``inpainting_model`` is the shipped one."""

    grid_nm: float = Field(default=2.5, ge=0.1, le=1000.0)
    interpolation: Literal["nearest", "cubic", "inpaint"] = "cubic"
    inpainting_model: str = ""
    metric_lags: int = Field(default=100, ge=4, le=1000)
    metric_patch_px: int = Field(default=256, ge=0, le=8192, multiple_of=64)
    store_probabilities: bool = False
    store_images: bool = False


class DriftSection(Section):
    """When to say that the milling has drifted."""

    warmup_slices: int = Field(default=20, ge=5)
    shift_sigma: float = Field(default=1.0, ge=0.1, le=5.0)
    false_alarm_slices: float = Field(default=5000.0, ge=50.0, le=1e7)
    limits_nm: tuple[float, float] = (2.0, 25.0)
    baseline_nm: tuple[float, float] = (0.0, 0.0)
    outlier_z: float = Field(default=1.5, gt=0.0, le=20.0)

    @field_validator("limits_nm")
    @classmethod
    def in_order(cls, limits: tuple[float, float]) -> tuple[float, float]:
        """Lower before upper."""
        if not 0.0 <= limits[0] < limits[1]:
            raise ValueError("lower limit, then upper limit, both ≥ 0 nm")
        return limits

    @field_validator("baseline_nm")
    @classmethod
    def possible(cls, baseline: tuple[float, float]) -> tuple[float, float]:
        """Mean and σ of a thickness that is never negative."""
        mean, sigma = baseline
        if baseline != (0.0, 0.0) and not 0.0 < sigma < mean:
            raise ValueError("mean, then σ, 0 < σ < mean, in nm; 0, 0: learned from the run")
        return baseline
