"""Bodies with known descriptors, through the whole analysis; one voxel is 1 nm."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daemon.analyse.command import measure
from daemon.analyse.labels import Labels
from daemon.analyse.results import Analysis, Plan

Voxels = NDArray[np.uint8]

ONE_PERCENT = 0.01
HALF_DIAGONAL = np.sqrt(3.0) / 2.0
BETWEEN_STEPS = 0.0275
"""A path between two directions of the 98 steps within a plane is at most so much too long."""


@dataclass(frozen=True, slots=True)
class Known:
    """A descriptor's value, what it should be, and the relative error that is allowed."""

    key: str
    value: float
    known: float
    bound: float = 0.0

    @property
    def error(self) -> float:
        """Relative."""
        return abs(self.value / self.known - 1.0)

    @property
    def allowed(self) -> float:
        """1 %, or the discretisation's bound."""
        return max(ONE_PERCENT, self.bound)


def known_descriptors() -> list[Known]:
    """All of them."""
    bodies = (_slab, _tube, _necked_tube, _oblique, _particle, _box, _balls)
    return [one for body in bodies for one in body()]


def analysed(
    labels: Voxels, *, ball: float = 1e-3, conductivity: bool = False, neck: float = 0.0
) -> Analysis:
    """The analysis of a body; a ball of no size rolls everywhere, unless the body is a particle."""
    plan = Plan((0,), 1, ball, 1.0, (), neck, conductivity, 2**30)
    with tempfile.TemporaryDirectory() as scratch:
        return measure(Labels(labels, 1.0, "body"), plan, Path(scratch))


def _slab() -> Iterator[Known]:
    """A flat pore of 15 of 40 voxels along z and x: straight ways, its own share of the conductivity."""
    labels = np.ones((40, 40, 12), dtype=np.uint8)
    labels[:, 10:25] = 0
    found = analysed(labels, conductivity=True)
    way = found.transports[0]
    yield Known("slab_volume_fraction", found.phases[0].share, 15 / 40)
    yield Known("slab_local_thickness", way.thickness_nm, 15.0)
    yield Known("slab_tortuosity", way.paths[0].mean, 1.0)
    yield Known("slab_constrictivity", way.intrusions[0].constrictivity, 1.0)
    if way.conductivity:
        yield Known("slab_conductivity_taufactor", way.conductivity[0], 15 / 40)


def _round(planes: int, side: int, radius: float) -> NDArray[np.bool_]:
    y, x = np.indices((side, side)) - (side - 1) / 2
    return np.broadcast_to(y**2 + x**2 <= radius**2, (planes, side, side))


def _tube() -> Iterator[Known]:
    radius, side = 14.3, 35
    way = analysed(np.where(_round(16, side, radius), 0, 1).astype(np.uint8))
    yield Known("tube_r_max", way.transports[0].r_max_nm, radius, HALF_DIAGONAL / radius)
    yield Known("tube_volume_fraction", way.phases[0].share, np.pi * radius**2 / side**2)


def _necked_tube() -> Iterator[Known]:
    """r_min is the neck's radius, as less than half of the tube lies before it."""
    wide, narrow = 14.0, 7.0
    inside = _round(60, 35, wide).copy()
    inside[16:22] = _round(6, 35, narrow)
    way = analysed(np.where(inside, 0, 1).astype(np.uint8)).transports[0]
    entry = way.intrusions[0]
    bound = HALF_DIAGONAL / narrow
    yield Known("neck_r_min", entry.r_min_nm, narrow, bound)
    yield Known(
        "neck_constrictivity", entry.constrictivity, (narrow / wide) ** 2, 2 * (bound + HALF_DIAGONAL / wide)
    )


def _oblique() -> Iterator[Known]:
    """A channel three voxels tall that moves sideways: the mean of the straight ways from its three rows."""
    for slope, bound in ((1.0, 0.0), (0.5, 0.0), (2.0, 0.0), (0.75, BETWEEN_STEPS), (0.25, BETWEEN_STEPS)):
        planes, height = 81, 3
        z, y = np.indices((planes, int(planes * slope) + height + 2))
        offset = y - np.floor(slope * z)
        inside = (offset >= 0) & (offset < height)
        labels = np.repeat(np.where(inside, 0, 1).astype(np.uint8)[:, :, None], 3, axis=2)
        rise = slope * (planes - 1) - np.arange(height)
        known = float(np.hypot(planes - 1, rise).mean() / (planes - 1))
        tau = analysed(labels).transports[0].paths[0].mean
        yield Known(f"oblique_tortuosity_{slope:g}".replace(".", "_"), tau, known, bound)


def _particle() -> Iterator[Known]:
    """A ball with a closed pore in its middle. A rolling ball leaves the notches of a surface of voxels: up
    to half a diagonal on all of it.
    """
    radius, hole, side = 26.0, 15.0, 61
    distance = np.linalg.norm(np.indices((side, side, side)).transpose(1, 2, 3, 0) - (side - 1) / 2, axis=-1)
    labels = ((distance <= radius) & (distance > hole)).astype(np.uint8)
    found = analysed(labels, ball=5.0)
    notches = 3 * HALF_DIAGONAL / radius
    inner = found.phases[0].share_in_particle
    yield Known("ball_inner_porosity", inner, (hole / radius) ** 3, notches * (radius / hole) ** 3)
    volume = 4 / 3 * np.pi * radius**3
    yield Known("ball_particle_volume", (1.0 - found.outside_share) * side**3, volume, notches)
    if found.shells:
        edge = (radius**3 - hole**3) / (radius**3 - (radius - 15.0) ** 3)
        yield Known("ball_share_to_15_voxels", float(found.shells.cumulative[1][14]), edge, notches)


def _box() -> Iterator[Known]:
    """A box with a closed pore, a slot that the ball does not enter and one that it does, but for its
    corners."""
    ball, (height, width, length) = 5.0, (40, 50, 40)
    labels = np.zeros((56, 66, 56), dtype=np.uint8)
    labels[8:48, 8:58, 8:48] = 1
    labels[34:44, 12:18, 12:44] = 0
    labels[8:20, 14:20, 8:48] = 0
    labels[8:24, 30:50, 8:48] = 0
    found = analysed(labels, ball=ball)
    corners = 2 * ball**2 * (1 - np.pi / 4) * length
    caps = (ball**2 * np.arcsin(3 / ball) - 3 * np.sqrt(ball**2 - 9)) * (length + 2 * 12)
    particle = height * width * length - 16 * 20 * length + corners - caps
    inner = 10 * 6 * 32 + 12 * 6 * length + corners - caps
    rounded = ball * (np.pi * length + 2 * np.arcsin(3 / ball) * (length + 2 * 12))
    yield Known("box_particle_volume", (1.0 - found.outside_share) * labels.size, particle)
    porosity = found.phases[0].share_in_particle
    yield Known("box_inner_porosity", porosity, inner / particle, HALF_DIAGONAL * rounded / inner)
    yield Known(
        "box_section", float(found.sections[0].share_in_particle[1][38]), 1 - 6 * 32 / (width * length)
    )


def _balls() -> Iterator[Known]:
    """Two balls that touch over a neck, and one apart: cut at the neck, three of their own diameters."""
    radii, centres = (12.0, 12.0, 9.0), ((14, 14, 14), (14, 14, 36), (40, 30, 24))
    labels = np.zeros((54, 46, 52), dtype=np.uint8)
    for radius, centre in zip(radii, centres, strict=True):
        offset = np.indices(labels.shape) - np.reshape(centre, (3, 1, 1, 1))
        labels[(offset**2).sum(axis=0) <= radius**2] = 1
    found = analysed(labels, ball=2.0, neck=7.0).particles
    if found:
        yield Known("particles_number", float(found.equivalent_nm.size), 3.0)
        mean, bound = float(np.mean(radii)), HALF_DIAGONAL / min(radii)
        yield Known("particles_equivalent_diameter", float(found.equivalent_nm.mean()), 2 * mean, bound)
        yield Known("particles_inscribed_diameter", float(found.inscribed_nm.mean()), 2 * mean, bound)
