"""The backscatter coefficient of bulk material in closed form, a reference for what is simulated.

H.-J. Hunger, L. Küchler, "Measurements of the electron backscattering coefficient for quantitative EPMA in
the energy range of 4 to 40 keV", phys. stat. sol. (a) 56, K45 (1979): η(Z, E) = E^m(Z)·C(Z). It is at times
printed with the product m·C in the exponent, which gives coefficients above 1.
"""

import math

VALID_KEV = (4.0, 40.0)
"""Where it was measured; below it only shows the trend."""


def hunger_kuechler(atomic_number: float, energy_kev: float) -> float:
    """Backscattered per incident electron at normal incidence, E in keV. Gold at 20 keV: 0.483."""
    logarithm = math.log(atomic_number)
    exponent = 0.1382 - 0.9211 / math.sqrt(atomic_number)
    scale = 0.1904 - 0.2236 * logarithm + 0.1292 * logarithm**2 - 0.01491 * logarithm**3
    return energy_kev**exponent * scale
