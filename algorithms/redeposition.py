"""What the mill throws back onto the face: a film that grows towards the bottom of the trench.

Milled material that does not leave the trench settles where the trench ends, so the film is thickest at the
lower edge of the face and varies along it. It covers the signal with its own.
"""

import numpy as np
from numpy.typing import NDArray

FILM_SIGNAL = 0.22
"""Backscattered per incident electron, of a mixture of carbon and heavier elements."""
UNEVENNESS = 0.4
"""Rms relative variation of the film along the face."""


def film_coverage(height: int, profile: NDArray[np.float32], strength: float) -> NDArray[np.float32]:
    """Share of the signal that is the film's: float32 (height, w) in [0, 1], ``strength`` at the lower edge.

    It rises with the square of the way down; ``profile`` (w,) has rms 1 and says where along x it is thicker.
    """
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 2
    along = np.clip(1 + UNEVENNESS * profile, 0, None).astype(np.float32)
    return np.clip(strength * down * along, 0, 1).astype(np.float32)


def redeposited(
    signal: NDArray[np.float32], profile: NDArray[np.float32], strength: float
) -> NDArray[np.float32]:
    """The signal (h, w) seen through the film; without strength it is the signal itself."""
    covered = film_coverage(len(signal), profile, strength)
    return (signal + covered * (np.float32(FILM_SIGNAL) - signal)).astype(np.float32)
