"""What a scanning electron microscope does to a clean signal before it is a file: blur, artefacts, noise.

Order of events, as in the instrument: the mill leaves curtains on the face, the trench shades it, charge
trails behind bright regions along the fast scan direction (x), the beam blurs, electrons arrive in numbers
(Poisson), the detector adds its own noise to pixels and to scan lines, and the operator's contrast and
brightness, which wander during a run, map the result to grey values.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.signal import lfilter


@dataclass(frozen=True, slots=True)
class Instrument:
    """Signal is backscattered electrons per incident one; grey is a share of the full scale of ``bits``."""

    dose_electrons: float
    """Incident electrons per pixel, times the collected share of those that come back."""
    gain: float
    """Full-scale grey per unit of signal (contrast)."""
    offset: float
    """Grey at zero signal (brightness)."""
    pixel_noise: float = 0.01
    """Rms of the detector's noise, grey."""
    line_noise: float = 0.004
    """Rms of a scan line's common offset, grey."""
    beam_sigma_px: float = 0.4
    """Rms radius of the beam, in pixels."""
    curtaining: float = 0.02
    """Rms relative brightness of curtains."""
    shading: float = 0.06
    """Relative loss of signal from the top to the bottom of the face, shadowed by the trench."""
    charging: float = 0.03
    """Share of the signal that trails behind along a scan line, darkening what follows."""
    charging_length_px: float = 60.0
    """Decay length of that trail."""
    brightness_wander: float = 0.01
    """Rms of the wandering of brightness over a run, grey."""
    contrast_wander: float = 0.02
    """Rms of the relative wandering of contrast over a run."""
    bits: int = 8
    """8 or 16, of the recorded file."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """The face and the instrument at the moment of one image, in units of the instrument's rms values:
    ``curtains`` float32 (w,) is common to all images of a face, the wandering belongs to one channel."""

    curtains: NDArray[np.float32]
    brightness: float
    contrast: float


ELECTRONS_PER_PIXEL = 50e-12 * 30e-6 / 1.602176634e-19
"""50 pA for 30 µs (Sardhara et al. 2024, §2.1.1: "low-noise imaging")."""
COLLECTED_SHARE = 0.1
"""Of the backscattered electrons, by a detector in the lens: those within 18° of the axis, sin²(18°) of a
cosine distribution."""


def default_instrument(voltage_kv: float) -> Instrument:
    """A 50 pA through-the-lens image with 30 µs dwell as published: the lower the voltage, the less focused
    it is, and the more it shows of the face's finish."""
    finish = voltage_kv**-0.5
    return Instrument(
        dose_electrons=ELECTRONS_PER_PIXEL * COLLECTED_SHARE,
        gain=1.6,
        offset=0.05,
        beam_sigma_px=0.3 + 0.2 * finish,
        curtaining=0.025 * finish,
        charging=0.03 * finish,
    )


def wandering(steps: int, correlation_steps: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A stationary Gaussian sequence (steps,) of unit variance that forgets within ``correlation_steps``."""
    memory = np.exp(-1 / correlation_steps)
    shocks = rng.standard_normal(steps) * np.sqrt(1 - memory**2)
    shocks[:1] /= np.sqrt(1 - memory**2)
    return np.asarray(lfilter([1.0], [1.0, -memory], shocks), dtype=np.float64)


def curtain_profiles(
    depths_nm: NDArray[np.float64],
    width: int,
    rng: np.random.Generator,
    *,
    width_px: float = 12.0,
    persistence_nm: float = 60.0,
) -> NDArray[np.float32]:
    """Curtains of successive faces: float32 (slices, width), rms 1, smooth along x over ``width_px``.

    A curtain hangs from a hard spot above it and ends with it: profiles of faces d nm apart correlate as
    exp(−d/``persistence_nm``).
    """
    memory = np.exp(-np.diff(depths_nm, prepend=depths_nm[:1] - np.inf) / persistence_nm)
    profiles = np.empty((len(depths_nm), width))
    previous = np.zeros(width)
    for profile, share in zip(profiles, memory, strict=True):
        fresh = _smooth_noise(width, width_px, rng)
        previous = profile[:] = share * previous + np.sqrt(1 - share**2) * fresh
    return profiles.astype(np.float32)


def draw_conditions(width: int, rng: np.random.Generator) -> Conditions:
    """Conditions of an image that stands alone."""
    curtains = curtain_profiles(np.zeros(1), width, rng)[0]
    return Conditions(curtains, float(rng.standard_normal()), float(rng.standard_normal()))


def expose(
    signal: NDArray[np.float32],
    instrument: Instrument,
    rng: np.random.Generator,
    conditions: Conditions | None = None,
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The recorded image of a clean signal in [0, 1]: float32 (h, w) -> uint8 or uint16 (h, w).

    Without ``conditions`` the image stands alone. Same arguments and same generator state, same image.
    """
    now = conditions or draw_conditions(signal.shape[1], rng)
    seen = _beam_blur(_charge_trail(_illuminate(signal, instrument, now), instrument), instrument)
    counted = rng.poisson(np.clip(seen, 0, None) * instrument.dose_electrons) / instrument.dose_electrons
    gain = instrument.gain * (1 + instrument.contrast_wander * now.contrast)
    offset = instrument.offset + instrument.brightness_wander * now.brightness
    grey = offset + gain * counted + _detector_noise(signal.shape, instrument, rng)
    return _digitise(grey, instrument.bits)


def _smooth_noise(width: int, width_px: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Gaussian noise (width,) of unit variance, smoothed by a Gaussian; uniform to the edges."""
    padded = width + int(8 * width_px)
    smooth = gaussian_filter1d(rng.standard_normal(padded), width_px, mode="wrap")
    return smooth[:width] * np.sqrt(2 * width_px * np.sqrt(np.pi))


def _illuminate(signal: NDArray[np.float32], instrument: Instrument, now: Conditions) -> NDArray[np.float32]:
    """Curtains along y and the shade of the trench."""
    shade = np.linspace(1, 1 - instrument.shading, len(signal), dtype=np.float32)
    curtains = (1 + instrument.curtaining * now.curtains).astype(np.float32)
    return signal * shade[:, None] * curtains


def _charge_trail(signal: NDArray[np.float32], instrument: Instrument) -> NDArray[np.float32]:
    """Charge left by what was scanned before, an exponential memory along x, takes from the signal."""
    memory = np.exp(-1 / instrument.charging_length_px)
    start = signal[:, :1] * memory
    trail, _ = lfilter([1 - memory], [1, -memory], signal, axis=1, zi=start)
    return (signal - instrument.charging * trail).astype(np.float32)


def _beam_blur(signal: NDArray[np.float32], instrument: Instrument) -> NDArray[np.float32]:
    return np.asarray(gaussian_filter(signal, instrument.beam_sigma_px), dtype=np.float32)


def _detector_noise(
    shape: tuple[int, ...], instrument: Instrument, rng: np.random.Generator
) -> NDArray[np.float32]:
    pixels = rng.standard_normal(shape, dtype=np.float32)
    lines = rng.standard_normal((shape[0], 1), dtype=np.float32)
    return (instrument.pixel_noise * pixels + instrument.line_noise * lines).astype(np.float32, copy=False)


def _digitise(grey: NDArray[np.float64], bits: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    full_scale = 2**bits - 1
    return np.rint(np.clip(grey, 0, 1) * full_scale).astype(np.uint8 if bits == 8 else np.uint16)
