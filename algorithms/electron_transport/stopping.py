"""Slowing-down: the Bethe law as modified by Joy and Luo to hold down to some tens of eV.

D. C. Joy, S. Luo, "An empirical stopping power relationship for low-energy electrons", Scanning 11, 176
(1989); mixtures by Bragg's additivity. Mean ionisation potentials: M. J. Berger, S. M. Seltzer, NAS-NRC
Publ. 1133 (1964).
"""

import numpy as np
from numpy.typing import NDArray

from algorithms.electron_transport.materials import ATOMIC_WEIGHTS, Material

Floats = NDArray[np.float64]


def mean_ionisation_kev(atomic_number: int) -> float:
    """J = 9.76 Z + 58.5 Z^−0.19 eV, 11.5 Z eV below aluminium; in keV."""
    if atomic_number < 13:
        return 11.5e-3 * atomic_number
    return (9.76 * atomic_number + 58.5 * atomic_number**-0.19) * 1e-3


def low_energy_constant(atomic_number: int) -> float:
    """k of Joy and Luo: 0.77 for carbon to 0.85 for gold; the usual fit to their table."""
    return 0.7310 + 0.0688 * float(np.log10(atomic_number))


def stopping_kev_per_nm(material: Material, energy_kev: Floats) -> Floats:
    """−dE/ds in keV/nm: 78 500·ρ·Σ cᵢ Zᵢ/(Aᵢ E)·ln(1.166 (E + kᵢJᵢ)/Jᵢ) keV/cm; 0 in vacuum."""
    total = np.zeros_like(energy_kev)
    for z, share in material.mass_fractions:
        mean_kev = mean_ionisation_kev(z)
        logarithm = np.log(1.166 * (energy_kev / mean_kev + low_energy_constant(z)))
        total += share * z / ATOMIC_WEIGHTS[z] * logarithm
    return 78500.0e-7 * material.density * total / energy_kev


def path_length_nm(material: Material, energies_kev: Floats) -> Floats:
    """Path on which an electron slows down from each of the rising energies to the first of them; +∞ in
    vacuum. Trapezia in log E, so the energies should lie close together."""
    if material.density == 0:
        return np.where(np.arange(len(energies_kev)) > 0, np.inf, 0.0)
    per_log = energies_kev / stopping_kev_per_nm(material, energies_kev)
    steps = np.diff(np.log(energies_kev)) * (per_log[1:] + per_log[:-1]) / 2
    return np.concatenate(([0.0], np.cumsum(steps)))
