"""Mean ligament diameters and surface area from integer neighbour counts (stereology).

The mean ligament diameter in the ij plane is the diameter of the disc that has the ratio of area to
boundary length of the solid's sections:  D_ij = 4 A_A / L_A,  with A_A the solid fraction and L_A the
boundary length per area. L_A comes from the number of phase changes per length n_d along four directions of
the plane (two axes, two diagonals), L_A = (π / 2) · mean(n_d) (Cauchy-Crofton; Ohser & Mücklich,
Statistical Analysis of Microstructures, 2000, chapter 3).

Why this and not a local thickness: it is made of integers that need the previous plane only, so it is exact
online and merges; it has no edge effect, so it is unbiased from the second plane on, where inscribed discs
would be limited by the height of the young volume; and the three D_ij are equal for an isotropic structure,
so e_D tends to 0. For round ligaments across the plane D_ij is their diameter; for ligaments of one
diameter d in all directions it is 4 d / π, because most are cut obliquely; ``cylinder_diameter`` is d
itself then. For a sphere it is 8 d / (3 π). Boundaries along one single direction (slabs) are estimated up
to 5 % short or long by four directions.
"""

import numpy as np
from numpy.typing import NDArray

from algorithms.neighbourhood import DIRECTIONS

Floats = NDArray[np.float64]

_STEPS = np.asarray(DIRECTIONS, dtype=np.int64)
STEP_LENGTHS: Floats = np.sqrt(np.sum(_STEPS**2, axis=1))

_IN_XY, _IN_XZ, _IN_YZ = (np.flatnonzero(_STEPS[:, normal] == 0) for normal in (0, 1, 2))

# Share of the unit sphere that is nearest to each direction, both senses: 3 axes, 6 face and 4 space
# diagonals of the cubic lattice (Ohser & Mücklich 2000, table 4.2 via the Voronoi tessellation of the
# sphere).
_SHARE = {1: 0.0915557824, 2: 0.0739612558, 3: 0.0703912796}
_WEIGHTS = np.asarray([_SHARE[int(squared)] for squared in np.sum(_STEPS**2, axis=1)])


def changes_per_px(change_probability: Floats) -> Floats:
    """Phase changes per px of line ``(…, 13)`` from the probability that neighbours differ."""
    return change_probability / STEP_LENGTHS


def mean_diameters_px(solid_fraction: Floats, per_px: Floats) -> Floats:
    """D_xy, D_xz, D_yz ``(…, 3)`` in px from the solid fraction ``(…)`` and phase changes per px ``(…, 13)``.

    NaN in a plane without any boundary: there is no ligament to measure.
    """
    lengths = [np.pi / 2.0 * per_px[..., plane].mean(axis=-1) for plane in (_IN_XY, _IN_XZ, _IN_YZ)]
    return 4.0 * _ratio(solid_fraction[..., None], np.stack(lengths, axis=-1))


def _ratio(part: Floats, boundary: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(boundary > 0.0, part / boundary, np.nan)


def surface_density_per_px(per_px: Floats) -> Floats:
    """Solid surface per volume ``(…)`` in 1/px, Crofton with 13 directions: S_V = 2 Σ w_d n_d."""
    return 2.0 * per_px @ _WEIGHTS


def cylinder_diameter_px(solid_fraction: Floats, surface_density: Floats) -> Floats:
    """Diameter of long cylinders with this volume per surface, 4 V_V / S_V, in px: the ligaments' mean in
    3-D.
    """
    return 4.0 * _ratio(solid_fraction, surface_density)
