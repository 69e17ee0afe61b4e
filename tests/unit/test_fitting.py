"""Fitting learns, repeats itself, stops, and goes on after an interruption as if there had been none."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from models.device import device_of, training_device
from models.errors import CheckpointDamagedError, CheckpointMismatchError, ProviderUnavailableError
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


def test_a_loss_that_is_no_number_is_never_the_best(tmp_path):
    """Neither in the first epoch nor later: the weights of the best number are kept."""
    toy = task()
    losses = iter([float("nan"), 2.0, float("nan"), 3.0])
    seen = []

    def validation():
        seen.append(weights(toy))
        return next(losses)

    fit(replace(toy, validation_loss=validation), RECIPE, tmp_path, ignore)
    assert torch.equal(weights(toy), seen[1])


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


DAMAGE = {
    "cut": lambda content: content[: len(content) // 2],
    "cut by a little": lambda content: content[:-40],
    "empty": lambda _: b"",
    "no checkpoint": lambda _: b"weights",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_state_is_told_with_the_remedy(tmp_path, damage):
    """By the file's name; when it is removed, the stage begins anew."""
    fit(task(), RECIPE, tmp_path, ignore)
    path = tmp_path / "toy.pt"
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(CheckpointDamagedError, match=r"damaged.*toy\.pt.*Remove this file"):
        fit(task(), RECIPE, tmp_path, ignore)


@pytest.mark.parametrize("content", [{"network": {}}, [1], 3], ids=["parts missing", "a list", "a number"])
def test_what_is_no_state_is_told_with_the_remedy(tmp_path, content):
    """Another program's file under this name."""
    torch.save(content, tmp_path / "toy.pt")
    with pytest.raises(CheckpointDamagedError, match=r"toy\.pt.*Remove this file"):
        fit(task(), RECIPE, tmp_path, ignore)


def test_progress_is_a_line_with_the_time_left(tmp_path):
    """Each epoch reports stage, number, losses and what may be left."""
    lines = []
    fit(task(), RECIPE, tmp_path, lambda progress: lines.append(str(progress)))
    assert len(lines) == RECIPE.epochs
    assert lines[0].startswith("toy: epoch 1/4, loss ")
    assert lines[-1].endswith("at most 0.0 min left")


def points(folder, tag):
    """(epoch, value) of a curve as TensorBoard shows it."""
    events = EventAccumulator(str(folder / "tensorboard" / "toy"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_tensorboard_shows_the_curve(tmp_path):
    """Each epoch's losses and rate, as the history has them."""
    history = fit(task(), RECIPE, tmp_path, ignore)
    epochs = range(1, len(history) + 1)
    for tag, values in {
        "loss/training": [epoch.training_loss for epoch in history],
        "loss/validation": [epoch.validation_loss for epoch in history],
        "learning rate": [epoch.learning_rate for epoch in history],
    }.items():
        assert points(tmp_path, tag) == [
            (number, pytest.approx(value)) for number, value in zip(epochs, values, strict=True)
        ]


def test_a_resumed_fit_goes_on_in_the_same_curve(tmp_path, monkeypatch):
    """Killed after an epoch was told and before its state was kept: each epoch is there once, in order."""
    save = torch.save
    states = iter(range(100))

    def failing(content, path):
        if next(states) == 2:
            raise KeyboardInterrupt
        save(content, path)

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", failing)
        with pytest.raises(KeyboardInterrupt):
            fit(task(), RECIPE, tmp_path, ignore)
    assert [step for step, _ in points(tmp_path, "loss/training")] == [1, 2, 3]
    history = fit(task(), RECIPE, tmp_path, ignore)
    assert points(tmp_path, "loss/training") == [
        (number + 1, pytest.approx(epoch.training_loss)) for number, epoch in enumerate(history)
    ]


def test_a_fit_in_mixed_precision_learns(tmp_path):
    """Convolutions in 16 bits; weights, losses and what is kept of them in 32."""
    toy = task()
    history = fit(toy, replace(RECIPE, bfloat16=True), tmp_path, ignore)
    assert history[-1].validation_loss < 0.5 * history[0].training_loss
    assert toy.network[1].weight.dtype == torch.float32


def test_the_device_is_where_the_network_is(monkeypatch):
    """The processor unless there is another; one that is not there is refused with the remedy."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    network = torch.nn.Conv2d(1, 1, 1).to(training_device("auto"))
    assert device_of(network) == training_device("cpu") == torch.device("cpu")
    with pytest.raises(ProviderUnavailableError, match="device = 'cpu'"):
        training_device("cuda")
