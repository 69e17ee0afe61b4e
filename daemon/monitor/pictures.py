"""Pictures for the page: PNG of a preview's arrays, of labels, and of what the network is not sure of."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from daemon.messages import PreviewMessage
from daemon.monitor.palette import DOUBT, PHASES
from daemon.monitor.png import grey_png, indexed_png
from daemon.preview import block_centre, grey_block

FILL_ALPHA, OUTLINE_ALPHA, OPAQUE = 40, 210, 255


class PictureStore:
    """The pictures of the newest preview as PNG, each encoded once for all browsers, when first asked for.

    ``show`` is called on the web server's thread and ``png`` on a single other one.
    """

    def __init__(self) -> None:
        self._seq = -1
        self._now: tuple[PreviewMessage | None, dict[tuple[str, int], bytes]] = (None, {})

    def show(self, preview: PreviewMessage | None, seq: int) -> None:
        """From now on the pictures of ``preview``, which has the number ``seq``."""
        if seq != self._seq:
            self._seq, self._now = seq, (preview, {})

    def png(self, name: str, step: int = 1) -> bytes | None:
        """The picture ``name`` of the preview's arrays, or ``overlay``; None if there is none.

        A ``step`` gives one pixel for so many along each side.
        """
        preview, made = self._now
        key = name, step
        if key not in made:
            png = _png(preview.arrays, name, step) if preview else None
            if png is None:
                return None
            made[key] = png
        return made[key]


def _png(arrays: dict[str, np.ndarray], name: str, step: int) -> bytes | None:
    source = {"overlay": "labels", "uncertainty": "solid"}.get(name, name)
    if source not in arrays or min(arrays[source].shape) < step:
        return None
    match name.partition("/")[0]:
        case "overlay":
            return outlined(block_centre(arrays[source], step))
        case "uncertainty":
            return doubtful(grey_block(arrays[source], step))
        case "cut":
            return coloured(block_centre(arrays[source], step))
        case "image":
            return grey_png(grey_block(arrays[source], step))
        case _:
            return None


def coloured(labels: NDArray[np.uint8]) -> bytes:
    """The phases (y, x) in their colours."""
    return indexed_png(_known(labels), _colours(OPAQUE))


def outlined(labels: NDArray[np.uint8]) -> bytes:
    """To lay over an image: the solid phases of ``labels`` (y, x) faintly filled, with a clear outline."""
    colours = np.concatenate([_colours(FILL_ALPHA), _colours(OUTLINE_ALPHA)])
    colours[:: len(PHASES), 3] = 0  # the pore
    return indexed_png(_known(labels) + np.uint8(len(PHASES)) * _edges(labels), colours)


def doubtful(solid: NDArray[np.uint8]) -> bytes:
    """The more opaque, the less sure the network is; ``solid`` (y, x) is 255 · probability."""
    return indexed_png(solid, _DOUBTS)


def _known(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Phases beyond the last colour have the last colour."""
    return np.minimum(labels, np.uint8(len(PHASES) - 1))


def _edges(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a pixel has another phase beside, above or below it."""
    edge = np.zeros(labels.shape, np.bool_)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge


def _colours(alpha: int) -> NDArray[np.uint8]:
    return np.array([(*phase, alpha) for phase in PHASES], np.uint8)


_DOUBTS: Final = np.array([(*DOUBT, 255 - abs(2 * value - 255)) for value in range(256)], np.uint8)
