"""Learning curves for TensorBoard, written while a network is fitted: ``tensorboard --logdir DIR``."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from torch.utils.tensorboard import SummaryWriter


class Figures(Protocol):
    """What an epoch came to."""

    @property
    def training_loss(self) -> float: ...
    @property
    def validation_loss(self) -> float: ...
    @property
    def learning_rate(self) -> float: ...


class EventCurve:
    """The curve of one stage, a point an epoch; epochs count from 1."""

    def __init__(self, writer: SummaryWriter) -> None:
        self._writer = writer

    def add(self, number: int, epoch: Figures) -> None:
        """On disk when this returns, so that a page beside the training shows it."""
        self._writer.add_scalar("loss/training", epoch.training_loss, number)
        self._writer.add_scalar("loss/validation", epoch.validation_loss, number)
        self._writer.add_scalar("learning rate", epoch.learning_rate, number)
        self._writer.flush()


@contextmanager
def event_curve(folder: Path, finished_epochs: int) -> Generator[EventCurve]:
    """A curve in ``folder`` that goes on behind ``finished_epochs``.

    Later points of an earlier start, whose checkpoint was not written any more, are told to be void.
    """
    with SummaryWriter(str(folder), purge_step=finished_epochs + 1) as writer:
        yield EventCurve(writer)
