"""Passwords, sessions and the brake on guessing: what is let in, for how long, and how fast one may try."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.requests import HTTPConnection

from daemon.errors import ConfigurationError
from daemon.monitor.login import (
    FREE_FAILURES,
    FREE_FAILURES_OF_ALL,
    LONGEST_WAIT_OF_ALL_S,
    LONGEST_WAIT_S,
    SESSION_S,
    Brake,
    Guard,
    cookie,
    require_login,
)
from daemon.passwords import LONGEST, SHORTEST, hash_password, read_password, write_password

PASSWORD = "correct horse battery"  # noqa: S105 - a test's own


def visitor(token: str = "", address: str = "192.168.0.1") -> HTTPConnection:
    """A request with a session's cookie."""
    scope = {"type": "http", "server": ("127.0.0.1", 8050), "client": (address, 50000), "headers": []}
    name = cookie(HTTPConnection(scope))
    return HTTPConnection({**scope, "headers": [(b"cookie", f"{name}={token}".encode())]})


@pytest.fixture
def clock() -> SimpleNamespace:
    """A clock that is set by hand, s."""
    return SimpleNamespace(now=100.0)


def test_a_password_is_known_again_and_nothing_else_is(tmp_path: Path) -> None:
    """The file holds no password, is private, and tells right from nearly right."""
    path = tmp_path / "password"
    write_password(path, PASSWORD)
    text = path.read_text(encoding="utf-8")
    assert PASSWORD not in text
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    kept = read_password(path)
    assert kept.fits(PASSWORD)
    assert not any(
        kept.fits(wrong) for wrong in ("", PASSWORD[:-1], PASSWORD + " ", PASSWORD.upper(), "\ud800")
    )
    assert kept.digest not in repr(kept)
    assert hash_password(PASSWORD).digest != kept.digest, "two salts are alike"


@pytest.mark.parametrize("password", ["", "x" * (SHORTEST - 1), "x" * (LONGEST + 1)])
def test_short_and_endless_passwords_are_refused(tmp_path: Path, password: str) -> None:
    """Nothing is written for them."""
    with pytest.raises(ConfigurationError, match="characters"):
        write_password(tmp_path / "password", password)
    assert not (tmp_path / "password").exists()


@pytest.mark.parametrize(
    "text", ["", "cost = 1", 'cost = 32768\nsalt = "00"\ndigest = "00"', "\x00", "cost = 99999999"]
)
def test_a_damaged_password_file_is_refused(tmp_path: Path, text: str) -> None:
    """Neither a cheap hash nor one that would eat the memory is taken from a file."""
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="password file"):
        read_password(path)


def test_other_machines_are_not_served_without_a_password() -> None:
    """Loopback needs none; anything else does."""
    for host in ("127.0.0.1", "localhost", "::1"):
        require_login(host, None)
    for host in ("0.0.0.0", "::", "192.168.1.7", "microscope"):  # noqa: S104 - refused
        with pytest.raises(ConfigurationError, match="password"):
            require_login(host, None)
        require_login(host, hash_password(PASSWORD))


def test_a_session_commands_until_it_ends(clock: SimpleNamespace) -> None:
    """After twelve hours, or when it is closed, it is worth nothing; a made-up one never was."""
    guard = Guard(hash_password(PASSWORD), clock=lambda: clock.now)
    browser = visitor(guard.open_session())
    assert guard.may_control(browser)
    assert guard.may_read(browser)
    for nobody in (visitor(), visitor("made-up"), HTTPConnection({"type": "http", "headers": []})):
        assert not guard.may_control(nobody)
        assert not guard.may_read(nobody)
    clock.now += SESSION_S
    assert not guard.may_control(browser)
    other = visitor(guard.open_session())
    guard.end_session(other)
    assert not guard.may_control(other)


def test_without_a_password_everybody_reads_and_only_the_link_commands() -> None:
    """The link of the terminal is a secret; with a password there is none."""
    guard = Guard(None)
    assert guard.may_read(visitor())
    assert not guard.may_control(visitor())
    link = guard.link("http://127.0.0.1:8050").partition("link=")[2]
    assert guard.is_link(link)
    assert not any(guard.is_link(wrong) for wrong in ("", link[:-1], link + "x", "ä", "\ud800"))
    locked = Guard(hash_password(PASSWORD))
    assert not locked.is_link(locked.link("").partition("link=")[2])


def test_sessions_do_not_pile_up() -> None:
    """Whoever logs in ten thousand times pushes out old sessions and fills no memory."""
    guard = Guard(None)
    first, last = guard.open_session(), ""
    for _ in range(1000):
        last = guard.open_session()
    assert not guard.may_control(visitor(first))
    assert guard.may_control(visitor(last))


def test_guessing_gets_slower_up_to_five_minutes_and_for_one_address_only(clock: SimpleNamespace) -> None:
    """Five wrong ones are free, then the waits double; the right password forgives."""
    brake = Brake(lambda: clock.now)
    for _ in range(FREE_FAILURES):
        assert brake.wait_s("a") == 0.0
        brake.failed("a")
    assert brake.wait_s("a") == 0.0
    for expected in (2.0, 4.0, 8.0):
        brake.failed("a")
        assert brake.wait_s("a") == pytest.approx(expected)
        clock.now += expected
        assert brake.wait_s("a") == 0.0
    for _ in range(100):
        brake.failed("a")
    assert brake.wait_s("a") == LONGEST_WAIT_S
    assert brake.wait_s("b") == 0.0
    brake.succeeded("a")
    assert brake.wait_s("a") == 0.0


def test_guessing_from_many_addresses_gets_slower_for_all_but_those_who_are_logged_in(
    clock: SimpleNamespace,
) -> None:
    """A new address for each guess gains nothing; a session does, and so does the password."""
    guard = Guard(hash_password(PASSWORD), clock=lambda: clock.now)
    logged_in = visitor(guard.open_session())
    for number in range(FREE_FAILURES_OF_ALL):
        assert guard.wait_s(visitor(address=f"10.0.0.{number}")) == 0.0
        guard.guesses(visitor(address=f"10.0.0.{number}"))
    for expected in (2.0, 4.0, 8.0, 16.0, LONGEST_WAIT_OF_ALL_S, LONGEST_WAIT_OF_ALL_S):
        assert guard.wait_s(visitor(address="10.0.1.1")) == 0.0
        guard.guesses(visitor(address="10.0.1.1" + str(expected)))
        assert guard.wait_s(visitor(address="10.0.1.1")) == pytest.approx(expected)
        assert guard.wait_s(logged_in) == 0.0
        clock.now += expected
    guard.guesses(visitor(address="10.0.2.1"))
    guard.knew(visitor(address="10.0.2.1"))
    assert guard.wait_s(visitor(address="10.0.2.2")) == 0.0
