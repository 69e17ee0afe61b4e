"""Pictures on the page: PNG of the preview's arrays, placed at their true aspect with a scale bar.

Each picture is an SVG whose unit is a nanometre: pixels that are foreshortened along y are drawn as tall as
they are, overlays cover their image exactly, and the scale bar cannot be wrong. The bar stands in a strip
below the picture and hides nothing; its length is written in the caption, in a size that every screen shows.
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

FILL_ALPHA, OUTLINE_ALPHA = 40, 210
BAR_SHARE = 0.3  # of the picture's width, at most
STRIP_SHARE = 0.03  # of the picture's longer side


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
    """A figure: images on top of each other, given as (address, CSS class), with scale bar and caption.

    ``shape`` is (y, x) in px and ``pixel_nm`` the size of a pixel (y, x).
    """
    height, width = shape[0] * pixel_nm[0], shape[1] * pixel_nm[1]
    bar = round_length_below(BAR_SHARE * width)
    strip = STRIP_SHARE * max(width, height)
    name = html.escape(caption)
    images = "".join(_image(address, kind, height, width) for address, kind in layers)
    return (
        f'<figure><svg role="img" aria-label="{name}, scale bar {length(bar)}" '
        f'viewBox="0 0 {width:.6g} {height + strip:.6g}" preserveAspectRatio="xMidYMid meet">{images}'
        f'<rect class="bar" x="{(width - bar) / 2:.6g}" y="{height + 0.4 * strip:.6g}" width="{bar:.6g}" '
        f'height="{0.6 * strip:.6g}"/></svg><figcaption><b>{name}</b> {length(bar)}</figcaption></figure>'
    )


def _image(address: str, kind: str, height: float, width: float) -> str:
    return (
        f'<image class="{kind}" href="{html.escape(address)}" width="{width:.6g}" height="{height:.6g}" '
        'preserveAspectRatio="none"/>'
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
