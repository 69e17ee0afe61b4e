"""Fitting learns, repeats itself, stops, and goes on after an interruption as if there had been none."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from models.errors import CheckpointMismatchError
from models.fitting import Recipe, Task, fit
from models.losses import segmentation_loss
from models.schedules import Cosine, Plateau

RECIPE = Recipe(
    batch=4,
    steps=5,
    epochs=4,
    learning_rate=0.05,
    schedule=Plateau(patience_epochs=1),
    patience_epochs=3,
    seed=7,
)


def draw(batch, rng):
    """Noisy images of their own labels."""
    labels = rng.integers(0, 2, (batch, 8, 8))
    images = labels + 0.3 * rng.standard_normal(labels.shape)
    return torch.from_numpy(images[:, None].astype(np.float32)), torch.from_numpy(labels)


def validation_loss(network, batch):
    return segmentation_loss(network(batch[0]), batch[1], 0.0).item()


def task(draw_batch=draw):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(1), torch.nn.Conv2d(1, 2, 1))
    known = draw(16, np.random.default_rng(1))
    return Task(
        "toy", network, network, partial(draw_batch, RECIPE.batch), partial(validation_loss, network, known)
    )


def weights(toy):
    return torch.cat([value.flatten().float() for value in toy.network.state_dict().values()])


def ignore(_):
    pass


def test_the_loss_falls(tmp_path):
    """After twenty steps the labels are found in the noise."""
    history = fit(task(), RECIPE, tmp_path, ignore)
    assert history[-1].validation_loss < 0.5 * history[0].training_loss


@pytest.mark.parametrize("schedule", [Plateau(patience_epochs=1), Cosine()], ids=lambda it: type(it).__name__)
def test_an_interrupted_fit_ends_as_an_uninterrupted_one(tmp_path, schedule):
    """Killed in the third epoch and started again: the same weights and history to the last bit."""
    recipe = replace(RECIPE, schedule=schedule)
    whole = task()
    expected = fit(whole, recipe, tmp_path, ignore)
    calls = iter(range(1000))

    def failing(batch, rng):
        if next(calls) == 12:
            raise KeyboardInterrupt
        return draw(batch, rng)

    interrupted = tmp_path / "interrupted"
    interrupted.mkdir()
    with pytest.raises(KeyboardInterrupt):
        fit(task(failing), recipe, interrupted, ignore)
    resumed = task()
    history = fit(resumed, recipe, interrupted, ignore)
    assert torch.equal(weights(resumed), weights(whole))
    assert [replace(epoch, seconds=0) for epoch in history] == [
        replace(epoch, seconds=0) for epoch in expected
    ]


def test_the_best_epoch_is_kept_and_patience_ends_it(tmp_path):
    """A validation loss that only rises: the first epoch's weights, and an end after three more."""
    toy = task()
    rising = iter(range(100))
    seen = []

    def worse():
        seen.append(weights(toy))
        return float(next(rising))

    history = fit(replace(toy, validation_loss=worse), replace(RECIPE, epochs=50), tmp_path, ignore)
    assert len(history) == 1 + RECIPE.patience_epochs
    assert torch.equal(weights(toy), seen[0])


def test_the_rate_falls_on_a_plateau(tmp_path):
    """Without progress for more than its patience the rate is divided by ten."""
    stuck = replace(task(), validation_loss=lambda: 1.0)
    rates = [epoch.learning_rate for epoch in fit(stuck, RECIPE, tmp_path, ignore)]
    assert rates == pytest.approx([0.05, 0.05, 0.05, 0.005])


def test_the_rate_follows_a_cosine(tmp_path):
    """From the first rate through half of it to nearly nothing, whatever the losses do."""
    recipe = replace(RECIPE, schedule=Cosine(last=0.0))
    rates = [epoch.learning_rate for epoch in fit(task(), recipe, tmp_path, ignore)]
    assert rates == pytest.approx([0.05 * (1 + np.cos(np.pi * number / 4)) / 2 for number in range(4)])


def test_another_recipe_is_refused(tmp_path):
    """A folder with a started training is not silently continued with other settings."""
    fit(task(), RECIPE, tmp_path, ignore)
    with pytest.raises(CheckpointMismatchError, match="another recipe"):
        fit(task(), replace(RECIPE, learning_rate=1.0), tmp_path, ignore)


def test_progress_is_a_line_with_the_time_left(tmp_path):
    """Each epoch reports stage, number, losses and what may be left."""
    lines = []
    fit(task(), RECIPE, tmp_path, lambda progress: lines.append(str(progress)))
    assert len(lines) == RECIPE.epochs
    assert lines[0].startswith("toy: epoch 1/4, loss ")
    assert lines[-1].endswith("at most 0.0 min left")
