"""Acquisitions that a network trained on the published one does not know, each one thing away from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from algorithms.acquisition import FaceGrid, gamma_depths_nm, render_stack
from algorithms.depth_response import DepthResponse, tabulated_response
from algorithms.electron_transport.materials import COPPER, EPOXY
from algorithms.instrument import Instrument, default_instrument
from algorithms.structures import HierarchicalStructure, level_cut, levelled_wave_field, wavelength_nm
from models.backscatter import RESPONSE_DEPTHS_NM, shipped_network
from models.domain_learning import known_run
from models.normalisation import FaceImage

VOLTAGES_KV: Final = (1.0, 2.0, 4.0)
Run = list[list[FaceImage]]
"""Images [slice][channel]."""
COPPER_LIGAMENT_NM, COPPER_FRACTION = 50.0, 0.35
SIDE_PX, PIXEL_NM, THICKNESS_NM = 240, 3.26, (10.16, 3.12)


def _with(seed: int, slices: int, change: Callable[[Instrument], Instrument]) -> Run:
    return known_run(seed, VOLTAGES_KV, slices, [change(default_instrument(kv)) for kv in VOLTAGES_KV])


def noisier(seed: int, slices: int) -> Run:
    """Three times the noise: a ninth of the electrons, and three times the detector's own."""
    return _with(
        seed,
        slices,
        lambda usual: replace(
            usual,
            dose_electrons=usual.dose_electrons / 9,
            pixel_noise=3 * usual.pixel_noise,
            line_noise=3 * usual.line_noise,
        ),
    )


def defocused(seed: int, slices: int) -> Run:
    """A beam that is 1 px (rms) wider."""
    return _with(seed, slices, lambda usual: replace(usual, beam_sigma_px=usual.beam_sigma_px + 1.0))


def charging(seed: int, slices: int) -> Run:
    """Ten times the charge trails behind along a scan line."""
    return _with(seed, slices, lambda usual: replace(usual, charging=10 * usual.charging))


def inverted(seed: int, slices: int) -> Run:
    """Gold dark, epoxy bright."""
    return [[np.invert(image) for image in channels] for channels in known_run(seed, VOLTAGES_KV, slices)]


def copper(seed: int, slices: int) -> Run:
    """Another material: copper of one ligament size, a third solid, as the same microscope shows it."""
    rng = np.random.default_rng(seed)
    wave_nm = wavelength_nm(COPPER_LIGAMENT_NM, COPPER_FRACTION)
    field = levelled_wave_field(48, wave_nm / 2.4, wave_nm, rng)
    structure = HierarchicalStructure(field, field, -np.inf, level_cut(field, COPPER_FRACTION))
    images, _ = render_stack(
        structure,
        gamma_depths_nm(slices, *THICKNESS_NM, rng),
        FaceGrid(SIDE_PX, SIDE_PX, PIXEL_NM, PIXEL_NM, *rng.uniform(0, 1e4, 2)),
        VOLTAGES_KV,
        [default_instrument(kv) for kv in VOLTAGES_KV],
        rng,
        [_copper_response(kv) for kv in VOLTAGES_KV],
    )
    return [list(channels) for channels in images]


def _copper_response(voltage_kv: float) -> DepthResponse:
    """As the backscatter network has learned it; ranges in copper are taken to be those in gold."""

    def eta(number: float, depths_nm: np.ndarray) -> np.ndarray:
        rows = np.stack(np.broadcast_arrays(number, voltage_kv, depths_nm), axis=1)
        return shipped_network().eta(rows.astype(np.float64))

    epoxy = float(eta(EPOXY.mean_atomic_number, np.zeros(1))[0])
    solid = eta(COPPER.mean_atomic_number, RESPONSE_DEPTHS_NM)
    return tabulated_response(RESPONSE_DEPTHS_NM, solid, epoxy, voltage_kv)


SHIFTS: Final[Mapping[str, Callable[[int, int], Run]]] = {
    "noise": noisier,
    "defocus": defocused,
    "inversion": inverted,
    "charging": charging,
    "material": copper,
}
