"""Which slices a network looks at when it labels one of them."""

from collections.abc import Sequence


def window_slices(centre: int, existing: Sequence[int], adjacent_slices: int) -> tuple[int, ...]:
    """Slice numbers of the window around ``centre``, in order, missing ones replaced by the nearest.

    At the ends of a run this repeats the first or the last slice; in a gap, of two equally near slices
    it takes the one on the centre's side.

    Args:
        centre: number of the slice to be labelled; itself one of ``existing``.
        existing: numbers of the slices at hand, in any order.
        adjacent_slices: length of the window, odd.
    """
    half = adjacent_slices // 2
    return tuple(
        min(existing, key=lambda number: (abs(number - wanted), abs(number - centre)))
        for wanted in range(centre - half, centre + half + 1)
    )
