"""What a beam sees of gold and epoxy: electron range, backscatter coefficient, response to depth.

- *Range.* An electron of energy E [keV] travels R = 27.6·A·E^1.67/(Z^0.889·ρ) nm ([1]_, maximum range; A in
  g/mol, ρ in g/cm³). It has to come back too, so nothing below R/2 is seen.
- *Response.* The share of the backscatter signal that comes from below a reduced depth u (u = 1 at R/2) is
  g(u) = (1 − u)³. The power is the one assumption here; it gives the shine-through that k-means on published
  images suffers from [3]_. A measured or learned response replaces :func:`visibility`.
- *Coefficients* η(E) of gold and epoxy: bulk values from Monte Carlo, consistent with the experimental
  database to its scatter of ±10 % [2]_.

.. [1] K. Kanaya, S. Okayama, "Penetration and energy-loss theory of electrons in solid targets",
   J. Phys. D: Appl. Phys. 5, 43 (1972).
.. [2] D. C. Joy, "A database on electron–solid interactions", Scanning 17, 270 (1995).
.. [3] T. Sardhara et al., "Enhancing 3D reconstruction accuracy of FIB tomography data using multi-voltage
   images and multimodal machine learning", Nanomanuf. Metrol. (2024), tables 3 and 5: k-means on simulated
   1/2/4 kV images misplaces 4.5/9.5/18.6 % of the pixels and finds solid fractions of .147/.180/.258 for
   .123. On images of this model: 2.7/7.7/14.9 %, .148/.169/.219 for .128 (``python -m benchmarks
   segmentation --quick``, 2026-11-20).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VOLTAGES_KV = (0.5, 10.0)
"""Limits of the model: below, charging and contamination rule; above, the whole box would be visible."""
VISIBLE_SHARE = 0.01
"""Depths whose response has fallen to this share of the face's are not looked at."""
STEP_GROWTH_NM = 60.0
"""Deeper layers are seen ever more blurred: the sampling step doubles in this depth."""


@dataclass(frozen=True, slots=True)
class Material:
    """What the image needs of a phase: mean atomic weight [g/mol] and number, density [g/cm³], and the bulk
    backscatter coefficient at 1, 2, 4 and 10 keV."""

    atomic_weight: float
    atomic_number: float
    density: float
    backscatter: tuple[float, float, float, float]


EPOXY = Material(12.0, 6.0, 1.2, (0.12, 0.10, 0.08, 0.07))
GOLD = Material(196.97, 79.0, 19.3, (0.44, 0.47, 0.48, 0.48))
PHASES = (EPOXY, GOLD)


def electron_range_nm(material: Material, voltage_kv: float) -> float:
    """Kanaya–Okayama maximum range in bulk material. Raises ValueError outside 0.5–10 kV."""
    if not VOLTAGES_KV[0] <= voltage_kv <= VOLTAGES_KV[1]:
        raise ValueError(f"voltage_kv = {voltage_kv:g}: the image model holds from 0.5 to 10 kV")
    scale = 27.6 * material.atomic_weight / (material.atomic_number**0.889 * material.density)
    return scale * voltage_kv**1.67


def backscatter_coefficient(material: Material, voltage_kv: float) -> float:
    """Bulk η at this voltage, linear in log E between the tabulated energies and below them."""
    energy, table = np.log([1.0, 2.0, 4.0, 10.0]), material.backscatter
    below = table[0] + (table[1] - table[0]) * np.log(voltage_kv) / np.log(2.0)
    return float(below if voltage_kv < 1.0 else np.interp(np.log(voltage_kv), energy, table))


def visibility(reduced_depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of the signal that comes from below a depth given in units of half the electron range."""
    remaining = np.maximum(1 - reduced_depth, 0)
    return remaining * remaining * remaining


def depth_of_share_nm(share: float, voltage_kv: float) -> float:
    """Depth in epoxy below which this share of the response comes from: the inverse of :func:`visibility`."""
    return (1 - share ** (1 / 3)) * electron_range_nm(EPOXY, voltage_kv) / 2


def visible_depth_nm(voltage_kv: float) -> float:
    """Depth under epoxy at which the contrast of gold has fallen to 1/e of that at the face."""
    return depth_of_share_nm(float(np.exp(-1)), voltage_kv)


def layer_depths_nm(voltage_kv: float, step_nm: float = 2.5) -> NDArray[np.float64]:
    """Depths (k,) to look at below the face: 0, then steps growing from ``step_nm``, to VISIBLE_SHARE.

    The series of a lower voltage is the beginning of that of a higher one, so that they can share layers.
    """
    deepest = depth_of_share_nm(VISIBLE_SHARE, voltage_kv)
    count = STEP_GROWTH_NM / step_nm * np.log1p(deepest / STEP_GROWTH_NM)
    return STEP_GROWTH_NM * np.expm1(np.arange(int(np.ceil(count)) + 1) * step_nm / STEP_GROWTH_NM)
