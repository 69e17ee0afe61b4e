"""Fits one network: the plain loop over epochs, with checkpoints from which it goes on exactly."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from math import isnan
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from models.checkpoints import load_checkpoint, require_recipe, save_checkpoint
from models.device import device_of, following
from models.event_curve import event_curve
from models.losses import segmentation_loss
from models.schedules import Plateau, Schedule, advance

PARTS = ("recipe", "history", "network", "best", "optimizer", "scheduler")
"""Of a checkpoint."""
Batch = tuple[Tensor, Tensor]
Logits = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is fitted. The defaults are the papers' (Sardhara et al. 2024, Table 1).

    Attributes:
        batch: patches a step.
        steps: steps an epoch.
        epochs: at most.
        learning_rate: of Adam, at first.
        schedule: how the rate falls.
        patience_epochs: without progress in the validation loss, after which fitting ends.
        cross_entropy_weight: of the cross-entropy added to the Dice loss.
        bfloat16: whether convolutions run in 16 bits, weights and sums in 32 (mixed precision); on processors
            that can, it is twice as fast, on others many times slower (3.4 s for 0.36 s a step on an AMD EPYC
            with AVX2 only, 2026-11-27). Not measured on a graphics processor.
        seed: of the weights and the patches.
    """

    batch: Annotated[int, Ge(1)] = 64
    steps: Annotated[int, Ge(1)] = 100
    epochs: Annotated[int, Ge(1)] = 100
    learning_rate: Annotated[float, Gt(0)] = 1e-4
    schedule: Schedule = field(default_factory=Plateau)
    patience_epochs: Annotated[int, Ge(1)] = 25
    cross_entropy_weight: Annotated[float, Ge(0)] = 0.0
    bfloat16: bool = False
    seed: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to."""

    training_loss: float
    validation_loss: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a fit stands: printed, it is one line."""

    stage: str
    number: int
    most: int
    epoch: Epoch
    best: float
    remaining_s: float

    def __str__(self) -> str:
        return (
            f"{self.stage}: epoch {self.number}/{self.most}, loss {self.epoch.training_loss:.4f}, "
            f"validation {self.epoch.validation_loss:.4f} (best {self.best:.4f}), "
            f"rate {self.epoch.learning_rate:.0e}, at most {self.remaining_s / 60:.1f} min left"
        )


@dataclass(frozen=True, slots=True)
class Task:
    """What is fitted, to what.

    Attributes:
        stage: name, for progress and for the checkpoint.
        network: its parameters are changed in place.
        logits: the network's class scores (batch, class, y, x) of a batch of inputs.
        draw: a batch of inputs and labels (batch, y, x) int64.
        validation_loss: of the network as it is.
    """

    stage: str
    network: nn.Module
    logits: Logits
    draw: Callable[[np.random.Generator], Batch]
    validation_loss: Callable[[], float]


def fit(task: Task, recipe: Recipe, folder: Path, report: Callable[[Progress], None]) -> tuple[Epoch, ...]:
    """Fit where the network is, and leave it with the weights of its best epoch.

    After each epoch the state goes to ``folder/<stage>.pt``; started again, it goes on from there, on any
    device, and on the same one ends with the same weights as without the interruption. TensorBoard finds the
    learning curve in ``folder/tensorboard/<stage>``.

    Raises:
        CheckpointMismatchError: the state was left by another recipe.
        CheckpointDamagedError: the state cannot be read.
    """
    path = folder / f"{task.stage}.pt"
    optimizer = torch.optim.Adam(task.network.parameters(), lr=recipe.learning_rate)
    scheduler = recipe.schedule.start(optimizer, recipe.epochs)
    state = _State(task.network, optimizer, scheduler)
    history = state.restore(path, recipe) if path.is_file() else ()
    with event_curve(folder / "tensorboard" / task.stage, len(history)) as curve:
        while not is_finished(history, recipe.epochs, recipe.patience_epochs):
            epoch = _run_epoch(task, recipe, optimizer, len(history))
            advance(scheduler, epoch.validation_loss)
            history = (*history, epoch)
            curve.add(len(history), epoch)  # before the state: a point too many is void, one too few is lost
            state.save(path, recipe, history)
            report(progress(task.stage, recipe.epochs, history))
    state.load_best(path)
    return history


@dataclass(frozen=True, slots=True)
class _State:
    """Everything that changes during a fit, on its way to and from a file."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler

    def save(self, path: Path, recipe: Recipe, history: tuple[Epoch, ...]) -> None:
        best = best_epoch(history) == len(history) - 1
        weights = self.network.state_dict()
        content: dict[str, Any] = {
            "recipe": json.dumps(asdict(recipe)),
            "history": json.dumps([asdict(epoch) for epoch in history]),
            "network": weights,
            "best": weights if best else load_checkpoint(path, PARTS)["best"],
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
        }
        save_checkpoint(path, content)

    def restore(self, path: Path, recipe: Recipe) -> tuple[Epoch, ...]:
        content = load_checkpoint(path, PARTS)
        require_recipe(content, asdict(recipe), path)
        self.network.load_state_dict(content["network"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.scheduler.load_state_dict(content["scheduler"])
        return tuple(Epoch(**epoch) for epoch in json.loads(content["history"]))

    def load_best(self, path: Path) -> None:
        self.network.load_state_dict(load_checkpoint(path, PARTS)["best"])


def _run_epoch(task: Task, recipe: Recipe, optimizer: torch.optim.Optimizer, number: int) -> Epoch:
    start = monotonic()
    task.network.train()
    rng = np.random.default_rng([recipe.seed, number, *task.stage.encode()])
    losses = [_step(task, recipe, optimizer, batch) for batch in _drawn_ahead(task, recipe.steps, rng)]
    task.network.eval()
    rate = float(optimizer.param_groups[0]["lr"])
    with torch.inference_mode():
        validation_loss = task.validation_loss()
    return Epoch(float(np.mean(losses)), validation_loss, rate, monotonic() - start)


def _step(task: Task, recipe: Recipe, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    inputs, labels = batch
    with torch.autocast(device_of(task.network).type, dtype=torch.bfloat16, enabled=recipe.bfloat16):
        logits = following(task.network, task.logits)(inputs).float()
    loss = segmentation_loss(logits, labels.to(logits.device), recipe.cross_entropy_weight)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _drawn_ahead(task: Task, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Batches, the next one drawn while the last one is learned; in one order, so that runs repeat."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(task.draw, rng)
        for _ in range(steps - 1):
            batch, coming = coming.result(), thread.submit(task.draw, rng)
            yield batch
        yield coming.result()


def best_epoch(history: tuple[Epoch, ...]) -> int:
    """The earliest of the smallest losses; one that is no number is worse than any."""
    losses = [epoch.validation_loss for epoch in history]
    return min(range(len(losses)), key=lambda number: (isnan(losses[number]), losses[number]))


def is_finished(history: tuple[Epoch, ...], epochs: int, patience_epochs: int) -> bool:
    """Whether there were epochs enough, or none was better for too long."""
    if len(history) >= epochs:
        return True
    return bool(history) and len(history) - 1 - best_epoch(history) >= patience_epochs


def progress(stage: str, epochs: int, history: tuple[Epoch, ...]) -> Progress:
    """Where a fit of at most ``epochs`` stands."""
    mean_s = float(np.mean([epoch.seconds for epoch in history]))
    best = history[best_epoch(history)].validation_loss
    return Progress(stage, len(history), epochs, history[-1], best, (epochs - len(history)) * mean_s)
