"""The same descriptors by other programs, on one random network: value and processor time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
import porespy
from edt import edt
from numpy.typing import NDArray
from scipy import ndimage
from skimage.graph import MCP_Geometric

from algorithms.balls import BlockSize, covered_counts, fitting_levels, largest_radius
from algorithms.components import components
from algorithms.geodesics import NEIGHBOURS, geodesic_lengths
from algorithms.squared_distance import squared_distance
from algorithms.widest_paths import widest_paths

Mask = NDArray[np.bool_]
Work = Callable[[], float]

PORE_WIDTH = 4.0
LEAST_S = 2.0
"""Of processor time that a pair is repeated for: three times some milliseconds tell nothing."""
WHOLE = BlockSize(2**40)
_filters: Any = porespy.filters  # its hints know neither arrays of sizes nor what it returns


@dataclass(frozen=True, slots=True)
class Peer:
    """One descriptor's value and seconds by us and by ``name``."""

    key: str
    name: str
    value: float
    peer_value: float
    seconds: float
    peer_seconds: float

    @property
    def difference(self) -> float:
        """Relative to the peer's value."""
        return abs(self.value / self.peer_value - 1.0)

    @property
    def time_ratio(self) -> float:
        """Our seconds over the peer's."""
        return self.seconds / self.peer_seconds


def beside_peers(side: int, rounds: int) -> list[Peer]:
    """Every descriptor that somebody else computes too."""
    porespy.settings.tqdm["disable"] = True
    pore = random_network(side)
    radii = tuple(float(one) for one in range(1, int(largest_radius(pore, WHOLE)) + 1))
    sizes = np.asarray(radii[::-1]) + 0.5  # PoreSpy's distances end at the centre of the wall's voxel
    halves = tuple(one - 0.5 for one in radii)
    pairs: dict[str, tuple[str, Work, Work]] = {
        "distance": ("edt", lambda: _mean_distance(pore), lambda: float(edt(pore)[pore].mean())),
        "local_thickness": ("PoreSpy", lambda: _covered(pore, radii), lambda: _thickness(pore, sizes)),
        "local_thickness_whole": (
            "PoreSpy's default",
            lambda: _covered(pore, halves),
            lambda: _default_thickness(pore),
        ),
        "intrusion": ("PoreSpy", lambda: _intruded(pore, halves), lambda: _porosimetry(pore, sizes - 0.5)),
        "tortuosity": ("scikit-image", lambda: _paths(pore), lambda: _their_paths(pore)),
        "percolating": ("PoreSpy", lambda: _spanning(pore), lambda: _trimmed(pore)),
    }
    return [_beside(key, *pair, rounds) for key, pair in pairs.items()]


def random_network(side: int) -> Mask:
    """Half pore, half solid, both some ten voxels wide."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((side, side, side)), PORE_WIDTH)
    return np.asarray(smooth > 0.0)


def _beside(key: str, name: str, ours: Work, theirs: Work, rounds: int) -> Peer:
    theirs()  # compiles what it compiles
    pairs: list[tuple[tuple[float, float], tuple[float, float]]] = []
    while len(pairs) < rounds or sum(one[1] + other[1] for one, other in pairs) < LEAST_S:
        pairs.append((_timed(ours), _timed(theirs)))
    (value, _), (peer_value, _) = pairs[0]
    seconds, peer_seconds = (min(pair[side][1] for pair in pairs) for side in (0, 1))
    return Peer(key, name, value, peer_value, seconds, peer_seconds)


def _timed(work: Work) -> tuple[float, float]:
    begin = process_time()
    value = work()
    return value, process_time() - begin


def _mean_distance(pore: Mask) -> float:
    return float(np.sqrt(squared_distance(~pore, 180)[pore].astype(np.float32)).mean())


def _levels(pore: Mask, radii: tuple[float, ...]) -> NDArray[np.uint8]:
    levels = np.zeros(pore.shape, dtype=np.uint8)
    fitting_levels(pore, levels, radii, WHOLE)
    return levels


def _covered(pore: Mask, radii: tuple[float, ...]) -> float:
    """Sum over radii of the shares that balls cover: a mean local thickness."""
    counts = covered_counts([_levels(pore, radii)], [None], radii, WHOLE)[0]
    return float(counts.sum() / np.count_nonzero(pore))


def _thickness(pore: Mask, sizes: NDArray[np.float64]) -> float:
    found = _filters.local_thickness(pore, method="legacy", sizes=sizes)
    return _sum_of_shares(found, pore, sizes)


def _default_thickness(pore: Mask) -> float:
    found = _filters.local_thickness(pore)
    return _sum_of_shares(found, pore, np.arange(1.0, float(found.max()) + 1))


def _sum_of_shares(found: Any, pore: Mask, sizes: NDArray[np.float64]) -> float:
    return float(sum(np.count_nonzero(found[pore] >= size - 1e-6) for size in sizes) / np.count_nonzero(pore))


def _intruded(pore: Mask, radii: tuple[float, ...]) -> float:
    levels = _levels(pore, radii)
    reached = np.zeros_like(levels)
    reached[0] = levels[0]
    widest_paths(levels, reached, len(pore))
    return float(covered_counts([reached], [None], radii, WHOLE)[0].sum() / np.count_nonzero(pore))


def _porosimetry(pore: Mask, sizes: NDArray[np.float64]) -> float:
    inlets = np.zeros_like(pore)
    inlets[0] = True
    found = _filters.porosimetry(pore, inlets=inlets, sizes=sizes)
    return _sum_of_shares(found, pore, sizes)


def _paths(pore: Mask) -> float:
    lengths = np.full(pore.shape, np.inf, dtype=np.float32)
    lengths[-1][pore[-1]] = 0.0
    geodesic_lengths(pore, lengths, len(pore), NEIGHBOURS)
    return _tortuosity(lengths[0], pore)


def _their_paths(pore: Mask) -> float:
    starts = [(len(pore) - 1, int(y), int(x)) for y, x in np.argwhere(pore[-1])]
    lengths, _ = MCP_Geometric(np.where(pore, 1.0, -1.0)).find_costs(starts)
    return _tortuosity(np.where(pore[0], lengths[0], np.inf), pore)


def _tortuosity(lengths: NDArray[Any], pore: Mask) -> float:
    return float(lengths[np.isfinite(lengths)].mean() / (len(pore) - 1))


def _spanning(pore: Mask) -> float:
    found = components(pore, len(pore))
    return found.share(found.spanning(0))


def _trimmed(pore: Mask) -> float:
    kept: Any = porespy.filters.trim_nonpercolating_paths(pore, axis=0)
    return float(np.count_nonzero(kept) / np.count_nonzero(pore))
