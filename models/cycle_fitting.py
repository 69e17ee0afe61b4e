"""Fits a CycleGAN: steps for the generators and their judges in turn, with checkpoints to go on from exactly.

Learning rate and end follow the papers' rule (Sardhara et al. 2025, Table 1 and §2.6): ÷10 after ten epochs
without progress, an end after 25. Progress is told by the validation loss, not by the adversarial one, which
says only who of the two opponents is ahead.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from models.checkpoints import load_checkpoint, require_recipe, save_checkpoint
from models.cycle_loss import generators_loss, judges_loss
from models.event_curve import event_curve
from models.fitting import Epoch, Progress, best_epoch, is_finished, progress
from models.image_pool import ImagePool
from models.schedules import Plateau, Schedule, advance
from models.translation_networks import ImageCycle

PARTS = ("recipe", "history", "cycle", "best", "optimizers", "schedulers", "pools")
"""Of a checkpoint."""
Pair = tuple[Tensor, Tensor]
"""Batches of either style, (batch, 1, y, x), of different structures."""


@dataclass(frozen=True, slots=True)
class CycleRecipe:
    """How a CycleGAN is fitted. The defaults are the papers' (Sardhara et al. 2025, Table 1 and §2.6).

    Attributes:
        batch: patches a step.
        steps: steps an epoch.
        epochs: at most.
        learning_rate: of Adam, at first.
        first_moment: of Adam (Zhu et al. 2017 and their followers: 0.5).
        schedule: how the rates fall.
        patience_epochs: without progress in the validation loss, after which fitting ends.
        seed: of the weights, the patches and the noise.
    """

    batch: Annotated[int, Ge(1)] = 1
    steps: Annotated[int, Ge(1)] = 50
    epochs: Annotated[int, Ge(1)] = 100
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    first_moment: Annotated[float, Ge(0), Lt(1)] = 0.5
    schedule: Schedule = field(default_factory=Plateau)
    patience_epochs: Annotated[int, Ge(1)] = 25
    seed: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True, slots=True)
class CycleTask:
    """What is fitted, to what.

    Attributes:
        stage: name, for progress and for the checkpoint.
        cycle: its parameters are changed in place.
        draw: a batch of either style.
        develop: noise of the style, from a generator, into what ``cycle.there`` made.
        validation_loss: of the cycle as it is.
        show: draws what the cycle makes after so many epochs.
    """

    stage: str
    cycle: ImageCycle
    draw: Callable[[np.random.Generator], Pair]
    develop: Callable[[torch.Generator, Tensor], Tensor]
    validation_loss: Callable[[], float]
    show: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class _State:
    """Everything that changes during a fit: of the generators first, then of the judges."""

    cycle: ImageCycle
    optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer]
    schedulers: tuple[torch.optim.lr_scheduler.LRScheduler, torch.optim.lr_scheduler.LRScheduler]
    pools: tuple[ImagePool, ImagePool]

    def save(self, path: Path, recipe: CycleRecipe, history: tuple[Epoch, ...]) -> None:
        weights = self.cycle.state_dict()
        is_best = best_epoch(history) == len(history) - 1
        content: dict[str, Any] = {
            "recipe": json.dumps(asdict(recipe)),
            "history": json.dumps([asdict(epoch) for epoch in history]),
            "cycle": weights,
            "best": weights if is_best else load_checkpoint(path, PARTS)["best"],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedulers": [scheduler.state_dict() for scheduler in self.schedulers],
            "pools": [pool.images for pool in self.pools],
        }
        save_checkpoint(path, content)

    def restore(self, path: Path, recipe: CycleRecipe) -> tuple[Epoch, ...]:
        content = load_checkpoint(path, PARTS)
        require_recipe(content, asdict(recipe), path)
        self.cycle.load_state_dict(content["cycle"])
        for optimizer, state in zip(self.optimizers, content["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        for scheduler, state in zip(self.schedulers, content["schedulers"], strict=True):
            scheduler.load_state_dict(state)
        for pool, images in zip(self.pools, content["pools"], strict=True):
            pool.images = list(images)
        return tuple(Epoch(**epoch) for epoch in json.loads(content["history"]))


def fit_cycle(
    task: CycleTask, recipe: CycleRecipe, folder: Path, report: Callable[[Progress], None]
) -> tuple[Epoch, ...]:
    """Fit where the networks are, and leave them with the weights of their best epoch, evaluated.

    After each epoch the state goes to ``folder/<stage>.pt``; started again, it goes on from there and ends
    with the same weights as without the interruption. TensorBoard finds the learning curve in
    ``folder/tensorboard/<stage>``.

    Raises:
        CheckpointMismatchError: the state was left by another recipe.
        CheckpointDamagedError: the state cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{task.stage}.pt"
    state = _start(task.cycle, recipe)
    history = state.restore(path, recipe) if path.is_file() else ()
    with event_curve(folder / "tensorboard" / task.stage, len(history)) as curve:
        while not is_finished(history, recipe.epochs, recipe.patience_epochs):
            epoch = _run_epoch(task, recipe, state, len(history))
            for scheduler in state.schedulers:
                advance(scheduler, epoch.validation_loss)
            history = (*history, epoch)
            curve.add(len(history), epoch)  # before the state: a point too many is void, one too few is lost
            state.save(path, recipe, history)
            task.show(len(history))
            report(progress(task.stage, recipe.epochs, history))
    task.cycle.load_state_dict(load_checkpoint(path, PARTS)["best"])
    task.cycle.eval()
    return history


def _start(cycle: ImageCycle, recipe: CycleRecipe) -> _State:
    made, judged = (
        torch.optim.Adam(parameters, lr=recipe.learning_rate, betas=(recipe.first_moment, 0.999))
        for parameters in (cycle.generators(), cycle.judges())
    )
    falling = (recipe.schedule.start(made, recipe.epochs), recipe.schedule.start(judged, recipe.epochs))
    return _State(cycle, (made, judged), falling, (ImagePool(), ImagePool()))


def _run_epoch(task: CycleTask, recipe: CycleRecipe, state: _State, number: int) -> Epoch:
    start = monotonic()
    task.cycle.train()
    rng = np.random.default_rng([recipe.seed, number, *task.stage.encode()])
    noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
    develop = partial(task.develop, noise)
    losses = [_step(state, task.draw(rng), develop, rng) for _ in range(recipe.steps)]
    task.cycle.eval()
    rate = float(state.optimizers[0].param_groups[0]["lr"])
    with torch.inference_mode():
        validation_loss = task.validation_loss()
    return Epoch(float(np.mean(losses)), validation_loss, rate, monotonic() - start)


def _step(state: _State, batch: Pair, develop: Callable[[Tensor], Tensor], rng: np.random.Generator) -> float:
    cycle, (plain, styled) = state.cycle, batch
    for_generators, for_judges = state.optimizers
    loss, made, unmade = generators_loss(cycle, plain, styled, develop)
    for_generators.zero_grad()
    loss.backward()
    for_generators.step()
    older = (pool.exchange(image, rng) for pool, image in zip(state.pools, (made, unmade), strict=True))
    for_judges.zero_grad()  # of what the generators' loss left there, too
    judges_loss(cycle, plain, styled, *older).backward()
    for_judges.step()
    return loss.item()
