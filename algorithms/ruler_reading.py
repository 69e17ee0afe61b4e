"""What a ruler says of one face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algorithms.ruler_slice import ImageMarks, ImageShift

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DepthReading:
    """Depth of one face, from one image or from all of a slice; NaN where ``readable`` is false.

    ``shift_x_px`` is the shift the ruler finds, NaN when several images are combined: then see ``shifts``.
    ``used`` names channel and mark of every position that entered the solution, ``gain`` (n,) nm/px how the
    depth answers to it. ``step_sigma_nm`` is NaN on the first face, ``chi2_dof`` when no mark is redundant.
    ``changed`` and ``disagreement`` are those of a `SliceSolution`. ``notes`` are for people.
    """

    depth_nm: float
    sigma_nm: float
    depth_sigma_nm: float
    step_sigma_nm: float
    shift_x_px: float
    shift_x_sigma_px: float
    chi2: float
    dof: int
    shifts: tuple[ImageShift, ...]
    images: tuple[ImageMarks, ...]
    used: tuple[tuple[str, int], ...]
    gain: Array
    changed: bool
    disagreement: float
    readable: bool
    notes: tuple[str, ...]

    @property
    def chi2_dof(self) -> float:
        """χ² of the marks per degree of freedom: about 1 when the errors are what they claim to be."""
        return self.chi2 / self.dof if self.dof > 0 else float("nan")


def unreadable(images: tuple[ImageMarks, ...], notes: tuple[str, ...]) -> DepthReading:
    """No depth, and the ``notes`` that say why."""
    nan = float("nan")
    return DepthReading(
        nan, nan, nan, nan, nan, nan, chi2=0.0, dof=0, shifts=(), images=images, used=(), gain=np.empty(0),
        changed=False, disagreement=0.0, readable=False, notes=notes,
    )  # fmt: skip
