"""Peers that speak ZMTP by hand, and so do what libzmq would not: never read, and answer heartbeats."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import msgspec

ZMTP = b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f"
PONG = b"\x04\x05\x04PONG"


def introduced(kind: bytes) -> bytes:
    """A ZMTP 3.1 greeting and the READY of a socket of this kind, https://rfc.zeromq.org/spec/23."""
    ready = b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
    greeting = ZMTP + b"\x03\x01NULL".ljust(54, b"\x00")
    return greeting + b"\x04" + bytes([len(ready)]) + ready


def let_in(endpoint: str, kind: bytes) -> socket.socket:
    """A bare connection after its handshake; libzmq takes what comes before that for a broken one."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    said = introduced(kind)
    connection.sendall(said[:64])
    heard = 0
    while heard < 64:
        heard += len(connection.recv(64 - heard))
    connection.sendall(said[64:])
    assert connection.recv(4096).startswith(b"\x04")
    return connection


def framed(body: bytes) -> bytes:
    """A message of one frame."""
    return b"\x02" + len(body).to_bytes(8, "big") + body if len(body) > 255 else bytes([0, len(body)]) + body


def request(**fields: object) -> bytes:
    """A request, framed."""
    return framed(msgspec.msgpack.encode({"schema": 1, "id": 1, **fields}))


def takes(connection: socket.socket, data: bytes) -> bool:
    """Whether the other end has not hung up."""
    try:
        connection.sendall(data)
    except ConnectionError:
        return False
    return True


@contextmanager
def ponging(*connections: socket.socket) -> Generator[Event]:
    """Heartbeats are answered, unasked, and nothing is read; the event is set once all are hung up on."""
    ended, hung_up = Event(), Event()

    def answer() -> None:
        left = list(connections)
        while left and not ended.wait(0.1):
            left = [connection for connection in left if takes(connection, PONG)]
        if not left:
            hung_up.set()

    thread = Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield hung_up
    finally:
        ended.set()
        thread.join()
        for connection in connections:
            with suppress(OSError):
                connection.close()
