"""Hostile peers for ``benchmarks.protocol``: does a slice take longer, does memory grow?

A slice here is 0.1 s of computation and all that a slice says, previews included; a real one computes for
seconds. Quiet and attacked slices alternate in groups. The peers are a process of their own
(``python -m benchmarks.protocol_hostile EVENTS CONTROL``): a subscriber that does not read, a thousand
connects and disconnects a minute, garbage and oversized frames, the same request again and again.
"""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import psutil
import zmq

from daemon.control import ControlServer
from daemon.inbox import Inbox
from daemon.items import ThicknessSource
from daemon.messages import DriftMessage, MetricsMessage, PreviewMessage, ThicknessMessage
from daemon.publish import Publisher

GROUP = 4
CONNECTS_PER_S = 20
_EDGE = 640
_ROUND_S = 1.0 / CONNECTS_PER_S


def hostile_figures(*, slices: int) -> dict[str, float]:
    """Seconds of a slice with hostile peers over those without (median), and MiB that memory grew by."""
    anywhere = "tcp://127.0.0.1:*"
    publisher = Publisher(run="r", epoch=1, endpoint=anywhere, now=lambda: datetime.now(UTC))
    with (
        closing(publisher),
        closing(ControlServer(endpoint=anywhere, publisher=publisher, inbox=Inbox())) as control,
    ):
        peers = _Peers(publisher.endpoint, control.endpoint)
        try:
            quiet, attacked, memory_mib = _slices(publisher, peers, slices)
        finally:
            peers.end()
        return {
            "hostile_slice_ratio": float(np.median(attacked) / np.median(quiet)),
            "hostile_memory_growth_mib": memory_mib[-1] - memory_mib[len(memory_mib) // 3],
            "hostile_connects": float(peers.connects),
            "hostile_frames_refused": float(control.garbage),
            "hostile_previews_withheld": float(publisher.previews_withheld),
        }


class _Peers:
    """The other process, which is stopped while quiet slices are measured."""

    def __init__(self, events: str, control: str) -> None:
        command = [sys.executable, "-m", "benchmarks.protocol_hostile", events, control]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.connects = 0
        if self._process.stdout is None or not self._process.stdout.readline():
            raise RuntimeError("the hostile peers have not come up")

    def attack(self, *, on: bool) -> None:
        """Let them go on, or hold them."""
        os.kill(self._process.pid, signal.SIGCONT if on else signal.SIGSTOP)

    def end(self) -> None:
        """Have them say how often they connected, and end."""
        self.attack(on=True)
        self._process.terminate()
        told, _ = self._process.communicate(timeout=30)
        self.connects = int(told.split()[-1])


def _slices(publisher: Publisher, peers: _Peers, count: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds of quiet and of attacked slices, and the memory after each group, MiB."""
    times: dict[bool, list[float]] = {False: [], True: []}
    memory_mib: list[float] = []
    _slice(publisher, 0)
    for index in range(1, 2 * count + 1):
        on = bool((index // GROUP) % 2)
        peers.attack(on=on)
        began = time.perf_counter()
        _slice(publisher, index)
        times[on].append(time.perf_counter() - began)
        memory_mib.append(psutil.Process().memory_info().rss / 2**20)
    return times[False], times[True], memory_mib


def _slice(publisher: Publisher, index: int) -> None:
    """Correlate two images until some 0.1 s have passed, then say what a slice says."""
    image = np.random.default_rng(index % 8).integers(0, 255, (_EDGE, _EDGE), dtype=np.uint8)
    for _ in range(4):
        spectrum = np.fft.rfft2(image)
        np.fft.irfft2(spectrum * spectrum.conj())
    publisher.publish(ThicknessMessage(index=index, depth_nm=10.0 * index, source=ThicknessSource.RULER))
    publisher.publish(DriftMessage(index=index, threshold=5.0))
    for plane in range(4):
        publisher.publish(MetricsMessage(plane=4 * index + plane))
    publisher.publish(PreviewMessage(index=index, arrays={"image/a": image, "labels": image}))


def main(arguments: Sequence[str]) -> None:
    """Be hostile until terminated, at a rate that leaves the processor to the daemon."""
    events, control = arguments
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    context = zmq.Context()
    stuck = context.socket(zmq.SUB)
    stuck.setsockopt(zmq.RCVHWM, 1)
    stuck.subscribe(b"")
    stuck.connect(events)
    asker = context.socket(zmq.DEALER)
    asker.setsockopt(zmq.SNDHWM, 10)
    asker.connect(control)
    print("ready", flush=True)
    for connects in itertools.count(2):
        if ended:
            print(connects, flush=True)
            context.destroy(linger=0)
            return
        for act in _acts(context, asker, events, control):
            act()
        time.sleep(_ROUND_S)


def _acts(
    context: zmq.Context[Any], asker: zmq.Socket[Any], events: str, control: str
) -> list[Callable[[], None]]:
    """One connect each: a subscriber that leaves at once, raw noise on both, garbage, and an old request."""
    replayed = msgspec.msgpack.encode({"command": "disarm", "id": 1, "schema": 1, "by": "x", "token": "old"})

    def ask(data: bytes) -> None:
        if asker.poll(0, zmq.POLLOUT):
            asker.send(data)

    def leave_at_once() -> None:
        with context.socket(zmq.SUB) as fleeting:
            fleeting.setsockopt(zmq.LINGER, 0)
            fleeting.subscribe(os.urandom(8))
            fleeting.connect(events)

    return [
        leave_at_once,
        lambda: _noise(events, os.urandom(200)),
        lambda: _noise(
            control, b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f" + b"\x03\x00NULL" + os.urandom(2000)
        ),
        lambda: ask(os.urandom(300)),
        lambda: ask(b"\x00" * 20_000),
        lambda: ask(replayed),
    ]


def _noise(endpoint: str, data: bytes) -> None:
    """Bytes on a bare TCP connection that is then dropped."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5.0) as connection:
        connection.sendall(data)


if __name__ == "__main__":
    main(sys.argv[1:])
