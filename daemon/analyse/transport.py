"""One phase as a way through the volume: sizes, intrusion, constrictivity, and what follows from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.balls import half_radius, mean_diameter
from algorithms.components import Components
from algorithms.transport_relation import relative_conductivity
from daemon.analyse.conductivity import conductivities
from daemon.analyse.intrusion import measure_intrusion, shares_of
from daemon.analyse.paths import paths_along, paths_from_boundary
from daemon.analyse.results import Plan, Transport
from daemon.analyse.site import VOID, Ground, Site
from daemon.analyse.widths import Widths


def measure_transport(
    ground: Ground, phase: int, widths: Widths, found: Components, plan: Plan, site: Site
) -> tuple[Transport, NDArray[Any]]:
    """What is known of a phase as a way, and the cut z, x through the path lengths along z."""
    covered, intrusions = measure_intrusion(ground, phase, widths, site)
    along = [paths_along(axis, ground, phase, found, site) for axis in range(3)]
    paths = tuple(one for one, _ in along)
    share = float(ground.phase_voxels[phase] / ground.phase_voxels.sum())
    predicted = [
        relative_conductivity(share, intrusions[axis].constrictivity, paths[axis].mean) for axis in range(3)
    ]
    radii_nm = np.asarray(widths.radii) * ground.voxel_nm
    shares = shares_of(covered, ground.phase_voxels[phase])
    transport = Transport(
        phase=phase,
        radii_nm=radii_nm,
        covered=shares,
        thickness_nm=mean_diameter(widths.radii, covered) * ground.voxel_nm,
        r_max_nm=half_radius(radii_nm.tolist(), shares),
        intrusions=intrusions,
        paths=(*paths, *(paths_from_boundary(ground, plan, site) if phase == VOID else ())),
        predicted=(predicted[0], predicted[1], predicted[2]),
        conductivity=conductivities(ground, phase, found, plan, site) if plan.conductivity else None,
        is_cut_off=widths.are_cut_off,
    )
    return transport, along[0][1]
