"""A daemon's two sockets without a run behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from daemon.client import Client
from daemon.control import ControlServer
from daemon.errors import WireError
from daemon.inbox import Inbox
from daemon.items import FinishReason, RunState, ThicknessSource
from daemon.messages import Message, RunMessage, ThicknessMessage
from daemon.publish import Publisher
from daemon.records import KEPT

DONE = RunMessage(state=RunState.FINISHED, finish_reason=FinishReason.COMPLETED)


@dataclass(frozen=True)
class Sockets:
    """A daemon's two sockets, without a run behind them."""

    publisher: Publisher
    control: ControlServer
    inbox: Inbox

    def client(self, timeout_s: float = 5.0) -> Client:
        """A client of these sockets."""
        return Client(self.publisher.endpoint, self.control.endpoint, timeout_s=timeout_s)


class Blocks:
    """A volume of known labels behind the ``planes`` request."""

    labels = np.random.default_rng(0).integers(0, 2, (30, 40, 50), dtype=np.uint8)

    def shape(self, level: int) -> tuple[int, int, int]:
        """Level 0 only."""
        if level:
            raise WireError("no such level", where="volume", remedy="Ask for level 0.")
        return (30, 40, 50)

    def read(
        self, level: int, first: int, count: int, y: int, x: int, height: int, width: int
    ) -> NDArray[np.uint8]:
        """A block."""
        return self.labels[first : first + count, y : y + height, x : x + width]


@contextmanager
def listening(
    epoch: int = 1,
    run: str = "run-1",
    events: str = "tcp://127.0.0.1:0",
    control: str = "tcp://127.0.0.1:0",
    history: int = 20_000,
    recorded: Sequence[Message] = (),
) -> Iterator[Sockets]:
    """Sockets that are closed afterwards; ``recorded`` is what earlier epochs have told."""
    publisher = Publisher(
        run=run,
        epoch=epoch,
        endpoint=events,
        now=lambda: datetime.now(UTC),
        history_messages=history,
        on_record=() if not recorded else KEPT,
        recorded=lambda topic: (message for message in recorded if message.topic == topic),
    )
    inbox = Inbox()
    with (
        closing(publisher),
        closing(ControlServer(endpoint=control, publisher=publisher, inbox=inbox, volume=Blocks())) as server,
    ):
        yield Sockets(publisher, server, inbox)


def thickness(index: int, *notes: str) -> ThicknessMessage:
    """A thickness that is told by its index."""
    return ThicknessMessage(index=index, depth_nm=10.0 * index, source=ThicknessSource.RULER, notes=notes)
