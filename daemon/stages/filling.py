"""How the planes between slices are filled, as the configuration has it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from algorithms.inpainting import inpainting
from algorithms.slice_filling import INTERPOLATIONS, Interpolation
from daemon.config import Configuration
from models.inpainting import inpaint, open_inpainter

SHIPPED: Final = Path(__file__).parents[2] / "models" / "zoo" / "inpainting.onnx"


def open_filling(configuration: Configuration, cores: int) -> Interpolation:
    """The filling of ``volume.interpolation``, its network loaded if it needs one.

    Raises
    ------
    ModelError
        The network is missing, damaged, or no network that inpaints.
    """
    section = configuration.volume
    if section.interpolation != "inpaint":
        return INTERPOLATIONS[section.interpolation]
    path = Path(section.inpainting_model) if section.inpainting_model else SHIPPED
    wanted = configuration.segmentation
    network = open_inpainter(path, wanted.providers, threads=wanted.threads or cores)
    return inpainting(partial(inpaint, network))
