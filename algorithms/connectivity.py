"""Connected components of the solid, online: how much of it hangs together.

Voxels that share a face are connected. A component that reaches neither the first nor the last plane is
closed: nothing that follows can change it, so only its number and size are kept. The others are known by
the pieces of the first and of the last plane that belong to them. Adding a plane is merging with the stack
of that one plane, so streams, splits and merges agree count by count, and the cost of a plane does not
depend on the height (Hoshen & Kopelman, Phys. Rev. B 14, 3438 (1976), plane by plane and mergeable).

The two kept planes can be left out of a journal and put back from the stored volume
(``without_faces``, ``with_faces``).
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph

Labels = NDArray[np.uint8]
Pieces = NDArray[np.int32]
Counts = NDArray[np.int64]

SOLID = 1


def _no_face() -> Pieces:
    return np.empty((0, 0), dtype=np.int32)


def _none() -> Counts:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class ConnectivityState:
    """Components of a stack of ``planes`` planes.

    ``voxels`` counts solid voxels, ``closed`` closed components, ``largest_closed`` is the size of the
    largest of them. ``sizes`` ``(n,)`` are those of the open ones. ``head`` and ``tail`` ``(y, x)`` number
    the pieces of the first and last plane from 1 (0 = pore); ``head_of`` and ``tail_of`` give the open
    component of each piece, numbered from 0 in order of appearance.
    """

    planes: int = 0
    voxels: int = 0
    closed: int = 0
    largest_closed: int = 0
    sizes: Counts = field(default_factory=_none)
    head_of: Counts = field(default_factory=_none)
    tail_of: Counts = field(default_factory=_none)
    head: Pieces = field(default_factory=_no_face)
    tail: Pieces = field(default_factory=_no_face)


def connectivity_of(labels: Labels) -> ConnectivityState:
    """The state of a single plane ``(y, x)``; solid is label 1."""
    pieces, count = _pieces(labels)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:].astype(np.int64)
    own = np.arange(count, dtype=np.int64)
    return ConnectivityState(1, int(sizes.sum()), 0, 0, sizes, own, own, pieces, pieces)


def join(above: ConnectivityState, below: ConnectivityState) -> ConnectivityState:
    """The components of the stack ``above`` continued by the stack ``below``.

    Raises ValueError if their planes differ in shape.
    """
    if not above.planes or not below.planes:
        return above if above.planes else below
    if above.tail.shape != below.head.shape:
        raise ValueError(
            f"connectivity: planes of {above.tail.shape} px and {below.head.shape} px do not meet"
        )
    upper, lower = contacts(above.tail, below.head)
    first_below = above.sizes.size
    root = roots(above.tail_of[upper], first_below + below.head_of[lower], first_below + below.sizes.size)
    joined = replace(
        above,
        planes=above.planes + below.planes,
        voxels=above.voxels + below.voxels,
        closed=above.closed + below.closed,
        largest_closed=max(above.largest_closed, below.largest_closed),
        sizes=_sums(root, np.concatenate((above.sizes, below.sizes))),
        head_of=root[above.head_of],
        tail_of=root[first_below + below.tail_of],
        tail=below.tail,
    )
    return _closed(joined)


def component_count(state: ConnectivityState) -> int:
    """Components of the solid so far; open ones may still grow together."""
    return state.closed + state.sizes.size


def largest_share(state: ConnectivityState) -> float:
    """Share of the solid that belongs to the largest component; NaN without solid."""
    largest = max(state.largest_closed, int(state.sizes.max(initial=0)))
    return largest / state.voxels if state.voxels else np.nan


def without_faces(state: ConnectivityState) -> ConnectivityState:
    """The state less its two kept planes."""
    return replace(state, head=_no_face(), tail=_no_face())


def with_faces(state: ConnectivityState, first: Labels, last: Labels) -> ConnectivityState:
    """The state with its kept planes put back from the volume's first and last plane ``(y, x)``.

    Raises ValueError if they have other pieces than the planes that the state was made of.
    """
    (head, heads), (tail, tails) = _pieces(first), _pieces(last)
    if (heads, tails) != (state.head_of.size, state.tail_of.size):
        raise ValueError(
            f"connectivity: {heads} and {tails} pieces in the given planes, "
            f"{state.head_of.size} and {state.tail_of.size} in the state's; give the same planes"
        )
    return replace(state, head=head, tail=tail)


def _pieces(labels: Labels) -> tuple[Pieces, int]:
    pieces = np.empty(labels.shape, dtype=np.int32)
    return pieces, int(ndimage.label(labels == SOLID, output=pieces))  # pyright: ignore[reportArgumentType]


def contacts(upper: Pieces, lower: Pieces) -> tuple[Counts, Counts]:
    """Pieces of two planes that lie on one another, from 0; a pair may be listed more than once."""
    both = (upper > 0) & (lower > 0)
    pairs = np.stack((upper[both], lower[both])).astype(np.int64) - 1
    # Runs of voxels repeat their pair: without the repetitions there are some fifty times fewer.
    is_new = np.ones(pairs.shape[1], dtype=np.bool_)
    is_new[1:] = np.any(pairs[:, 1:] != pairs[:, :-1], axis=0)
    return pairs[0, is_new], pairs[1, is_new]


def roots(one: Counts, other: Counts, count: int) -> Counts:
    """Which of the united components each of ``count`` components belongs to."""
    graph = sparse.coo_array((np.ones(one.size, dtype=np.int8), (one, other)), shape=(count, count))
    _, root = csgraph.connected_components(graph.tocsr(), directed=False)
    return np.asarray(root, dtype=np.int64)


def _sums(root: Counts, sizes: Counts) -> Counts:
    sums = np.zeros(int(root.max(initial=-1)) + 1, dtype=np.int64)
    np.add.at(sums, root, sizes)
    return sums


def _closed(state: ConnectivityState) -> ConnectivityState:
    """The state with components that reach neither end counted as closed, and the others renumbered."""
    found, first_seen = np.unique(np.concatenate((state.head_of, state.tail_of)), return_index=True)
    open_ones = found[np.argsort(first_seen)]
    number = np.full(state.sizes.size, -1, dtype=np.int64)
    number[open_ones] = np.arange(open_ones.size)
    ended = state.sizes[number < 0]
    return replace(
        state,
        closed=state.closed + ended.size,
        largest_closed=max(state.largest_closed, int(ended.max(initial=0))),
        sizes=state.sizes[open_ones],
        head_of=number[state.head_of],
        tail_of=number[state.tail_of],
    )
