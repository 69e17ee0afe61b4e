"""A storm of reconnects for ``benchmarks.protocol``: clients behind a wire that is cut again and again.

The clients follow through a relay that hangs up on everybody at once; what is lost or told twice is counted.
A snapshot begins a client's picture of the run anew, with the last message on every subject: what comes
after it is compared with what it holds, and not with what was told before it.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from daemon.client import Answer, Client
from daemon.control import ControlServer
from daemon.inbox import Inbox
from daemon.items import FinishReason, RunState, ThicknessSource
from daemon.messages import RunMessage, ThicknessMessage
from daemon.publish import Publisher
from daemon.wire import Event

CLIENTS = 4
SPREAD_S = 0.05
_DONE = RunMessage(state=RunState.FINISHED, finish_reason=FinishReason.COMPLETED)


class Relay:
    """Passes TCP connections on to a port until they are cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """Where to connect instead."""
        return f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Hang up on everybody who is connected now."""
        pairs, self._open = self._open, []
        for end in pairs:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut, and take no more."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def storm_figures(*, messages: int, cuts: int) -> dict[str, float]:
    """What all clients together lost and heard twice, and how often each was cut off."""
    heard: list[list[list[int]]] = [[] for _ in range(CLIENTS)]
    began = time.perf_counter()
    with (
        _daemon() as (publisher, control),
        _relay(publisher.endpoint) as events,
        _relay(control.endpoint) as asks,
    ):
        listeners = [
            threading.Thread(target=_follow, args=(events.endpoint, asks.endpoint, pictures))
            for pictures in heard
        ]
        for listener in listeners:
            listener.start()
        for number in range(messages):
            publisher.publish(_thickness(number))
            if number % (messages // cuts) == 0:
                time.sleep(SPREAD_S)
                events.cut()
                asks.cut()
        publisher.publish(_DONE)
        for listener in listeners:
            listener.join()
    told = range(1, messages + 1)
    return {
        "lost": float(sum(len(set(told).difference(*pictures)) for pictures in heard)),
        "twice_or_out_of_order": float(sum(map(_repeats, heard))),
        "snapshots": float(sum(map(len, heard))),
        "storm_cuts": float(cuts),
        "storm_clients": float(CLIENTS),
        "storm_messages": float(messages),
        "storm_s": time.perf_counter() - began,
    }


@contextmanager
def _daemon() -> Generator[tuple[Publisher, ControlServer]]:
    anywhere = "tcp://127.0.0.1:*"
    publisher = Publisher(run="storm", epoch=1, endpoint=anywhere, now=lambda: datetime.now(UTC))
    with (
        closing(publisher),
        closing(ControlServer(endpoint=anywhere, publisher=publisher, inbox=Inbox())) as control,
    ):
        yield publisher, control


@contextmanager
def _relay(endpoint: str) -> Generator[Relay]:
    with closing(Relay(int(endpoint.rpartition(":")[2]))) as relay:
        yield relay


def _follow(events: str, control: str, pictures: list[list[int]]) -> None:
    """Numbers of the messages as a client is given them, a list from each snapshot on, until the run ends."""
    finished = threading.Event()
    with Client(events, control, timeout_s=2.0) as client:
        for update in client.follow(patience_s=0.1, until=finished.is_set):
            if isinstance(update, Answer):
                pictures.append([])
            for event in update.events if isinstance(update, Answer) else [update]:
                if not isinstance(event, Event):
                    continue
                if isinstance(event.message, RunMessage):
                    finished.set()
                else:
                    pictures[-1].append(event.envelope.seq)


def _repeats(pictures: list[list[int]]) -> int:
    """How many messages a client was given that were not newer than the one before, from a snapshot on."""
    return sum(a >= b for numbers in pictures for a, b in itertools.pairwise(numbers))


def _thickness(index: int) -> ThicknessMessage:
    return ThicknessMessage(index=index, depth_nm=10.0 * index, source=ThicknessSource.RULER)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError), source, sink:
        while data := source.recv(65536):
            sink.sendall(data)
