"""Sockets listen on this machine only, and say what to do when they cannot."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import pytest

from daemon.endpoints import is_loopback, require_loopback
from daemon.errors import ConfigurationError, WireError
from daemon.publish import Publisher

OPEN = ["tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://192.168.1.7:5555", "tcp://[::]:5555", "tcp://host:1"]
NONSENSE = [
    "",
    "5555",
    "tcp://127.0.0.1",
    "http://127.0.0.1:80",
    "tcp://127.0.0.1:port",
    "ipc://",
    "pgm://a:1",
]
LOCAL = ["tcp://127.0.0.1:5555", "tcp://127.0.0.1:*", "tcp://localhost:0", "tcp://[::1]:5555", "ipc:///tmp/e"]


@pytest.mark.parametrize("endpoint", OPEN + NONSENSE)
def test_endpoints_that_others_could_reach_are_refused(endpoint: str) -> None:
    """Without keys nothing but loopback is bound: a configuration error with the remedy."""
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1"):
        require_loopback(endpoint)


@pytest.mark.parametrize("endpoint", LOCAL)
def test_loopback_is_allowed(endpoint: str) -> None:
    """IPv4, IPv6, names and local sockets."""
    require_loopback(endpoint)


def test_a_name_is_not_loopback_because_it_looks_like_it() -> None:
    """Addresses are parsed, not matched by their beginning."""
    assert is_loopback("127.9.9.9")
    assert not is_loopback("127.0.0.1.example.org")


def now() -> datetime:
    return datetime.now(UTC)


def test_a_port_in_use_is_one_clear_error() -> None:
    """The second daemon on a port learns which endpoint is taken and what to do; nothing is left open."""
    with closing(Publisher(run="r", epoch=1, endpoint="tcp://127.0.0.1:0", now=now)) as first:
        with pytest.raises(WireError, match="another port") as caught:
            Publisher(run="r", epoch=1, endpoint=first.endpoint, now=now)
        assert caught.value.where == first.endpoint
