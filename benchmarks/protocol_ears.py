"""Subscribers in a process of their own, for ``benchmarks.protocol``: ``python -m benchmarks.protocol_ears``.

Arguments: how many sockets at each endpoint, the key file (or ``-``), the endpoints. For each line on
standard input, the number of an endpoint and a count, every socket there hears so many messages; then a line
of JSON says how many were missed, and the latencies in µs of those whose header has ``depth_nm``, which
carries the sender's monotonic clock in s.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import zmq

from daemon.endpoints import connect
from daemon.keys import ClientKey, read_client_key

WITHIN_MS = 30_000


class Ears:
    """So many subscribers of each endpoint, ready to hear."""

    def __init__(self, endpoints: Sequence[str], count: int, key: Path | None) -> None:
        command = [sys.executable, "-m", "benchmarks.protocol_ears", str(count), str(key or "-"), *endpoints]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    def expect(self, messages: int, endpoint: int = 0) -> None:
        """From now on, hear so many messages on every socket of an endpoint."""
        if self._process.stdin is None:
            raise RuntimeError("the subscribers have no ears")
        self._process.stdin.write(f"{endpoint} {messages}\n")
        self._process.stdin.flush()

    def heard(self) -> dict[str, Any]:
        """What was heard, when all of it was or half a minute has passed without more."""
        return json.loads(self._answer())

    def __enter__(self) -> Ears:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError("the subscribers have died")
        return line


def main(arguments: Sequence[str]) -> None:
    """Listen until standard input ends."""
    count, key_file, *endpoints = arguments
    key = None if key_file == "-" else read_client_key(Path(key_file))
    context = zmq.Context(2)
    sockets = [[_subscriber(context, endpoint, key) for _ in range(int(count))] for endpoint in endpoints]
    print("ready", flush=True)
    for line in sys.stdin:
        endpoint, messages = map(int, line.split())
        print(json.dumps(_hear(sockets[endpoint], messages)), flush=True)


def _subscriber(context: zmq.Context[Any], endpoint: str, key: ClientKey | None) -> zmq.Socket[Any]:
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.setsockopt(zmq.RCVTIMEO, WITHIN_MS)
    connect(socket, endpoint, key)
    socket.subscribe(b"")
    return socket


def _hear(sockets: Sequence[zmq.Socket[Any]], messages: int) -> dict[str, Any]:
    missed, latencies = 0, list[float]()
    for socket in sockets:
        heard = 0
        try:
            for heard in range(messages):  # noqa: B007 - how far it came is the figure
                parts = socket.recv_multipart(copy=False)
                if messages <= 1000 and len(parts[1]) < 4096:
                    latencies.append(_latency_us(parts[1].bytes))
            heard = messages
        except zmq.Again:
            pass
        missed += messages - heard
    return {"missed": missed, "latencies_us": latencies}


def _latency_us(header: bytes) -> float:
    now_s = time.monotonic()
    return (now_s - msgspec.msgpack.decode(header).get("depth_nm", now_s)) * 1e6


if __name__ == "__main__":
    main(sys.argv[1:])
