"""What the kernel looks up: rates of all materials on a common logarithmic grid of energies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.electron_transport.materials import Material
from algorithms.electron_transport.scattering import elastic_per_nm, rutherford_share_of
from algorithms.electron_transport.stopping import path_length_nm, stopping_kev_per_nm

CUTOFF_KEV = 0.05
"""Below 50 eV an electron counts as secondary by convention: it is not followed any further."""
HIGHEST_KEV = 30.0
LOWEST_BEAM_KEV = 0.5
STEEPEST_DEG = 85.0
"""Incidence: the spot on the face grows with 1/cos of it."""
ENTRIES = 512
"""1.3 % of energy per entry: linear interpolation errs by less than 10⁻⁴."""
MAJORANT_MARGIN = 1.1
"""The rate at the end of a flight, with what energy is left, may be higher than any at its start."""
MOST_MATERIALS = 8


@dataclass(frozen=True, slots=True)
class RateTables:
    """Rates at log-spaced energies from CUTOFF_KEV to HIGHEST_KEV.

    ``rates`` float32 (material, ENTRIES, 3): collisions per nm, Rutherford share, stopping in keV/nm.
    ``limits`` float32 (ENTRIES, 2): a bound on the collision rate of all materials, and the longest path, nm,
    that an electron has left in any material until CUTOFF_KEV: from deeper it cannot come back.
    """

    rates: NDArray[np.float32]
    limits: NDArray[np.float32]


def energies_kev() -> NDArray[np.float64]:
    """The grid of the tables, float64 (ENTRIES,)."""
    return np.geomspace(CUTOFF_KEV, HIGHEST_KEV, ENTRIES)


def rate_tables(materials: Sequence[Material]) -> RateTables:
    """Tables of these materials; index = phase. Raises ValueError for none or more than MOST_MATERIALS."""
    if not 1 <= len(materials) <= MOST_MATERIALS:
        raise ValueError(f"{len(materials)} materials: give 1 to {MOST_MATERIALS}, one per phase")
    energy = energies_kev()
    elastic = np.stack([elastic_per_nm(material, energy) for material in materials])
    shares = np.stack([rutherford_share_of(material, energy) for material in materials])
    stopping = np.stack([stopping_kev_per_nm(material, energy) for material in materials])
    reach = np.max([path_length_nm(material, energy) for material in materials], axis=0)
    reach = np.append(reach[1:], reach[-1])
    return RateTables(
        np.stack((elastic, shares, stopping), axis=-1).astype(np.float32),
        np.stack((MAJORANT_MARGIN * elastic.max(axis=0), np.minimum(reach, 1e9)), axis=-1).astype(np.float32),
    )
