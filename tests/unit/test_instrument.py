"""The instrument adds the noise and the artefacts it is told to, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from algorithms.instrument import (
    Conditions,
    Instrument,
    curtain_profiles,
    default_instrument,
    draw_conditions,
    expose,
    wandering,
)

PERFECT = Instrument(
    dose_electrons=1e12,
    gain=1.0,
    offset=0.0,
    pixel_noise=0.0,
    line_noise=0.0,
    beam_sigma_px=0.0,
    curtaining=0.0,
    shading=0.0,
    charging=0.0,
    brightness_wander=0.0,
    contrast_wander=0.0,
    bits=16,
)
FLAT = np.full((300, 400), 0.4, dtype=np.float32)
STILL = Conditions(np.zeros(400, dtype=np.float32), 0.0, 0.0)


def grey(signal: NDArray[np.float32], instrument: Instrument, now: Conditions = STILL) -> NDArray[np.float64]:
    """The exposed image as a share of full scale."""
    image = expose(signal, instrument, np.random.default_rng(4), now)
    return image / (2.0**instrument.bits - 1)


def test_perfect_instrument_records_the_signal() -> None:
    """Without noise and artefacts grey = offset + gain·signal, to the last bit of the file."""
    ramp = np.tile(np.linspace(0, 1, 400, dtype=np.float32), (300, 1))
    assert grey(ramp, replace(PERFECT, gain=0.5, offset=0.2)) == pytest.approx(0.2 + 0.5 * ramp, abs=2e-5)


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_depth_of_the_file(bits: int, dtype: type) -> None:
    """8 bits make uint8, 16 bits uint16; what exceeds full scale is clipped, not wrapped."""
    image = expose(FLAT, replace(PERFECT, bits=bits, gain=9.0), np.random.default_rng(0), STILL)
    assert image.dtype == dtype
    assert image.min() == 2**bits - 1


@pytest.mark.parametrize("dose", [20.0, 300.0])
def test_shot_noise_is_poisson(dose: float) -> None:
    """Variance over signal is one over the dose."""
    image = grey(FLAT, replace(PERFECT, dose_electrons=dose))
    assert image.mean() == pytest.approx(0.4, rel=0.01)
    assert image.var() == pytest.approx(0.4 / dose, rel=0.03)


def test_detector_noise_and_line_noise() -> None:
    """Pixel noise is independent from pixel to pixel, line noise common to a row; both have the rms asked."""
    image = grey(FLAT, replace(PERFECT, pixel_noise=0.02, line_noise=0.01))
    rows = image.mean(axis=1)
    assert (image - rows[:, None]).std() == pytest.approx(0.02, rel=0.02)
    assert rows.std() == pytest.approx(0.01, rel=0.15)


def test_brightness_and_contrast_follow_the_conditions() -> None:
    """Conditions are in units of the instrument's rms."""
    instrument = replace(PERFECT, brightness_wander=0.01, contrast_wander=0.05)
    image = grey(FLAT, instrument, replace(STILL, brightness=2.0, contrast=-1.0))
    assert image == pytest.approx(0.4 * 0.95 + 0.02, abs=2e-5)


def test_curtains_hang_along_y() -> None:
    """Curtains multiply the signal, the same in every row."""
    curtains = curtain_profiles(np.zeros(1), 400, np.random.default_rng(0))[0]
    image = grey(FLAT, replace(PERFECT, curtaining=0.1), replace(STILL, curtains=curtains))
    assert np.ptp(image, axis=0).max() < 1e-4
    assert image[0] == pytest.approx(0.4 * (1 + 0.1 * curtains), abs=2e-5)


def test_shading_darkens_downwards() -> None:
    """The bottom of the face has lost the stated share."""
    image = grey(FLAT, replace(PERFECT, shading=0.1))
    assert image[0] == pytest.approx(0.4, abs=2e-5)
    assert image[-1] == pytest.approx(0.36, abs=2e-5)


def test_charge_trails_behind_bright_regions() -> None:
    """Right of a bright region the signal is reduced, left of it not; the trail decays over its length."""
    bright = FLAT.copy()
    bright[:, 100:200] = 0.9
    instrument = replace(PERFECT, charging=0.1, charging_length_px=30.0)
    change = grey(bright, instrument)[0] - grey(FLAT, instrument)[0]
    assert change[:100] == pytest.approx(0, abs=3e-5)
    assert change[200] == pytest.approx(-0.05, abs=0.005)
    assert change[230] / change[200] == pytest.approx(np.exp(-1), abs=0.02)


def test_beam_blur_spreads_a_point() -> None:
    """A point becomes a Gaussian of the beam's radius with the same sum."""
    point = np.zeros((61, 61), dtype=np.float32)
    point[30, 30] = 1.0
    image = grey(
        point, replace(PERFECT, beam_sigma_px=2.0), replace(STILL, curtains=np.zeros(61, np.float32))
    )
    offset = np.arange(61) - 30
    assert image.sum() == pytest.approx(1, abs=0.02)
    assert np.sqrt((image.sum(axis=0) * offset**2).sum() / image.sum()) == pytest.approx(2.0, abs=0.05)


def test_same_generator_same_image() -> None:
    """An exposure is a function of its arguments and the generator's state."""
    images = [expose(FLAT, default_instrument(1.0), np.random.default_rng(s)) for s in (1, 1, 2)]
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


def test_low_voltage_is_less_sharp_at_the_published_dose() -> None:
    """Defaults from 0.5 to 10 kV: 50 pA for 30 µs, a tenth collected; the beam widens at low voltage."""
    instruments = [default_instrument(v) for v in (0.5, 1.0, 2.0, 4.0, 10.0)]
    assert {round(i.dose_electrons) for i in instruments} == {936}
    assert np.all(np.diff([i.beam_sigma_px for i in instruments]) < 0)


def test_curtains_have_unit_variance_and_fade_with_depth() -> None:
    """Rms 1; faces 60 nm apart correlate by 1/e, 10 nm apart by exp(−1/6); smooth over 12 px along x."""
    depths_nm = np.tile([0.0, 10.0, 70.0], 200) + np.repeat(np.arange(200) * 1e4, 3)
    profiles = curtain_profiles(depths_nm, 600, np.random.default_rng(3))
    first, second, third = (profiles[i::3].astype(np.float64) for i in range(3))
    assert profiles.std() == pytest.approx(1, abs=0.02)
    assert (first * second).mean() == pytest.approx(np.exp(-1 / 6), abs=0.03)
    assert (second * third).mean() == pytest.approx(np.exp(-1), abs=0.03)
    along_x = (profiles[:, 24:] * profiles[:, :-24]).mean()
    assert along_x == pytest.approx(np.exp(-(24**2) / (4 * 12**2)), abs=0.03)


def test_wandering_is_stationary_and_forgets() -> None:
    """Variance 1 from the first step on; correlation e^(−lag/length)."""
    paths = np.stack([wandering(40, 10.0, np.random.default_rng(s)) for s in range(3000)])
    assert paths[:, 0].var() == pytest.approx(1, abs=0.08)
    assert paths[:, -1].var() == pytest.approx(1, abs=0.08)
    assert (paths[:, 10] * paths[:, 20]).mean() == pytest.approx(np.exp(-1), abs=0.06)


def test_drawn_conditions_fit_the_image() -> None:
    """An image that stands alone draws its own curtains, as wide as itself."""
    assert draw_conditions(37, np.random.default_rng(0)).curtains.shape == (37,)
