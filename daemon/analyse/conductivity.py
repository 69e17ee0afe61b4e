"""Effective conductivity by taufactor, which solves for steady diffusion; an extra that is installed
apart."""

from __future__ import annotations

import importlib.util
from typing import Any, Final

import numpy as np

from algorithms.components import Components
from algorithms.derived_volume import phase_of
from daemon.analyse.results import AXES, Plan
from daemon.analyse.site import Ground, Site
from daemon.errors import ConfigurationError

VOXEL_BYTES: Final = 40
"""What the solver holds per voxel: fields in single precision and their copies."""
FEWEST_PLANES: Final = 3


def refuse_without_solver() -> None:
    """Say so before an analysis, not after hours of it.

    Raises
    ------
    ConfigurationError
        taufactor is not installed.
    """
    if importlib.util.find_spec("taufactor") is None:
        raise ConfigurationError(
            "taufactor is not installed",
            where="--conductivity",
            remedy='Run `pip install "slicewatch[transport]"`, or leave --conductivity out.',
        )


def conductivities(
    ground: Ground, phase: int, found: Components, plan: Plan, site: Site
) -> tuple[float, float, float]:
    """Relative to the phase's own, along z, y, x; 0 where the phase does not connect both ends, NaN along an
    axis of fewer than three planes, which the solver cannot take.

    Raises
    ------
    ConfigurationError
        The volume does not fit the memory that the solver may use.
    """
    if site.voxels * VOXEL_BYTES > plan.memory_bytes:
        raise ConfigurationError(
            f"taufactor needs {site.voxels * VOXEL_BYTES / 2**20:.0f} MiB for this volume",
            where="--conductivity",
            remedy="Give more with --memory, a coarser --level, or leave --conductivity out.",
        )
    image = np.asarray(phase_of(ground.labels, phase)[:, :, :]).astype(np.uint8)
    with site.steps.step(f"conductivity of phase {phase}", 30 * site.voxels):
        z, y, x = (_along(axis, image) if found.spanning(axis).any() else 0.0 for axis in range(len(AXES)))
    return z, y, x


def _along(axis: int, image: Any) -> float:
    if image.shape[axis] < FEWEST_PLANES:
        return np.nan
    from taufactor import Solver

    solver: Any = Solver(np.ascontiguousarray(np.moveaxis(image, axis, 0)), device="cpu")
    solver.solve(verbose=False)
    return float(np.ravel(np.asarray(solver.D_eff))[0])
