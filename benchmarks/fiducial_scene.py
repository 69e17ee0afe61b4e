"""Pictures of a fiducial with exactly known shift: two crossed trenches in a bright pad, blurred by the beam.

A rectangle blurred by a Gaussian is a product of error functions in the rectangle's own axes, so the picture
is evaluated at its sub-pixel position, never interpolated. This code shares nothing with `algorithms`.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import erf

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FiducialScene:
    """A mark in an image of `side_px` a side, and how it is imaged; brightness in grey values."""

    side_px: int = 224
    pad_px: float = 150.0
    arm_px: float = 110.0
    trench_px: float = 12.0
    angle_deg: float = 9.0
    blur_px: float = 1.5
    dark: float = 50.0
    bright: float = 190.0
    trench_depth: float = 0.8
    """Contrast of the trenches, of that of the pad."""
    dose: float = 60.0
    """Electrons per pixel at full brightness; shot noise goes with the signal above `dark`."""
    background: float = 0.15
    inverted: bool = False
    eroded: float = 0.0
    """Share of the picture, from the right, that is a flat grey."""
    curtain: float = 0.0
    """Standard deviation of vertical stripes, grey values."""


def _centred(side_px: int) -> Array:
    return np.linspace(-(side_px - 1) / 2, (side_px - 1) / 2, side_px)


def _bar(u: Array, width: float, blur: float) -> Array:
    scale = blur * np.sqrt(2.0)
    return 0.5 * (erf((u + width / 2) / scale) - erf((u - width / 2) / scale))


def signal(scene: FiducialScene, shift: tuple[float, float] = (0.0, 0.0)) -> Array:
    """(side, side) noise-free relative brightness, 0…1, of an image whose registration shift is `shift`."""
    centred = _centred(scene.side_px)
    y, x = centred + shift[0], centred + shift[1]
    angle = np.deg2rad(scene.angle_deg)
    u = y[:, None] * np.cos(angle) - x[None] * np.sin(angle)
    v = y[:, None] * np.sin(angle) + x[None] * np.cos(angle)
    blur = scene.blur_px
    pad = _bar(u, scene.pad_px, blur) * _bar(v, scene.pad_px, blur)
    one = _bar(u, scene.arm_px, blur) * _bar(v, scene.trench_px, blur)
    other = _bar(v, scene.arm_px, blur) * _bar(u, scene.trench_px, blur)
    trenches = one + other - one * other
    mark = scene.background + (1 - scene.background) * pad * (1 - scene.trench_depth * trenches)
    if scene.inverted:
        mark = 1.0 - 0.7 * mark
    return np.where(_intact(scene, y, x), mark, 0.2)


def _intact(scene: FiducialScene, y: Array, x: Array) -> NDArray[np.bool_]:
    """(side, side) where the mark is not eroded; the edge of the damage is ragged."""
    if not scene.eroded:
        return np.ones((y.size, x.size), dtype=bool)
    return x[None] <= (0.5 - scene.eroded) * scene.side_px + 4.0 * np.sin(y[:, None] / 7.0)


def expose(scene: FiducialScene, clean: Array, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture that the microscope stores: shot noise, stripes, eight bits."""
    contrast = scene.bright - scene.dark
    noisy = scene.dark + contrast * rng.poisson(clean * scene.dose) / scene.dose
    if scene.curtain:
        stripes = ndimage.gaussian_filter1d(rng.normal(size=clean.shape[1]), 2.0, mode="wrap")
        noisy = noisy + scene.curtain * stripes / stripes.std()
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def picture(scene: FiducialScene, shift: tuple[float, float], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A noisy picture of the mark."""
    return expose(scene, signal(scene, shift), rng)


def bound_px(reference: FiducialScene, moving: FiducialScene) -> float:
    """Cramér–Rao bound of one component of the shift between two noisy pictures of a known mark, px.

    Fisher information Σ g gᵀ / (v + a²·w) over what is intact, with slope g of the moving picture, variances
    v and w of both and the contrast a between them; gain and offset are even where slopes are odd and cost
    nothing. Stripes are not counted.
    """
    centred = _centred(moving.side_px)
    intact = _intact(moving, centred, centred)
    moving = replace(moving, eroded=0.0)
    contrast = moving.bright - moving.dark
    step = 0.01
    seen, other = signal(moving), signal(reference)
    slopes = [
        contrast * (signal(moving, ahead) - signal(moving, behind)) / (2 * step)
        for ahead, behind in (((step, 0.0), (-step, 0.0)), ((0.0, step), (0.0, -step)))
    ]
    gain = float(np.polyfit(other.ravel(), seen.ravel(), 1)[0])
    variance = contrast**2 * (seen / moving.dose + gain**2 * other / reference.dose) + (1 + gain**2) / 12.0
    information = np.array([[float((a * b / variance)[intact].sum()) for b in slopes] for a in slopes])
    return float(np.sqrt(np.trace(np.linalg.inv(information)) / 2.0))


def other_voltage(scene: FiducialScene) -> FiducialScene:
    """The same mark at another voltage: inverted, weaker contrast, a softer beam."""
    return replace(scene, inverted=True, blur_px=1.2 * scene.blur_px)
