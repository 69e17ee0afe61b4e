"""Elastic scattering: Browning's fits to Mott cross-sections, per atom and per volume of a mixture.

Valid from 0.1 to 30 keV for all elements. The deflection is drawn from a mixture of a screened Rutherford
and an isotropic distribution. The screening parameter depends on energy alone, so the mixture of a compound
is again one Rutherford and one isotropic part, exactly: no element has to be drawn.

R. Browning, T. Z. Li, B. Chui, J. Ye, R. F. W. Pease, Z. Czyżewski, D. C. Joy, "Empirical forms for the
electron/atom elastic scattering cross sections from 0.1 to 30 keV", J. Appl. Phys. 76, 2016 (1994).
"""

import numpy as np
from numpy.typing import NDArray

from algorithms.electron_transport.materials import ATOMIC_WEIGHTS, Material

Floats = NDArray[np.float64]

AVOGADRO = 6.02214076e23
SCREENING_KEV = 7.0e-3
"""α·E: cos θ = 1 − 2αR/(1 + α − R), R uniform in (0, 1) (Browning et al. 1994, eq. 8)."""


def total_cross_section_cm2(atomic_number: int, energy_kev: Floats) -> Floats:
    """Elastic cross-section of an atom, cm² (Browning et al. 1994, eq. 1)."""
    heavy = atomic_number**1.7
    root = np.sqrt(energy_kev)
    return 3.0e-18 * heavy / (energy_kev + 0.005 * heavy * root + 0.0007 * atomic_number**2 / root)


def rutherford_share(atomic_number: int, energy_kev: Floats) -> Floats:
    """Probability that a deflection is of the Rutherford kind, the others are isotropic (eq. 6)."""
    light = 300.0 * energy_kev ** (1.0 - atomic_number / 2000.0) / atomic_number
    ratio = light + atomic_number**3 / (3.0e5 * energy_kev)
    return ratio / (1.0 + ratio)


def elastic_per_nm(material: Material, energy_kev: Floats) -> Floats:
    """Collisions per nm, the inverse mean free path; 0 in vacuum."""
    return np.sum(
        [rate for rate, _ in _parts(material, energy_kev)] or np.zeros((1, len(energy_kev))), axis=0
    )


def rutherford_share_of(material: Material, energy_kev: Floats) -> Floats:
    """:func:`rutherford_share` of a mixture: the elements' shares weighted with their collision rates."""
    parts = _parts(material, energy_kev)
    if not parts:
        return np.zeros_like(energy_kev)
    return np.sum([rate * share for rate, share in parts], axis=0) / np.sum([r for r, _ in parts], axis=0)


def mean_deflection(energy_kev: Floats) -> Floats:
    """⟨1 − cos θ⟩ of the Rutherford part, in closed form."""
    alpha = SCREENING_KEV / energy_kev
    return 2 * alpha * ((1 + alpha) * np.log1p(1 / alpha) - 1)


def _parts(material: Material, energy_kev: Floats) -> list[tuple[Floats, Floats]]:
    """Collisions per nm and Rutherford share of every element."""
    return [
        (
            1e-7 * material.density * share * AVOGADRO / ATOMIC_WEIGHTS[z]
            * total_cross_section_cm2(z, energy_kev),
            rutherford_share(z, energy_kev),
        )
        for z, share in material.mass_fractions
    ]  # fmt: skip
