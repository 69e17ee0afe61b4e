"""How well a segmentation agrees with the truth.

All scores follow from the confusion matrix, so those of a stack are those of the sum of its slices'
matrices. MP, MGP and Dice are equations 1 to 3 of Sardhara et al. 2024, "Enhancing 3D Reconstruction
Accuracy of FIB Tomography Data Using Multi-voltage Images and Multimodal Machine Learning". A score that
has no meaning, such as the share of missed gold where there is no gold, is NaN.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

Labels = NDArray[np.uint8]
Confusion = NDArray[np.int64]


def confusion(truth: Labels, predicted: Labels, phases: int = 2) -> Confusion:
    """Pixels of each true phase (row) that were given each phase (column): int64 (phases, phases).

    Args:
        truth, predicted: phases 0 … phases − 1, of one shape.

    Raises:
        ValueError: the shapes differ, or a label is no phase.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"truth is {truth.shape}, the segmentation {predicted.shape}: compare equal shapes")
    if truth.size and max(truth.max(), predicted.max()) >= phases:
        raise ValueError(f"labels reach {max(truth.max(), predicted.max())}: state phases > that")
    pairs = truth.astype(np.intp).ravel() * phases + predicted.ravel()
    return np.bincount(pairs, minlength=phases**2).reshape(phases, phases).astype(np.int64)


def misplaced_percent(matrix: Confusion) -> float:
    """MP: share of pixels given a wrong phase, % (equation 1)."""
    return 100 * (1 - _ratio(float(np.trace(matrix)), float(matrix.sum())))


def missed_percent(matrix: Confusion, phase: int = 1) -> float:
    """MGP: share of a phase's true pixels that were given another, % (equation 2; there the gold)."""
    return 100 * (1 - _ratio(float(matrix[phase, phase]), float(matrix[phase].sum())))


def dice(matrix: Confusion, phase: int) -> float:
    """Twice the overlap over the sum of the true and the found area of a phase (equation 3)."""
    areas = matrix[phase].sum() + matrix[:, phase].sum()
    return _ratio(2 * float(matrix[phase, phase]), float(areas))


def mean_dice(matrix: Confusion) -> float:
    """MDS: Dice averaged over all phases."""
    return float(np.mean([dice(matrix, phase) for phase in range(len(matrix))]))


def intersection_over_union(matrix: Confusion, phase: int) -> float:
    """Overlap over the union of the true and the found area of a phase."""
    union = matrix[phase].sum() + matrix[:, phase].sum() - matrix[phase, phase]
    return _ratio(float(matrix[phase, phase]), float(union))


def weighted_error_percent(matrix: Confusion) -> float:
    """awe = (1 − Σ IoU_i·p_i)·100 %, p_i the true volume fraction of phase i.

    A phase that is neither there nor found weighs nothing.
    """
    fractions = matrix.sum(axis=1) / matrix.sum()
    overlaps = [intersection_over_union(matrix, phase) for phase in range(len(matrix))]
    return 100 * (1 - float(np.nansum(overlaps * fractions)))


def inner_misplaced_percent(truth: Labels, predicted: Labels) -> float:
    """Share of all pixels that were given a wrong phase although all eight true neighbours on their face are
    of one phase with them, %. The rest of MP is where a pixel's width decides.

    Args:
        truth, predicted: of one shape (…, y, x).
    """
    return 100 * _ratio(float(((truth != predicted) & ~at_boundary(truth)).sum()), float(truth.size))


def at_boundary(labels: Labels) -> NDArray[np.bool_]:
    """Pixels (…, y, x) with a neighbour of another phase on their face, diagonal ones among them."""
    size = (*(1,) * (labels.ndim - 2), 3, 3)
    return maximum_filter(labels, size) != minimum_filter(labels, size)


def solid_fraction(labels: Labels) -> float:
    """φ: share of the pixels that are not pore."""
    return _ratio(float(np.count_nonzero(labels)), float(labels.size))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
