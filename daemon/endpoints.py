"""Where the daemon's sockets may listen, and how they are bound."""

from __future__ import annotations

import ipaddress
from typing import Any

import zmq

from daemon.errors import ConfigurationError, WireError

Socket = zmq.Socket[Any]


def require_loopback(endpoint: str) -> None:
    """Refuse an endpoint that other machines could reach: nothing on it is authenticated.

    Raises
    ------
    ConfigurationError
        The endpoint is not ``tcp://`` on a loopback address, ``ipc://`` or ``inproc://``.
    """
    scheme, _, rest = endpoint.partition("://")
    if scheme in ("ipc", "inproc") and rest:
        return
    host, _, port = rest.rpartition(":")
    if scheme != "tcp" or not (port.isdigit() or port == "*"):
        raise ConfigurationError(
            f"{endpoint!r} is no endpoint", where="[publish]", remedy="Write it like tcp://127.0.0.1:5555."
        )
    if not is_loopback(host.strip("[]")):
        raise ConfigurationError(
            f"{endpoint!r} can be reached from other machines, and nobody would be asked for a key",
            where="[publish]",
            remedy="Use tcp://127.0.0.1:PORT, and an SSH tunnel to watch from elsewhere.",
        )


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bind(socket: Socket, endpoint: str) -> str:
    """Bind, and return the endpoint as bound: port 0 or * becomes the port that was found.

    Raises
    ------
    ConfigurationError
        The endpoint is not loopback.
    WireError
        The endpoint is in use or cannot be bound.
    """
    try:
        require_loopback(endpoint)
    except ConfigurationError:
        socket.close(linger=0)
        raise
    try:
        socket.bind(f"{endpoint[:-2]}:*" if endpoint.endswith(":0") else endpoint)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise WireError(
            f"the socket cannot be bound: {error.strerror}",
            where=endpoint,
            remedy="Stop the other slicewatch on this port, or choose another port in [publish].",
        ) from error
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def connect(socket: Socket, endpoint: str) -> None:
    """Connect a client's socket; nobody needs to listen yet.

    Raises
    ------
    ConfigurationError
        This is no endpoint; the socket is closed.
    """
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise ConfigurationError(
            f"{endpoint!r} is no endpoint: {error.strerror}",
            where="--connect",
            remedy="Write it like tcp://127.0.0.1:5556, as publish.control of the daemon has it.",
        ) from error
