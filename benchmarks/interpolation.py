"""Reconstruction of mimicking data sets: nearest and cubic filling, with and without repositioning.

The table of SCIENCE §4 (Sardhara et al., slice thickness, tables 2 and 3): hierarchical structures on a 2.5
nm grid, slices of gamma-distributed thickness discretised to that grid, every reconstruction scored against
the structure itself. RNN, RCS: repositioned on the 2.5 nm grid, nearest or cubic. DNN: every slice taken to
be 10 nm thick, nearest. SRCS: repositioned on a 10 nm grid, cubic.

The paper does not say how thick its mimicking slices were on average. Ours are as the ruler measured real
ones. On a 10 nm grid these fill 98 % of the positions, so that a slice whose place is taken finds the next
free one far away, the further the longer the run; SRCS and DNN depend on the mean before all else. A second
series of thicker slices shows it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from algorithms.interpolation import add_slice, finish, start_interpolation
from algorithms.reposition import place_all
from algorithms.scores import confusion, mean_dice, misplaced_percent, missed_percent
from algorithms.slice_filling import INTERPOLATIONS, Interpolation
from algorithms.structures import HierarchicalStructure, hierarchical_structure, solid_at

GRID_NM = 2.5
TARGET_NM = 10.0
SEED = 20240

Labels = NDArray[np.uint8]
Scores = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: structures, thickness draws per structure, slices and px a side."""

    structures: int
    draws: int
    slices: int
    side_px: int


QUICK = Scale(structures=5, draws=4, slices=32, side_px=128)
FULL = Scale(structures=25, draws=4, slices=64, side_px=192)
"""25 structures as published, with 4 instead of 10 draws of each, to end within minutes."""


@dataclass(frozen=True, slots=True)
class Milling:
    """Mean and spread of the slice thickness, nm, gamma distributed."""

    mean_nm: float
    sigma_nm: float


MEASURED = Milling(10.16, 3.12)
"""On 316 real slices (SCIENCE §1)."""

THICKER = Milling(12.5, 4.0)
"""Where nearest filling, no repositioning and the 10 nm grid all come near their published figures."""


@dataclass(frozen=True, slots=True)
class MimickingSet:
    """Truth ``(z, y, x)`` on the 2.5 nm grid and the plane at which each slice was cut."""

    truth: Labels
    cuts: NDArray[np.int64]


def mimicking_set(
    structure: HierarchicalStructure, scale: Scale, milling: Milling, rng: np.random.Generator
) -> MimickingSet:
    """Slices N x 2.5 nm thick, N >= 1 from the discretised gamma distribution."""
    shape, size_nm = (milling.mean_nm / milling.sigma_nm) ** 2, milling.sigma_nm**2 / milling.mean_nm
    drawn = np.rint(rng.gamma(shape, size_nm, scale.slices - 1) / GRID_NM).astype(np.int64)
    cuts = np.concatenate(([0], np.cumsum(np.maximum(drawn, 1))))
    depth_nm = np.arange(cuts[-1] + 1, dtype=np.float64) * GRID_NM
    side_nm = np.arange(scale.side_px, dtype=np.float64) * GRID_NM
    return MimickingSet(solid_at(structure, depth_nm, side_nm, side_nm), cuts)


def rebuilt(data: MimickingSet, filling: Interpolation, planes: list[int]) -> Labels:
    """The volume from the slices of a data set put at ``planes``; it starts at plane 0."""
    state, parts = start_interpolation(longest_bridge_planes=10_000), list[Labels]()
    for plane, cut in zip(planes, data.cuts, strict=True):
        state, final = add_slice(filling, state, plane, data.truth[cut])
        parts.append(final.labels)
    return np.concatenate((*parts, finish(filling, state).labels))


def _repositioned(data: MimickingSet) -> list[int]:
    return place_all(data.cuts * GRID_NM, GRID_NM)


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


def _equidistant(data: MimickingSet) -> list[int]:
    return [index * round(TARGET_NM / GRID_NM) for index in range(len(data.cuts))]


VARIANTS: dict[str, Callable[[MimickingSet], Labels]] = {
    "RNN": lambda data: rebuilt(data, INTERPOLATIONS["nearest"], _repositioned(data)),
    "RCS": lambda data: rebuilt(data, INTERPOLATIONS["cubic"], _repositioned(data)),
    "DNN": lambda data: rebuilt(data, INTERPOLATIONS["nearest"], _equidistant(data)),
    "SRCS": lambda data: rebuilt(data, INTERPOLATIONS["cubic"], _coarsely_repositioned(data)),
}
PUBLISHED: dict[str, Scores] = {
    "RNN": (4.89, 19.98, 0.89),
    "RCS": (3.12, 13.52, 0.93),
    "DNN": (19.97, 81.62, 0.53),
    "SRCS": (5.29, 22.38, 0.88),
}


def scores(truth: Labels, volume: Labels) -> Scores:
    """MP %, MGP %, MDS over the planes that both have (a wrong thickness changes the height)."""
    height = min(len(truth), len(volume))
    matrix = confusion(truth[:height], volume[:height])
    return misplaced_percent(matrix), missed_percent(matrix), mean_dice(matrix)


def mimicking_sets(scale: Scale, milling: Milling = MEASURED) -> Iterator[MimickingSet]:
    """All data sets of a scale, always the same ones."""
    rng = np.random.default_rng(SEED)
    for _ in range(scale.structures):
        structure = hierarchical_structure(rng)
        for _ in range(scale.draws):
            yield mimicking_set(structure, scale, milling, rng)


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """The table beside the published one, and its figures as ``rcs_mp_percent`` and so on; those of the
    thicker slices as ``rcs_mp_percent_thicker``."""
    scale = QUICK if quick else FULL
    thicker = replace(scale, draws=max(1, scale.draws // 2))
    ours, others = results(scale, MEASURED), results(thicker, THICKER)
    table = Table("slices", "variant", "MP %", "MGP %", "MDS", "published", title=f"{len(ours)} sets")
    figures = {"data_sets": float(len(ours)), "data_sets_thicker": float(len(others))}
    for milling, found, ending in ((MEASURED, ours, ""), (THICKER, others, "_thicker")):
        means, spreads = found.mean(axis=0), found.std(axis=0, ddof=1)
        for name, mean, spread in zip(VARIANTS, means, spreads, strict=True):
            cells = (f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, spread, strict=True))
            label = f"{milling.mean_nm:g} ± {milling.sigma_nm:g} nm"
            table.add_row(label, name, *cells, " / ".join(map(str, PUBLISHED[name])))
            keys = (f"{name.lower()}_{key}{ending}" for key in ("mp_percent", "mgp_percent", "mds"))
            figures |= dict(zip(keys, mean.tolist(), strict=True))
    return table, figures


def results(scale: Scale, milling: Milling) -> NDArray[np.float64]:
    """Scores ``(sets, variants, 3)``; one set at a time, for all together would fill gigabytes."""
    sets = mimicking_sets(scale, milling)
    return np.asarray([[scores(data.truth, rebuild(data)) for rebuild in VARIANTS.values()] for data in sets])
