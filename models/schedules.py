"""How the learning rate falls during a fit."""

from dataclasses import dataclass
from math import cos, pi
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau


@dataclass(frozen=True, slots=True)
class Plateau:
    """The papers' schedule: after ``patience_epochs`` without progress the rate is multiplied by ``factor``.

    For fits that take as long as they take.
    """

    patience_epochs: Annotated[int, Ge(0)] = 10
    factor: Annotated[float, Gt(0), Lt(1)] = 0.1

    def start(self, optimizer: Optimizer, epochs: int) -> LRScheduler:
        return ReduceLROnPlateau(optimizer, factor=self.factor, patience=self.patience_epochs)


@dataclass(frozen=True, slots=True)
class Cosine:
    """Half a cosine from the first rate to ``last`` times it at the last epoch.

    For fits of a given length: it always ends at a small rate.
    """

    last: Annotated[float, Ge(0), Le(1)] = 0.01

    def start(self, optimizer: Optimizer, epochs: int) -> LRScheduler:
        def share(epoch: int) -> float:
            return self.last + (1 - self.last) * (1 + cos(pi * min(epoch / epochs, 1))) / 2

        return LambdaLR(optimizer, share)


Schedule = Plateau | Cosine


def advance(scheduler: LRScheduler, validation_loss: float) -> None:
    """Tell the scheduler that an epoch is over."""
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(validation_loss)
    else:
        scheduler.step()
