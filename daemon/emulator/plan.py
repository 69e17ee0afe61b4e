"""What happens in a run before any picture is taken: depths, drifts and the software's thickness reports.

Everything is drawn from the seed, each quantity from a random stream of its own, so that a knob which changes
one of them leaves the others as they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from algorithms.acquisition import gamma_depths_nm
from daemon.emulator.settings import EmulatorSettings

DRIFT_FAULT = "drift"
"""The one fault that happens to the sample and not to the files."""


class Stream(IntEnum):
    """The random streams of a run."""

    STRUCTURE = 0
    DEPTHS = 1
    STAGE = 2
    CHANNELS = 3
    ESTIMATES = 4
    CONDITIONS = 5
    LAYOUT = 6
    TEXTURE = 7
    EXPOSURE = 8
    FAULT = 9
    IDENTITY = 10
    TOP_VIEW = 11
    REDEPOSITION = 12


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A run foreseen: depths (slice,) nm, shifts (slice, channel, 2) px as (dy, dx), both 0 at the start.

    ``surface_shifts_px`` (slice, channel, 2) are those of the unmilled surface, ``reported_nm`` (slice,) what
    the microscope's software believes of the thickness, often ≤ 1 nm and at times NaN.
    """

    depths_nm: NDArray[np.float64]
    shifts_px: NDArray[np.float64]
    surface_shifts_px: NDArray[np.float64]
    reported_nm: NDArray[np.float64]


def random_stream(settings: EmulatorSettings, stream: Stream, *key: int) -> np.random.Generator:
    """The generator of one quantity; ``key`` tells its members apart, such as slice and channel."""
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(int(stream), *key)))


def plan_run(settings: EmulatorSettings) -> Plan:
    """Draw a run from its seed."""
    depths_nm = _depths_nm(settings)
    recession_px = depths_nm * recession_px_per_nm(settings)
    tracked = settings.stage.recession_tracked
    stage = _stage_px(settings)
    face, surface = stage.copy(), stage.copy()
    face[..., 0] += (1.0 - tracked) * recession_px[:, None]
    surface[..., 0] -= tracked * recession_px[:, None]
    return Plan(depths_nm, face, surface, _reported_nm(settings, depths_nm))


def pixel_y_nm(settings: EmulatorSettings) -> float:
    """Height of an image row on the face: foreshortened by the tilt unless that is corrected."""
    return settings.pixel_size_nm / (1.0 if settings.tilt_correction else _sine(settings))


def recession_px_per_nm(settings: EmulatorSettings) -> float:
    """How far the face moves up the image against the surface for each nm that is milled off."""
    cosine = float(np.cos(np.radians(settings.tilt_deg)))
    corrected = _sine(settings) if settings.tilt_correction else 1.0
    return cosine / corrected / settings.pixel_size_nm


def _sine(settings: EmulatorSettings) -> float:
    return float(np.sin(np.radians(settings.tilt_deg)))


def _depths_nm(settings: EmulatorSettings) -> NDArray[np.float64]:
    """Gamma-distributed slices; from an ordered drift on, the mean is raised and the scatter kept."""
    milling = settings.milling
    rng = random_stream(settings, Stream.DEPTHS)
    thickness_nm = np.diff(gamma_depths_nm(settings.slices, milling.mean_nm, milling.sigma_nm, rng))
    for fault in settings.faults:
        if fault.kind == DRIFT_FAULT:
            thickness_nm[max(fault.slice_number - 2, 0) :] += milling.drift_shift_sigma * milling.sigma_nm
    if milling.grid_nm > 0:
        thickness_nm = np.maximum(np.rint(thickness_nm / milling.grid_nm), 1) * milling.grid_nm
    return np.concatenate(([0.0], np.cumsum(thickness_nm)))


def _stage_px(settings: EmulatorSettings) -> NDArray[np.float64]:
    """Walk and jitter of the stage, offsets of the channels: (slice, channel, 2), 0 for the first."""
    stage, shape = settings.stage, (settings.slices, len(settings.voltages_kv), 2)
    rng = random_stream(settings, Stream.STAGE)
    slices = np.cumsum(rng.normal(0.0, stage.walk_px, (shape[0], 2)), axis=0)
    slices += rng.normal(0.0, stage.jitter_px, (shape[0], 2))
    rng = random_stream(settings, Stream.CHANNELS)
    shifts = slices[:, None] + rng.normal(0.0, stage.channel_offset_px, shape[1:])
    shifts += rng.normal(0.0, stage.channel_jitter_px, shape)
    return shifts - shifts[0, settings.reference_channel]


def _reported_nm(settings: EmulatorSettings, depths_nm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The software's guesses: a poor one, at or below 1 nm for many slices, and NaN for some."""
    milling, rng = settings.milling, random_stream(settings, Stream.ESTIMATES)
    true_nm = np.diff(depths_nm, prepend=-milling.target_nm)
    guess = np.abs(true_nm + rng.normal(0.0, milling.guess_sigma_nm, len(true_nm)))
    lot = rng.uniform(size=len(true_nm))
    blind = rng.uniform(0.0, 1.0, len(true_nm))
    reported = np.where(lot < milling.blind_share, blind, guess)
    return np.where(lot > 1.0 - milling.nan_share, np.nan, reported)
