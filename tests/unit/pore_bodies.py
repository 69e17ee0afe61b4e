"""Bodies of voxels whose descriptors are known."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]


def ball(side: int, radius: float) -> Mask:
    """A ball in the middle of a cube."""
    z, y, x = np.indices((side, side, side)) - (side - 1) / 2
    return z**2 + y**2 + x**2 <= radius**2


def tube(planes: int, side: int, radius: float) -> Mask:
    """A round tube along z."""
    y, x = np.indices((side, side)) - (side - 1) / 2
    return np.broadcast_to(y**2 + x**2 <= radius**2, (planes, side, side)).copy()


def necked_tube(planes: int, side: int, wide: float, narrow: float, neck: slice) -> Mask:
    """The same with a narrower piece."""
    body = tube(planes, side, wide)
    body[neck] = tube(len(range(*neck.indices(planes))), side, narrow)
    return body


def oblique_channel(planes: int, height: int, width: int, per_plane: float) -> Mask:
    """A channel whose middle moves ``per_plane`` voxels along y with every plane, ``height`` voxels tall."""
    rows = int(np.ceil(planes * per_plane)) + height + 1
    z, y = np.indices((planes, rows))
    inside = np.abs(y - height / 2 - per_plane * z) <= height / 2
    return np.repeat(inside[:, :, None], width, axis=2)


def network(side: int, width: float, seed: int, share: float = 0.5) -> Mask:
    """A random network."""
    noise = np.random.default_rng(seed).standard_normal((side, side, side))
    smooth = ndimage.gaussian_filter(noise, width)
    return np.asarray(smooth > np.quantile(smooth, 1.0 - share))
