"""Mimicking data sets to judge a filling by: a known structure, the slices cut from it, what comes back.

Sardhara et al., slice thickness, sections 2.1.2 and 3.1: slices N voxels apart, N from a discretised gamma
distribution; every reconstruction is scored against the structure itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.interpolation import add_slice, finish, start_interpolation
from algorithms.reposition import place_all
from algorithms.scores import confusion, mean_dice, misplaced_percent, missed_percent
from algorithms.slice_filling import Interpolation
from algorithms.structures import HierarchicalStructure, hierarchical_structure, solid_at

GRID_NM = 2.5
SEED = 20240

Labels = NDArray[np.uint8]
Scores = tuple[float, float, float]
"""MP %, MGP %, mean Dice."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: structures, thickness draws per structure, slices and px a side."""

    structures: int
    draws: int
    slices: int
    side_px: int


@dataclass(frozen=True, slots=True)
class Milling:
    """Mean and spread of the slice thickness, nm, gamma distributed."""

    mean_nm: float
    sigma_nm: float


MEASURED = Milling(10.16, 3.12)
"""On 316 real slices (SCIENCE §1)."""


@dataclass(frozen=True, slots=True)
class MimickingSet:
    """Truth ``(z, y, x)`` on the 2.5 nm grid and the plane at which each slice was cut."""

    truth: Labels
    cuts: NDArray[np.int64]


def mimicking_sets(scale: Scale, milling: Milling = MEASURED, seed: int = SEED) -> Iterator[MimickingSet]:
    """All data sets of a scale, always the same ones; one at a time, for 250 would fill gigabytes."""
    rng = np.random.default_rng(seed)
    for _ in range(scale.structures):
        structure = hierarchical_structure(rng)
        for _ in range(scale.draws):
            yield mimicking_set(structure, scale, milling, rng)


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


def repositioned(data: MimickingSet) -> list[int]:
    """The planes at which the slices were cut, by the rule of the daemon."""
    return place_all(data.cuts * GRID_NM, GRID_NM)


def rebuilt(data: MimickingSet, filling: Interpolation, planes: list[int]) -> Labels:
    """The volume from the slices of a data set put at ``planes``; it starts at plane 0."""
    return filled(data.truth[data.cuts], filling, planes)


def filled(faces: Labels, filling: Interpolation, planes: list[int]) -> Labels:
    """The volume from slices ``(slice, y, x)`` put at ``planes``, the first one at plane 0."""
    state, parts = start_interpolation(longest_bridge_planes=10_000), list[Labels]()
    for plane, face in zip(planes, faces, strict=True):
        state, final = add_slice(filling, state, plane, face)
        parts += [group.labels for group in final]
    return np.concatenate([*parts, *(group.labels for group in finish(filling, state)[1])])


def scores(truth: Labels, volume: Labels) -> Scores:
    """Over the planes that both have (a wrong thickness changes the height)."""
    height = min(len(truth), len(volume))
    matrix = confusion(truth[:height], volume[:height])
    return misplaced_percent(matrix), missed_percent(matrix), mean_dice(matrix)


def score_fillings(fillings: Mapping[str, Interpolation], scale: Scale, seed: int) -> dict[str, Scores]:
    """Mean scores of each filling over the same repositioned data sets."""
    collected: dict[str, list[Scores]] = {name: [] for name in fillings}
    for data in mimicking_sets(scale, MEASURED, seed):
        planes = repositioned(data)
        for name, filling in fillings.items():
            collected[name].append(scores(data.truth, rebuilt(data, filling, planes)))
    return {name: _mean(found) for name, found in collected.items()}


def _mean(found: list[Scores]) -> Scores:
    mp_percent, mgp_percent, dice = np.mean(found, axis=0).tolist()
    return mp_percent, mgp_percent, dice
