"""Reconstruction of mimicking data sets: nearest, cubic and network filling, with and without repositioning.

The tables of Sardhara et al. 2023 (2 and 3): hierarchical structures on a 2.5 nm grid, slices of
gamma-distributed thickness discretised to that grid, every reconstruction scored against the structure
itself. RNN, RCS, RML: repositioned on the 2.5 nm grid, nearest, cubic or the shipped network. DNN: every
slice taken to be 10 nm thick, nearest. SRCS: repositioned on a 10 nm grid, cubic.

The paper does not say how thick its mimicking slices were on average. Ours are as the ruler measured real
ones. On a 10 nm grid these fill 98 % of the positions, so that a slice whose place is taken finds the next
free one far away, the further the longer the run; SRCS and DNN depend on the mean before all else. A second
series of thicker slices shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import NDArray

from algorithms.plane_inpainting import plane_inpainting
from algorithms.slice_filling import INTERPOLATIONS, Interpolation
from daemon.stages.segmenting import ZOO
from models.inpainter import open_inpainter
from models.mimicking_sets import (
    GRID_NM,
    MEASURED,
    Labels,
    Milling,
    MimickingSet,
    Scale,
    mimicking_sets,
    rebuilt,
    repositioned,
    scores,
)

TARGET_NM: Final = 10.0
QUICK: Final = Scale(structures=3, draws=2, slices=24, side_px=112)
FULL: Final = Scale(structures=25, draws=2, slices=64, side_px=192)
"""25 structures as published, with 2 instead of 10 draws of each, to end within minutes."""

THICKER: Final = Milling(12.5, 4.0)
"""Where nearest filling, no repositioning and the 10 nm grid all come near their published figures."""

Rebuilders = Mapping[str, Callable[[MimickingSet], Labels]]


def variants() -> Rebuilders:
    """Each way of reconstructing, by the name that the paper gives it."""
    nearest, cubic = INTERPOLATIONS["nearest"], INTERPOLATIONS["cubic"]
    network = shipped_filling()
    return {
        "RNN": lambda data: rebuilt(data, nearest, repositioned(data)),
        "RCS": lambda data: rebuilt(data, cubic, repositioned(data)),
        "RML": lambda data: rebuilt(data, network, repositioned(data)),
        "DNN": lambda data: rebuilt(data, nearest, equidistant(len(data.cuts), GRID_NM)),
        "SRCS": lambda data: rebuilt(data, cubic, _coarsely_repositioned(data)),
    }


def shipped_filling() -> Interpolation:
    """By the network of ``models/zoo``."""
    return plane_inpainting(open_inpainter(ZOO / "inpainting.onnx"))


def equidistant(slices: int, grid_nm: float) -> list[int]:
    """The planes of slices that are all taken to be TARGET_NM thick."""
    return np.rint(np.arange(slices) * TARGET_NM / grid_nm).astype(int).tolist()


def results(rebuilders: Rebuilders, scale: Scale, milling: Milling) -> NDArray[np.float64]:
    """Scores ``(sets, variants, 3)``; one set at a time, for all together would fill gigabytes."""
    sets = mimicking_sets(scale, milling)
    return np.asarray(
        [[scores(data.truth, rebuild(data)) for rebuild in rebuilders.values()] for data in sets]
    )


def both_series(rebuilders: Rebuilders, scale: Scale) -> Sequence[tuple[Milling, NDArray[np.float64]]]:
    """The results of slices as thick as measured, and of half as many sets of thicker ones."""
    fewer = replace(scale, draws=max(1, scale.draws // 2))
    return [(MEASURED, results(rebuilders, scale, MEASURED)), (THICKER, results(rebuilders, fewer, THICKER))]


def _coarsely_repositioned(data: MimickingSet) -> list[int]:
    """The published rule of the 10 nm grid, which needs the whole run: nearest free position on either side.

    The online rule only ever moves deeper. On a grid as coarse as the slices are thick, where every third
    slice collides, that would pile up and make the comparison unfair.
    """
    step, taken = round(TARGET_NM / GRID_NM), set[int]()
    wanted = np.rint(data.cuts * GRID_NM / TARGET_NM).astype(int).tolist()
    repeated = list[int]()
    for plane in wanted:
        (repeated.append if plane in taken else taken.add)(plane)
    for plane in repeated:
        free = (plane + side * away for away in count(1) for side in (1, -1))
        taken.add(next(position for position in free if position >= 0 and position not in taken))
    return [step * plane for plane in sorted(taken)]
