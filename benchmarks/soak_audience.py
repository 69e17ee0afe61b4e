"""Subscribers of a whole run in their own process: ``python -m benchmarks.soak_audience ENDPOINT COUNT``.

Each hears everything until standard input ends. A line of JSON then says how many messages came, and how many
numbers were left out on the way: the late ones at the beginning are not counted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import zmq


class Audience:
    """So many subscribers of an endpoint."""

    def __init__(self, endpoint: str, count: int) -> None:
        command = [sys.executable, "-m", "benchmarks.soak_audience", endpoint, str(count)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def leave(self) -> dict[str, int]:
        """What they have ``heard`` and ``lost``, all together."""
        told, _ = self._process.communicate()
        return json.loads(told)

    def end(self) -> None:
        """Whatever they have heard."""
        self._process.kill()
        self._process.communicate()


def main(arguments: Sequence[str]) -> None:
    """Listen until standard input ends."""
    endpoint, count = arguments
    poller = zmq.Poller()
    poller.register(sys.stdin.fileno(), zmq.POLLIN)
    context = zmq.Context()
    last = {_subscriber(context, endpoint, poller): 0 for _ in range(int(count))}
    heard = lost = 0
    while True:
        ready = dict(poller.poll())
        if sys.stdin.fileno() in ready and len(ready) == 1:
            break
        for socket in ready.keys() & last.keys():
            seq = _seq(socket)
            lost += seq - last[socket] - 1 if last[socket] else 0
            last[socket], heard = seq, heard + 1
    print(json.dumps({"heard": heard, "lost": lost}))


def _subscriber(context: zmq.Context[Any], endpoint: str, poller: zmq.Poller) -> zmq.Socket[Any]:
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, 10_000)
    socket.connect(endpoint)
    socket.subscribe(b"")
    poller.register(socket, zmq.POLLIN)
    return socket


def _seq(socket: zmq.Socket[Any]) -> int:
    return int(msgspec.msgpack.decode(socket.recv_multipart(copy=False)[1].bytes)["seq"])


if __name__ == "__main__":
    main(sys.argv[1:])
