"""How an image sees into depth: bulk coefficients, and how the signal of what lies below fades.

A column model needs three things of the beam at one voltage: the backscatter coefficient of every phase, how
fast every phase uses up the reduced depth, and the share of the signal that comes from below a reduced depth.
They come from closed formulas (:func:`formula_response`), or from a table of simulated coefficients of gold
under epoxy (:func:`tabulated_response`).
"""

from collections.abc import Callable
from dataclasses import dataclass

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
FINE_NM = 0.5
"""Step of the tabulated response; between its entries the nearest is taken."""


@dataclass(frozen=True, slots=True)
class DepthResponse:
    """``eta`` (phases,), ``unit_nm`` (phases,) thickness that takes 1 of the reduced depth, ``below`` the
    share of the signal from below a reduced depth, 1 at 0 and falling to 0."""

    eta: Floats32
    unit_nm: NDArray[np.float64]
    below: Callable[[Floats32], Floats32]


def formula_response(voltage_kv: float) -> DepthResponse:
    """The response of :mod:`algorithms.electrons`: Kanaya–Okayama ranges and the cube law."""
    eta = np.array([backscatter_coefficient(phase, voltage_kv) for phase in PHASES], dtype=np.float32)
    half_range_nm = np.array([electron_range_nm(phase, voltage_kv) / 2 for phase in PHASES])
    return DepthResponse(eta, half_range_nm, visibility)


def tabulated_response(
    depths_nm: NDArray[np.float64], gold_eta: NDArray[np.float64], epoxy_eta: float, voltage_kv: float
) -> DepthResponse:
    """From the coefficient of bulk gold below each of the rising depths of epoxy (the first 0), and of epoxy.

    The reduced depth is the equivalent depth in epoxy, nm; gold uses it up faster by the ratio of the ranges.
    Below the last entry the response goes on as the exponential through its last half.
    """
    share = np.clip((gold_eta - epoxy_eta) / (gold_eta[0] - epoxy_eta), 1e-4, 1.0)
    share = np.minimum.accumulate(share)
    half = len(share) // 2
    decay = np.log(share[half] / share[-1]) / (depths_nm[-1] - depths_nm[half])
    decay = max(float(decay), 1e-3)
    fine_nm = np.arange(0.0, depths_nm[-1] + 12.0 / decay, FINE_NM)
    beyond = share[-1] * np.exp(-decay * (fine_nm - depths_nm[-1]))
    table = np.where(fine_nm <= depths_nm[-1], np.interp(fine_nm, depths_nm, share), beyond).astype(
        np.float32
    )
    table[-1] = 0.0
    gold_nm = electron_range_nm(GOLD, voltage_kv) / electron_range_nm(EPOXY, voltage_kv)

    def below(reduced: Floats32) -> Floats32:
        return table[np.minimum((reduced / FINE_NM + 0.5).astype(np.int32), len(table) - 1)]

    eta = np.array([epoxy_eta, gold_eta[0]], dtype=np.float32)
    return DepthResponse(eta, np.array([1.0, gold_nm]), below)


def weighted_sum(layers: NDArray[np.uint8], weights: NDArray[np.float64]) -> Floats32:
    """Layers (k, h, w), each with its weight (k,), normalised: float32 (h, w) in [0, 1].

    The weighted grey image of Sardhara et al. ("Generative adversarial networks …", §2.3): 10–15 slices below
    the face, weighted with the coefficient of material that is buried as deep.
    """
    share = (weights / weights.sum()).astype(np.float32)
    return np.tensordot(share, (layers == 1).astype(np.float32), axes=1)
