"""How the planes between two slices are filled: the configured interpolation, with its network if any."""

from __future__ import annotations

from dataclasses import dataclass

from algorithms.plane_inpainting import plane_inpainting
from algorithms.slice_filling import INTERPOLATIONS, Interpolation
from daemon.config import Configuration
from daemon.stages.segmenting import ZOO, at_home
from models.inpainter import open_inpainter

SHIPPED_INPAINTER = ZOO / "inpainting.onnx"


@dataclass(frozen=True, slots=True)
class Filling:
    """An interpolation that is ready to fill; ``sha256`` is of its network, empty if it has none."""

    interpolation: Interpolation
    sha256: str = ""


def open_filling(configuration: Configuration, cores: int) -> Filling:
    """The configured interpolation; a network runs on the hardware that segmentation was given.

    Raises
    ------
    ModelError
        The inpainting network is missing, damaged, not one, or nothing may run it.
    """
    volume, hardware = configuration.volume, configuration.segmentation
    if volume.interpolation != "inpaint":
        return Filling(INTERPOLATIONS[volume.interpolation])
    inpainter = open_inpainter(
        at_home(volume.inpainting_model) if volume.inpainting_model else SHIPPED_INPAINTER,
        hardware.providers,
        allow_cpu_fallback=hardware.allow_cpu_fallback,
        threads=hardware.threads or cores,
    )
    return Filling(plane_inpainting(inpainter), inpainter.spec.sha256)
