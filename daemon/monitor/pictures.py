"""Pictures on the page: PNG of the preview's arrays, placed at their true aspect with a scale bar.

Each picture is an SVG whose unit is a nanometre: pixels that are foreshortened along y are drawn as tall as
they are, overlays cover their image exactly, and the scale bar cannot be wrong. The caption and the bar stand
in a strip below the picture and hide nothing.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from daemon.messages import PreviewMessage
from daemon.monitor.palette import PHASES
from daemon.monitor.units import length, round_length_below

FILL_ALPHA, OUTLINE_ALPHA = 60, 235
BAR_SHARE = 0.3  # of the picture's width, at most


class PictureStore:
    """The pictures of the newest preview as PNG, encoded when first asked for."""

    def __init__(self) -> None:
        self._seq = -1
        self._preview: PreviewMessage | None = None
        self._encoded: dict[str, bytes] = {}

    def show(self, preview: PreviewMessage | None, seq: int) -> None:
        """From now on the pictures of ``preview``, which has the number ``seq``."""
        if seq != self._seq:
            self._seq, self._preview, self._encoded = seq, preview, {}

    def png(self, name: str) -> bytes | None:
        """The picture ``name`` of the preview's arrays, or ``overlay``; None if there is none."""
        if name not in self._encoded:
            pixels = _pixels(self._preview.arrays, name) if self._preview else None
            if pixels is None:
                return None
            self._encoded[name] = bytes(imagecodecs.png_encode(pixels, level=3))
        return self._encoded[name]


def picture(
    layers: Sequence[tuple[str, str]], shape: tuple[int, int], pixel_nm: tuple[float, float], caption: str
) -> str:
    """An SVG of images on top of each other, given as (address, CSS class), with caption and scale bar.

    ``shape`` is (y, x) in px and ``pixel_nm`` the size of a pixel (y, x).
    """
    height, width = shape[0] * pixel_nm[0], shape[1] * pixel_nm[1]
    strip = 0.075 * max(width, 0.9 * height)
    images = "".join(_image(address, kind, height, width) for address, kind in layers)
    return (
        f'<svg class="picture" role="img" aria-label="{html.escape(caption)}" '
        f'viewBox="0 0 {width:.6g} {height + strip:.6g}" preserveAspectRatio="xMidYMid meet">'
        f"{images}{_legend(height, width, strip, caption)}</svg>"
    )


def _image(address: str, kind: str, height: float, width: float) -> str:
    return (
        f'<image class="{kind}" href="{html.escape(address)}" width="{width:.6g}" height="{height:.6g}" '
        'preserveAspectRatio="none"/>'
    )


def _legend(height: float, width: float, strip: float, caption: str) -> str:
    """Caption at the left, bar and its length at the right, in the strip under the picture."""
    bar = round_length_below(BAR_SHARE * width)
    middle, size = height + 0.6 * strip, 0.72 * strip
    baseline = middle + 0.35 * size
    return (
        f'<text class="caption" x="0" y="{baseline:.6g}" font-size="{size:.6g}">{html.escape(caption)}</text>'
        f'<text class="caption" x="{width - bar - 0.4 * size:.6g}" y="{baseline:.6g}" font-size="{size:.6g}" '
        f'text-anchor="end">{length(bar)}</text>'
        f'<rect class="bar" x="{width - bar:.6g}" y="{middle - 0.09 * strip:.6g}" width="{bar:.6g}" '
        f'height="{0.18 * strip:.6g}"/>'
    )


def _pixels(arrays: dict[str, np.ndarray], name: str) -> NDArray[np.uint8] | None:
    """8-bit grey, or colours with transparency for labels."""
    if name == "overlay" and "labels" in arrays:
        return _outlined(arrays["labels"])
    if name not in arrays:
        return None
    if name.startswith("cut/"):
        return _coloured(arrays[name])
    return np.ascontiguousarray(arrays[name]) if name.startswith("image/") else None


def _coloured(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB (y, x, 3) of phases."""
    return np.asarray(PHASES, np.uint8)[np.minimum(labels, len(PHASES) - 1)]


def _outlined(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGBA (y, x, 4) to lay over an image: solid phases faintly filled, with a clear outline."""
    padded = np.pad(labels, 1, mode="edge")
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    edge = np.logical_or.reduce([neighbour != labels for neighbour in neighbours])
    alpha = np.where(labels == 0, 0, np.where(edge, OUTLINE_ALPHA, FILL_ALPHA)).astype(np.uint8)
    return np.concatenate([_coloured(labels), alpha[..., None]], axis=-1)
