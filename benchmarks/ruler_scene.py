"""Images of a ruler whose truth is known: bars at exact sub-pixel places, shot noise, curtains, drift.

Written without the code it tests: bars are sampled on eight points a pixel, not integrated in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import toeplitz
from scipy.special import erf

from algorithms.ruler_marks import RulerMark

GREY_PER_SIGNAL = 200.0
_OVERSAMPLING = 8


@dataclass(frozen=True)
class RulerScene:
    """A ruler under one voltage. ``dose``: detected electrons a pixel at signal 1; lengths in px."""

    pixel_size_nm: float = 3.26
    width: int = 1100
    rows: int = 90
    mark_width_nm: float = 100.0
    angle_deg: float = 45.0
    blur_px: float = 1.3
    background: float = 0.28
    contrast: float = 0.30
    dose: float = 150.0
    curtain: float = 0.015
    curtain_columns: float = 2.0
    places: tuple[tuple[float, int], ...] = ((100.4, 0), (250.7, 1), (850.2, -1), (1000.9, 0))

    def marks(self) -> tuple[RulerMark, ...]:
        """The marks of ``places``, (x in px, direction): by default two parallel ones outside, and between
        them two inclined ones that move towards each other."""
        return tuple(
            RulerMark(
                kind="inclined" if direction else "parallel",
                x_px=x,
                y_px=12.0,
                height_px=float(self.rows),
                direction=direction,
                angle_deg=self.angle_deg,
                width_nm=self.mark_width_nm,
            )
            for x, direction in self.places
        )

    def centres_px(self, depth_nm: float, magnification: float = 0.0) -> NDArray[np.float64]:
        """True centres (4,) in reference columns; the magnification is about the middle of the ruler."""
        middle = float(np.mean([mark.x_px for mark in self.marks()]))
        plain = np.array([mark.x_px + mark.slope * depth_nm / self.pixel_size_nm for mark in self.marks()])
        return middle + (plain - middle) * (1.0 + magnification)

    def shot_variance(self, signal: NDArray[np.float64]) -> NDArray[np.float64]:
        """True white variance (n,) of the row-averaged profile in signal units: electrons and rounding."""
        return (signal / self.dose + 1.0 / 12.0 / GREY_PER_SIGNAL**2) / self.rows

    def curtain_covariance(self, signal: NDArray[np.float64]) -> NDArray[np.float64]:
        """True covariance (n, n) that curtains add to the profile, in signal units."""
        lags = np.exp(-0.5 * (np.arange(signal.size) / max(self.curtain_columns, 1e-3)) ** 2)
        return self.curtain**2 * toeplitz(lags) * np.outer(signal, signal)


def bar_signal(
    x_px: NDArray[np.float64], centre_px: float, width_px: float, blur_px: float
) -> NDArray[np.float64]:
    """A bar of height 1 with Gaussian edges, averaged over each pixel."""
    points = x_px[:, None] + (np.arange(_OVERSAMPLING) + 0.5) / _OVERSAMPLING - 0.5 - centre_px
    scale = 1.0 / (np.sqrt(2.0) * blur_px)
    edges = erf((points + 0.5 * width_px) * scale) - erf((points - 0.5 * width_px) * scale)
    return 0.5 * edges.mean(axis=1)


def curtains(scene: RulerScene, rng: np.random.Generator) -> NDArray[np.float64]:
    """Relative brightness (width,) of the stripes on one face, with a Gaussian correlation along x."""
    reach = int(5 * scene.curtain_columns) + 1
    sigma = scene.curtain_columns / np.sqrt(2.0)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2) if sigma > 0 else np.ones(1)
    kernel /= np.sqrt((kernel**2).sum())
    white = rng.standard_normal(scene.width + kernel.size - 1)
    return 1.0 + scene.curtain * np.convolve(white, kernel, mode="valid")


def render(
    scene: RulerScene,
    depth_nm: float,
    rng: np.random.Generator,
    *,
    shift_x_px: float = 0.0,
    magnification: float = 0.0,
    gain: float = 1.0,
    lost: tuple[int, ...] = (),
    stripes: NDArray[np.float64] | None = None,
) -> NDArray[np.uint8]:
    """One image (rows + 30, width). A mark in ``lost`` is not there; ``gain`` is the brightness; ``stripes``
    (width,) are the face's curtains, drawn anew when absent."""
    columns = np.arange(scene.width, dtype=np.float64)
    signal = np.full(scene.width, scene.background) * (1.0 + 0.1 * columns / scene.width)
    width = scene.mark_width_nm / scene.pixel_size_nm
    for index, centre in enumerate(scene.centres_px(depth_nm, magnification)):
        if index not in lost:
            signal = signal + scene.contrast * bar_signal(columns, centre - shift_x_px, width, scene.blur_px)
    signal = signal * (curtains(scene, rng) if stripes is None else stripes)
    face = np.tile(signal, (scene.rows + 30, 1))
    counts = rng.poisson(np.maximum(face, 0.0) * scene.dose) / scene.dose
    lines = 1.0 + 0.01 * rng.standard_normal((face.shape[0], 1))
    return np.clip(np.rint(GREY_PER_SIGNAL * gain * counts * lines), 0, 255).astype(np.uint8)
