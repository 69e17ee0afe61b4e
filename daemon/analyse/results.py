"""What an analysis finds: lengths in nm, shares of 1; NaN where something does not exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

AXES: Final = ("z", "y", "x")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for: ``phases`` whose transport is analysed, the phase of the ``particles``; the rolling
    ball's radius, the thickness of shells below the particle's boundary, depths that paths lead to from there
    (none: a quarter, half and three quarters of the deepest), and the radius of necks between particles that
    are cut, nm; whether taufactor computes conductivities; and the memory to keep to.
    """

    phases: tuple[int, ...]
    particles: int
    ball_nm: float
    shell_nm: float
    depths_nm: tuple[float, ...]
    neck_nm: float
    conductivity: bool
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class PhaseShare:
    """One phase: its share of the volume and of the particle, and how it hangs together (across faces).

    ``spans`` whether it connects both ends of z, y, x, and ``spanning_share`` how much of it does;
    ``closed_share`` is what reaches no face of the volume.
    """

    phase: int
    share: float
    share_in_particle: float
    components: int
    largest_share: float
    closed_share: float
    spans: tuple[bool, bool, bool]
    spanning_share: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Sections:
    """Shares of every phase ``(phases, length)`` per cross-section along one axis, of all and of the
    particle."""

    share: Floats
    share_in_particle: Floats


@dataclass(frozen=True, slots=True)
class Shells:
    """Share of each phase ``(phases, shells)`` at depths from ``depth_nm`` on, and of all that is less deep
    than the end of the shell."""

    depth_nm: Floats
    share: Floats
    cumulative: Floats


@dataclass(frozen=True, slots=True)
class Paths:
    """Geodesic tortuosity of one set of paths: its name, τ of every start in increasing order, and the share
    of the starts from which no path leads there."""

    name: str
    tau: Floats
    blocked_share: float

    @property
    def mean(self) -> float:
        """Mean geodesic tortuosity; NaN without a path."""
        return float(self.tau.mean()) if self.tau.size else np.nan

    @property
    def deviation(self) -> float:
        """Standard deviation over the starts."""
        return float(self.tau.std()) if self.tau.size else np.nan


@dataclass(frozen=True, slots=True)
class Intrusion:
    """What balls of each radius reach from one side; ``r_min_nm`` is where half is reached.

    Where balls are cut off and half of the way is wider than the widest, ``is_r_min_least`` (it may be more)
    and ``is_constrictivity_most`` (it may be less, for r_max may be more).
    """

    name: str
    share: Floats
    r_min_nm: float
    constrictivity: float
    is_r_min_least: bool
    is_constrictivity_most: bool


@dataclass(frozen=True, slots=True)
class Transport:
    """One phase as a way: ``radii_nm`` of balls, the ``covered`` share of the phase, and what intrudes.

    ``conductivity`` is relative to the phase's own, by taufactor, along z, y, x; ``predicted`` follows from
    share, constrictivity and tortuosity. ``is_cut_off``: wider balls than the last radius fit, too, and count
    as that one.
    """

    phase: int
    radii_nm: Floats
    covered: Floats
    thickness_nm: float
    r_max_nm: float
    intrusions: tuple[Intrusion, ...]
    paths: tuple[Paths, ...]
    predicted: tuple[float, float, float]
    conductivity: tuple[float, float, float] | None
    is_cut_off: bool

    @property
    def widest_nm(self) -> float:
        """Diameter of the widest ball that was looked for and found."""
        return 2.0 * float(self.radii_nm[-1])

    @property
    def is_r_max_least(self) -> bool:
        """Whether r_max may be more: balls are cut off, and half of the phase is wider than the widest."""
        return self.is_cut_off and bool(self.r_max_nm >= self.radii_nm[-1])


@dataclass(frozen=True, slots=True)
class Particles:
    """Every particle of a phase: diameters of the ball of its volume and of the largest ball inside it, nm.

    ``cut_off_nm`` is where inscribed balls are cut off: one of this diameter may be wider. None: none is.
    """

    phase: int
    equivalent_nm: Floats
    inscribed_nm: Floats
    thickness_nm: float
    cut_off_nm: float | None


@dataclass(frozen=True, slots=True)
class Cuts:
    """Cuts z, x through the middle of the volume: ``labels``, ``outside`` and, per transport phase, the path
    lengths along z in voxels."""

    labels: NDArray[np.uint8]
    outside: NDArray[np.bool_]
    lengths: tuple[NDArray[Any], ...]


@dataclass(frozen=True, slots=True)
class Analysis:
    """All of it."""

    source: str
    voxel_nm: float
    shape: tuple[int, int, int]
    plan: Plan
    phases: tuple[PhaseShare, ...]
    outside_share: float
    sections: tuple[Sections, Sections, Sections]
    shells: Shells | None
    transports: tuple[Transport, ...]
    particles: Particles | None
    cuts: Cuts
