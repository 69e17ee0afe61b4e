"""How an image sees into depth: bulk coefficients, and how the signal of what lies below fades.

A column model needs three things of the beam at one voltage: the backscatter coefficient of every phase, how
fast every phase uses up the reduced depth, and the share of the signal that comes from below a reduced depth.
They come from closed formulas (:func:`formula_response`), or from a table of simulated coefficients of gold
under epoxy (:func:`tabulated_response`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from algorithms.electrons import (
    EPOXY,
    GOLD,
    PHASES,
    backscatter_coefficient,
    electron_range_nm,
    visibility,
)

Floats32 = NDArray[np.float32]
SPREAD_PER_DEPTH = 0.3
"""Root mean square fan-out along one direction, over depth: a cone of about 17°."""
GOLD_STEEPER = 0.5
"""A film of gold looks like bulk gold at this share of the thickness that the ratio of ranges gives: what
comes back from gold comes from nearer its surface. Set to agree best with Monte Carlo images at 1, 2 and 4 kV
(correlation, see `python -m benchmarks montecarlo`)."""
TRUSTED_SHARE = 0.03
"""Smaller responses drown in the error of the table."""
SLOWEST_DECAY = 1e-3
"""Per nm, below the table."""
FINE_NM = 0.5
"""Step of the tabulated response; between its entries the nearest is taken."""


@dataclass(frozen=True, slots=True)
class DepthResponse:
    """``eta`` (phases,), ``unit_nm`` (phases,) thickness that takes 1 of the reduced depth, ``below`` the
    share of the signal from below a reduced depth, 1 at 0 and falling to 0, ``spread_nm`` the rms radius,
    along one direction, of what is seen at a depth in nm."""

    eta: Floats32
    unit_nm: NDArray[np.float64]
    below: Callable[[Floats32], Floats32]
    spread_nm: Callable[[float], float]


def formula_response(voltage_kv: float) -> DepthResponse:
    """The response of :mod:`algorithms.electrons`: Kanaya–Okayama ranges and the cube law."""
    eta = np.array([backscatter_coefficient(phase, voltage_kv) for phase in PHASES], dtype=np.float32)
    half_range_nm = np.array([electron_range_nm(phase, voltage_kv) / 2 for phase in PHASES])
    return DepthResponse(eta, half_range_nm, visibility, lambda depth_nm: SPREAD_PER_DEPTH * depth_nm)


def tabulated_response(
    depths_nm: NDArray[np.float64], gold_eta: NDArray[np.float64], epoxy_eta: float, voltage_kv: float
) -> DepthResponse:
    """From the coefficient of bulk gold below each of the rising depths of epoxy (the first 0), and of epoxy.

    The reduced depth is the equivalent depth in epoxy, nm; gold uses it up faster by the ratio of the ranges.
    Below the last entry above TRUSTED_SHARE it goes on as an exponential through that one and the one before.
    """
    share = np.clip((gold_eta - epoxy_eta) / (gold_eta[0] - epoxy_eta), 1e-4, 1.0)
    share = np.minimum.accumulate(share)
    last = max(int(np.flatnonzero(share > TRUSTED_SHARE)[-1]), 1)
    decay = float(np.log(share[last - 1] / share[last]) / (depths_nm[last] - depths_nm[last - 1]))
    decay = max(decay, SLOWEST_DECAY)
    fine_nm = np.arange(0.0, depths_nm[last] + 12.0 / decay, FINE_NM)
    beyond = share[last] * np.exp(-decay * (fine_nm - depths_nm[last]))
    inside = np.interp(fine_nm, depths_nm, share)
    table = np.where(fine_nm <= depths_nm[last], inside, beyond).astype(np.float32)
    table[-1] = 0.0
    gold_nm = GOLD_STEEPER * electron_range_nm(GOLD, voltage_kv) / electron_range_nm(EPOXY, voltage_kv)

    def below(reduced: Floats32) -> Floats32:
        return table[np.minimum((reduced / FINE_NM + 0.5).astype(np.int32), len(table) - 1)]

    eta = np.array([epoxy_eta, gold_eta[0]], dtype=np.float32)
    return DepthResponse(eta, np.array([1.0, gold_nm]), below, partial(beam_spread_nm, voltage_kv))


def beam_spread_nm(voltage_kv: float, depth_nm: float) -> float:
    """Rms radius along one direction of a beam that has gone through this much epoxy.

    J. I. Goldstein et al. (Scanning Electron Microscopy 1977/I, 315): 90 % of the electrons are inside the
    diameter 6.25·10⁵·(Z/E)·(ρ/A)^½·t^1.5, in cm, with E in eV; of a Gaussian that is 4.29 σ.
    """
    scale = 6.25e5 * EPOXY.atomic_number / (1000 * voltage_kv) * np.sqrt(EPOXY.density / EPOXY.atomic_weight)
    return float(scale * (1e-7 * depth_nm) ** 1.5 * 1e7 / 4.29)


def weighted_sum(layers: NDArray[np.uint8], weights: NDArray[np.float64]) -> Floats32:
    """Layers (k, h, w), each with its weight (k,), normalised: float32 (h, w) in [0, 1].

    The weighted grey image of Sardhara et al. ("Generative adversarial networks …", §2.3): 10–15 slices below
    the face, weighted with the coefficient of material that is buried as deep.
    """
    share = (weights / weights.sum()).astype(np.float32)
    return np.tensordot(share, (layers == 1).astype(np.float32), axes=1)
