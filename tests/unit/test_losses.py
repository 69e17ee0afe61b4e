"""The losses fall to 0 with the error, follow the Dice coefficient, and have a gradient to learn from."""

import numpy as np
import pytest
import torch

from algorithms.scores import confusion, mean_dice
from models.losses import cross_entropy, dice_loss, segmentation_loss
from models.scenes import NOT_ANNOTATED


def certain(labels):
    """Probabilities 0 and 1."""
    return torch.nn.functional.one_hot(labels, 2).movedim(-1, 1).float()


@pytest.fixture
def labels():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 2, (3, 16, 16)))


def test_the_truth_costs_nothing(labels):
    """Dice loss of the truth is 0, and so is its cross-entropy."""
    assert dice_loss(certain(labels), labels).item() == pytest.approx(0, abs=1e-6)
    assert segmentation_loss(60 * certain(labels), labels, 1.0).item() == pytest.approx(0, abs=1e-6)


def test_of_certain_answers_it_is_the_mean_dice_score(labels):
    """For probabilities 0 and 1 the soft coefficient is the hard one."""
    found = labels.clone()
    found[:, :4] = 1
    score = mean_dice(confusion(labels.numpy().astype(np.uint8), found.numpy().astype(np.uint8)))
    assert dice_loss(certain(found), labels).item() == pytest.approx(1 - score, abs=1e-6)


def test_a_batch_without_solid_is_no_accident(labels):
    """No phase present twice over: finite loss, finite gradient."""
    logits = torch.zeros(3, 2, 16, 16, requires_grad=True)
    segmentation_loss(logits, torch.zeros_like(labels), 1.0).backward()
    assert torch.isfinite(logits.grad).all()


def test_the_gradient_points_to_the_truth(labels):
    """A step against the gradient makes the loss smaller."""
    logits = torch.randn(3, 2, 16, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = segmentation_loss(logits, labels, 0.5)
    loss.backward()
    assert segmentation_loss(logits.detach() - 50 * logits.grad, labels, 0.5) < loss


def test_pixels_that_nobody_annotated_count_for_nothing(labels):
    """Whatever the network says there, loss and gradient are those of the annotated pixels alone."""
    partly = labels.clone()
    partly[:, 6:] = NOT_ANNOTATED
    logits = torch.randn(3, 2, 16, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = segmentation_loss(logits, partly, 0.5)
    loss.backward()
    torch.testing.assert_close(loss, segmentation_loss(logits[:, :, :6], labels[:, :6], 0.5))
    assert (logits.grad[:, :, 6:] == 0).all()
    assert (logits.grad[:, :, :6] != 0).all()


def test_a_batch_without_annotations_teaches_nothing(labels):
    """A finite loss, and a gradient of zero."""
    logits = torch.randn(3, 2, 16, 16, requires_grad=True)
    segmentation_loss(logits, torch.full_like(labels, NOT_ANNOTATED), 1.0).backward()
    assert (logits.grad == 0).all()


def test_the_cross_entropy_of_a_whole_annotation_is_the_usual_one(labels):
    """The mean over pixels."""
    logits = torch.randn(3, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        cross_entropy(logits, labels), torch.nn.functional.cross_entropy(logits, labels)
    )
