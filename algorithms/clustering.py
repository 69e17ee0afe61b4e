"""k-means of grey values: the segmentation that networks have to beat.

It knows nothing but brightness, so what shines through from below is taken for the face.
"""

import numpy as np
from numpy.typing import NDArray


def brightest_cluster(
    image: NDArray[np.uint8 | np.uint16], clusters: int = 3, most_rounds: int = 100
) -> NDArray[np.uint8]:
    """Label as solid what falls into the brightest of k clusters of grey values: uint8 like the image.

    Lloyd's iteration on the histogram, which is exact for integers and independent of the image's size,
    from the quantiles (i + ½)/k of the grey values' *range*: of the pixels' own quantiles all would start
    in the pores of a sparse solid. Three clusters, as in Sardhara et al. 2024, Table 3: pore,
    shine-through, solid.
    """
    counts = np.bincount(image.ravel()).astype(np.float64)
    greys = np.arange(counts.size)
    present = np.flatnonzero(counts)
    steps = (np.arange(clusters) + 0.5) / clusters
    centres = present[0] + steps * (present[-1] - present[0])
    for _ in range(most_rounds):
        moved = _centres(greys, counts, centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return (image > (centres[-2] + centres[-1]) / 2).astype(np.uint8)


def _centres(
    greys: NDArray[np.intp], counts: NDArray[np.float64], centres: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean grey value of each cluster's pixels; an empty cluster stays where it is."""
    owner = np.searchsorted((centres[1:] + centres[:-1]) / 2, greys)
    weights = np.bincount(owner, counts, minlength=centres.size)
    sums = np.bincount(owner, counts * greys, minlength=centres.size)
    return np.where(weights > 0, sums / np.maximum(weights, 1), centres)
