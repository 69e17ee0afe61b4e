"""Where the daemon's sockets may listen, and how they are bound."""

from __future__ import annotations

import ipaddress
from typing import Any

import zmq

from daemon.curve import lock, unlock
from daemon.errors import ConfigurationError, WireError
from daemon.keys import ClientKey, DaemonKeys

Socket = zmq.Socket[Any]
NO_LIMIT = 0
"""Of messages that wait to be read on a socket with heartbeats. With one, libzmq 4.3.5 stops reading from a
peer, and if that hangs up meanwhile, its next heartbeat ends the process (``Assertion failed: !_io_error``).
The bound is that of ``daemon.flood_guard``."""
HANDSHAKE_WITHIN_MS = 10_000  # a peer that connects and says nothing is hung up on after that


def require_loopback(endpoint: str) -> None:
    """Refuse an endpoint that other machines could reach, for sockets that ask nobody for a key.

    Raises
    ------
    ConfigurationError
        The endpoint is not ``tcp://`` on a loopback address, ``ipc://`` or ``inproc://``.
    """
    host = _host(endpoint)
    if host and not is_loopback(host):
        raise ConfigurationError(
            f"{endpoint!r} can be reached from other machines, and nobody would be asked for a key",
            where="[publish]",
            remedy="Use tcp://127.0.0.1:PORT, or make keys: 'slicewatch keys make' and publish.curve_keys.",
        )


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bind(socket: Socket, endpoint: str, keys: DaemonKeys | None = None) -> str:
    """Bind, and return the endpoint as bound: port 0 or * becomes the port that was found.

    With ``keys`` only their holders are let in, wherever the endpoint is; without them it must be loopback.

    Raises
    ------
    ConfigurationError
        This is no endpoint, or it is not loopback and there are no keys; the socket is closed.
    WireError
        The endpoint is in use or cannot be bound; the socket is closed.
    """
    try:
        return _bound(socket, endpoint, keys)
    except BaseException:  # an open socket would keep its context from ever being ended
        socket.close(linger=0)
        raise


def _bound(socket: Socket, endpoint: str, keys: DaemonKeys | None) -> str:
    _prepare(socket, endpoint, keys)
    try:
        socket.bind(f"{endpoint[:-2]}:*" if endpoint.endswith(":0") else endpoint)
    except zmq.ZMQError as error:
        raise WireError(
            f"the socket cannot be bound: {error.strerror}",
            where=endpoint,
            remedy="Stop the other slicewatch on this port, or choose another port in [publish].",
        ) from error
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def connect(socket: Socket, endpoint: str, key: ClientKey | None = None) -> None:
    """Connect a client's socket, showing ``key`` where it has one; nobody needs to listen yet.

    Raises
    ------
    ConfigurationError
        This is no endpoint; the socket is closed.
    """
    if key is not None:
        unlock(socket, key)
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise ConfigurationError(
            f"{endpoint!r} is no endpoint: {error.strerror}",
            where="--connect",
            remedy="Write it like tcp://127.0.0.1:5556, as publish.control of the daemon has it.",
        ) from error


def _prepare(socket: Socket, endpoint: str, keys: DaemonKeys | None) -> None:
    if keys is None:
        require_loopback(endpoint)
    else:
        _host(endpoint)
        lock(socket, keys)


def _host(endpoint: str) -> str:
    """The host of a ``tcp://`` endpoint; empty for those that never leave the machine.

    Raises
    ------
    ConfigurationError
        This is no endpoint.
    """
    scheme, _, rest = endpoint.partition("://")
    if scheme in ("ipc", "inproc") and rest:
        return ""
    host, _, port = rest.rpartition(":")
    if scheme != "tcp" or not host or not (port.isdigit() or port == "*"):
        raise ConfigurationError(
            f"{endpoint!r} is no endpoint", where="[publish]", remedy="Write it like tcp://127.0.0.1:5555."
        )
    return host.strip("[]")
