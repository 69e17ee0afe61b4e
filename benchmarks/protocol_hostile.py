"""Hostile peers for ``benchmarks.protocol``: does a slice take longer, does memory grow?

A slice here is 0.1 s of computation and all that a slice says, previews included; a real one computes for
seconds. Quiet and attacked slices alternate in groups. The peers are a process of their own
(``python -m benchmarks.protocol_hostile EVENTS CONTROL``): a subscriber that does not read, others that come
and go at once, a thousand connects and disconnects in all, garbage and oversized frames, the same request
again and again.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
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
ROUNDS = 5  # of everything hostile in an attacked slice; each connects three times
REST_S = (
    0.05  # before each slice, as a daemon waits for images: who has slept is served first on a busy machine
)
PERIOD_S = 0.02  # of the rounds, so that they fill the slice
_EDGE = 640
_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16 + 1 + 31)  # ZMTP 3.0, no encryption
_READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB"


def hostile_figures(*, slices: int) -> dict[str, float]:
    """Seconds of a slice with hostile peers over those without, and MiB that memory grew by.

    ``slices`` of each kind are timed, a multiple of ``GROUP``.
    """
    anywhere = "tcp://127.0.0.1:*"
    publisher = Publisher(run="r", epoch=1, endpoint=anywhere, now=lambda: datetime.now(UTC))
    with (
        closing(publisher),
        closing(ControlServer(endpoint=anywhere, publisher=publisher, inbox=Inbox())) as control,
    ):
        with closing(_Peers(publisher.endpoint, control.endpoint)) as peers:
            seconds, cpu_s, memory_mib = _slices(publisher, peers, slices)
        return {
            "hostile_slice_ratio": _ratio(seconds),
            "hostile_slice_cpu_ratio": _ratio(cpu_s),
            "hostile_memory_growth_mib": memory_mib[-1] - memory_mib[len(memory_mib) // 3],
            "hostile_connects": float(peers.connects),
            "hostile_frames_refused": float(control.garbage),
            "hostile_previews_withheld": float(publisher.previews_withheld),
        }


class _Peers:
    """The other process, which attacks when it is told to and says how often it has connected."""

    def __init__(self, events: str, control: str) -> None:
        command = [sys.executable, "-m", "benchmarks.protocol_hostile", events, control]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.connects = self._answer()

    def begin(self, *, attack: bool) -> None:
        """Begin the rounds of a slice; without ``attack`` they do nothing but take their time."""
        if self._process.stdin is None:
            raise RuntimeError("the hostile peers do not listen")
        self._process.stdin.write(f"{int(attack)}\n")
        self._process.stdin.flush()

    def rest(self) -> None:
        """Wait for the end of the rounds."""
        self.connects = self._answer()

    def close(self) -> None:
        """End them."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> int:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError("the hostile peers have died")
        return int(line)


def _slices(publisher: Publisher, peers: _Peers, count: int) -> tuple[list[float], list[float], list[float]]:
    """Of each slice, quiet and attacked groups in turn: s, s of CPU of its own thread, MiB after it."""
    seconds, cpu_s, memory_mib = list[float](), list[float](), list[float]()
    _slice(publisher, 0)
    for index in range(2 * count):
        time.sleep(REST_S)
        peers.begin(attack=bool((index // GROUP) % 2))
        began, cpu_began_s = time.perf_counter(), time.thread_time()
        _slice(publisher, index + 1)
        seconds.append(time.perf_counter() - began)
        cpu_s.append(time.thread_time() - cpu_began_s)
        peers.rest()
        memory_mib.append(psutil.Process().memory_info().rss / 2**20)
    return seconds, cpu_s, memory_mib


def _ratio(seconds: Sequence[float]) -> float:
    """Median over pairs of neighbouring groups, so that what else the machine does meets both."""
    groups = np.median(np.reshape(seconds, (-1, 2, GROUP)), axis=2)
    return float(np.median(groups[:, 1] / groups[:, 0]))


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
    """For each line on standard input the rounds of a slice, hostile or not; then the connects so far."""
    events, control = arguments
    context = zmq.Context()
    stuck = context.socket(zmq.SUB)
    stuck.setsockopt(zmq.RCVHWM, 1)
    stuck.subscribe(b"")
    stuck.connect(events)
    asker = context.socket(zmq.DEALER)
    asker.setsockopt(zmq.SNDHWM, 10)
    asker.connect(control)
    connects = 2
    print(connects, flush=True)
    for line in sys.stdin:
        began = time.monotonic()
        for number in range(1, ROUNDS + 1):
            connects += _round(asker, events, control) if int(line) else 0
            time.sleep(max(0.0, began + number * PERIOD_S - time.monotonic()))
        print(connects, flush=True)


def _round(asker: zmq.Socket[Any], events: str, control: str) -> int:
    """A subscriber that leaves at once, noise on both, garbage, an old request; how often it connected."""
    _subscribe_and_leave(events)
    _noise(events, os.urandom(200))
    _noise(control, _GREETING[:16] + os.urandom(2000))
    replayed = msgspec.msgpack.encode({"command": "disarm", "id": 1, "schema": 1, "by": "x", "token": "old"})
    for data in (os.urandom(300), bytes(20_000), replayed):
        if asker.poll(0, zmq.POLLOUT):
            asker.send(data)
    return 3


def _subscribe_and_leave(endpoint: str) -> None:
    """By hand, since ZeroMQ's own socket would be closed before it has connected."""
    with _connected(endpoint) as connection:
        connection.sendall(_GREETING)
        _received(connection, len(_GREETING))
        topic = os.urandom(8)
        connection.sendall(_READY + bytes([0, 1 + len(topic), 1]) + topic)
        _received(connection, len(_READY))  # the daemon's, of a PUB socket, is as long


def _received(connection: socket.socket, count: int) -> None:
    while count > 0:
        data = connection.recv(count)
        if not data:
            raise RuntimeError("the daemon hung up on a subscriber")
        count -= len(data)


def _noise(endpoint: str, data: bytes) -> None:
    """Bytes on a bare TCP connection that is then dropped."""
    with _connected(endpoint) as connection:
        connection.sendall(data)


def _connected(endpoint: str) -> socket.socket:
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30.0)


if __name__ == "__main__":
    main(sys.argv[1:])
