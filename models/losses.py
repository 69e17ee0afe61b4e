"""What training minimises."""

import torch
from torch import Tensor
from torch.nn import functional


def dice_loss(probabilities: Tensor, labels: Tensor) -> Tensor:
    """1 − the mean over classes of the soft Dice coefficient over the whole batch; a scalar.

    Over the batch and not per patch: many patches of a sparse network hold one phase only, where
    Dice's coefficient is undefined.

    Args:
        probabilities: (batch, class, y, x) float.
        labels: (batch, y, x) int64.
    """
    truth = functional.one_hot(labels, probabilities.shape[1]).movedim(-1, 1).to(probabilities.dtype)
    dims = (0, 2, 3)
    overlap = (probabilities * truth).sum(dims)
    return 1 - (2 * overlap / (probabilities.sum(dims) + truth.sum(dims)).clamp_min(1)).mean()


def segmentation_loss(logits: Tensor, labels: Tensor, cross_entropy_weight: float) -> Tensor:
    """Dice loss of the softmax plus the weighted cross-entropy; a scalar.

    Dice alone is the papers' loss. Cross-entropy has a gradient where the network is wrong and sure of
    it, and so shortens the start; it also keeps the probabilities calibrated.
    """
    dice = dice_loss(torch.softmax(logits, dim=1), labels)
    return dice + cross_entropy_weight * functional.cross_entropy(logits, labels)
