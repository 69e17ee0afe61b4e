"""What training minimises. Pixels labelled NOT_ANNOTATED count for nothing: nobody said what they are."""

import torch
from torch import Tensor
from torch.nn import functional

from models.scenes import NOT_ANNOTATED


def dice_loss(probabilities: Tensor, labels: Tensor) -> Tensor:
    """1 − the mean over classes of the soft Dice coefficient over the whole batch; a scalar.

    Over the batch and not per patch: many patches of a sparse network hold one phase only, where
    Dice's coefficient is undefined.

    Args:
        probabilities: (batch, class, y, x) float.
        labels: (batch, y, x) int64, a class or NOT_ANNOTATED.
    """
    known = labels != NOT_ANNOTATED
    classes = functional.one_hot(labels * known, probabilities.shape[1]).movedim(-1, 1)
    counted = known[:, None].to(probabilities.dtype)
    truth, found = classes * counted, probabilities * counted
    dims = (0, 2, 3)
    overlap = (found * truth).sum(dims)
    return 1 - (2 * overlap / (found.sum(dims) + truth.sum(dims)).clamp_min(1)).mean()


def segmentation_loss(logits: Tensor, labels: Tensor, cross_entropy_weight: float) -> Tensor:
    """Dice loss of the softmax plus the weighted cross-entropy; a scalar.

    Dice alone is the papers' loss. Cross-entropy has a gradient where the network is wrong and sure of
    it, and so shortens the start; it also keeps the probabilities calibrated.
    """
    dice = dice_loss(torch.softmax(logits, dim=1), labels)
    return dice + cross_entropy_weight * cross_entropy(logits, labels)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the annotated pixels, 0 without any; shapes as of :func:`dice_loss`."""
    total = functional.cross_entropy(logits, labels, ignore_index=NOT_ANNOTATED, reduction="sum")
    return total / (labels != NOT_ANNOTATED).sum().clamp_min(1)
