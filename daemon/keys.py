"""CURVE keys: who may connect to a daemon that other machines can reach, and what for.

A folder (0700) holds all that the daemon needs, every file for its owner only (0600)::

    keys/daemon.key          the daemon's own pair
    keys/allowed/NAME.toml   a client's public key and role; removing the file revokes the key
    keys/NAME.key            what the client is given: its pair and the daemon's public key

The secret of a client is in ``NAME.key`` alone, which may be moved away: the daemon does not need it.
Secrets never show in the ``repr`` of these records, so they cannot slip into a log.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec
import structlog
import zmq
from zmq.utils import z85

from daemon.errors import ConfigurationError
from daemon.private_files import private_folder, read_private, require_private, write_private
from daemon.toml_text import toml_text

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_DAEMON: Final = "daemon"
_Z85 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40}$")]
_log = structlog.get_logger("slicewatch")


class Role(StrEnum):
    """What the holder of a key may do."""

    READ = "read"
    CONTROL = "control"


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key file; its ``repr`` tells no secret."""

    def __repr__(self) -> str:
        told = (n for n in self.__struct_fields__ if n != "secret")
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in told)})"


class OwnPair(_Record, frozen=True, kw_only=True):
    """The daemon's pair, Z85 text."""

    public: _Z85
    secret: _Z85

    def __post_init__(self) -> None:
        _require_pair(self.public, self.secret)


class ClientKey(_Record, frozen=True, kw_only=True):
    """What a client needs to connect: its name and pair, and the daemon's public key to know it by."""

    name: str
    public: _Z85
    secret: _Z85
    daemon: _Z85

    def __post_init__(self) -> None:
        _require_pair(self.public, self.secret)
        _require_number(self.daemon, "daemon")


class AllowedKey(_Record, frozen=True, kw_only=True):
    """A client that the daemon lets in."""

    name: str
    role: Role
    public: _Z85
    made: datetime

    def __post_init__(self) -> None:
        _require_number(self.public, "public")


@dataclass(frozen=True, slots=True)
class DaemonKeys:
    """The daemon's own pair, and the folder that says who may come."""

    pair: OwnPair
    folder: Path


def _require_pair(public: str, secret: str) -> None:
    """Refuse a pair that is none: the socket would refuse it later, or every handshake would fail."""
    _require_number(public, "public")
    _require_number(secret, "secret")
    if zmq.curve_public(secret.encode("ascii")).decode("ascii") != public:
        raise ValueError("public and secret do not belong together")


def _require_number(text: str, name: str) -> None:
    """Refuse Z85 text whose letters are right and whose value is none: five of them are 32 bits."""
    try:
        z85.decode(text.encode("ascii"))
    except (struct.error, ValueError):
        raise ValueError(f"{name} is no key") from None


T = TypeVar("T", bound=_Record)


@dataclass(slots=True)
class AllowList:
    """The keys that are let in, as the folder says now: read again whenever a file in it changes.

    Not thread-safe: each thread has its own.
    """

    folder: Path
    _seen: tuple[tuple[str, int, int, int], ...] | None = None
    _keys: dict[str, AllowedKey] = field(default_factory=dict[str, AllowedKey])

    def find(self, public: str) -> AllowedKey | None:
        """The entry of a public key (Z85); None for a stranger, and for everybody when it cannot be read."""
        try:
            seen = _signature(self.folder / "allowed")
        except OSError as error:
            _log.error("keys.unreadable", folder=str(self.folder), error=error.strerror or str(error))
            return None
        if seen != self._seen:
            self._seen, self._keys = seen, _readable_keys(self.folder)
        return self._keys.get(public)


def open_keys(folder: str) -> DaemonKeys | None:
    """The keys in a folder; None where none is configured.

    Raises
    ------
    ConfigurationError
        The folder or a file in it is missing, damaged, or open to others.
    """
    if not folder:
        return None
    require_private(Path(folder))
    pair = _read(Path(folder) / f"{_DAEMON}.key", OwnPair)
    listed_keys(Path(folder))
    return DaemonKeys(pair, Path(folder))


def read_client_key(path: Path | None) -> ClientKey | None:
    """The key that a client was given; None without a path.

    Raises
    ------
    ConfigurationError
        It is missing, damaged, or open to others.
    """
    return None if path is None else _read(path, ClientKey)


def make_key(folder: Path, name: str, role: Role, now: datetime) -> Path:
    """Make a client's key and let it in; the file to hand over. The first call makes the daemon's pair too.

    Raises
    ------
    ConfigurationError
        The name is taken or impossible, or the folder cannot be used.
    """
    _require_name(name)
    private_folder(folder)
    private_folder(folder / "allowed")
    daemon = _own_pair(folder)
    public, secret = _new_pair()
    handed_over = folder / f"{name}.key"
    _write(handed_over, ClientKey(name=name, public=public, secret=secret, daemon=daemon.public))
    try:
        allowed = AllowedKey(name=name, role=role, public=public, made=now)
        _write(folder / "allowed" / f"{name}.toml", allowed)
    except ConfigurationError:  # nobody is let in: this comes last, and what came before is taken back
        handed_over.unlink(missing_ok=True)
        raise
    return handed_over


def listed_keys(folder: Path) -> list[AllowedKey]:
    """All keys that are let in, by name.

    Raises
    ------
    ConfigurationError
        The folder or a file in it is damaged or open to others.
    """
    require_private(folder / "allowed")
    return [_read_allowed(path) for path in sorted((folder / "allowed").glob("*.toml"))]


def revoke_key(folder: Path, name: str) -> None:
    """Let a key in no more, from its next connection or request on, and forget its secret.

    Raises
    ------
    ConfigurationError
        There is no such key.
    """
    _require_name(name)
    try:
        (folder / "allowed" / f"{name}.toml").unlink()
    except OSError as error:
        raise ConfigurationError(
            f"there is no key {name!r} to revoke: {error.strerror or error}",
            where=str(folder),
            remedy="'slicewatch keys list' names them.",
        ) from error
    (folder / f"{name}.key").unlink(missing_ok=True)


def _readable_keys(folder: Path) -> dict[str, AllowedKey]:
    """Keys by public key; a file that cannot be used lets nobody in and keeps nobody else out."""
    keys: dict[str, AllowedKey] = {}
    for path in sorted((folder / "allowed").glob("*.toml")):
        try:
            key = _read_allowed(path)
        except ConfigurationError as error:
            _log.error("keys.refused", file=str(path), why=error.what)
            continue
        keys[key.public] = key
    return keys


def _read_allowed(path: Path) -> AllowedKey:
    key = _read(path, AllowedKey)
    if key.name != path.stem or not NAME.fullmatch(key.name):
        raise ConfigurationError(
            f"the file names the key {key.name!r}",
            where=str(path),
            remedy="Make the key anew with 'slicewatch keys make'; copies are not let in.",
        )
    return key


def _signature(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    with os.scandir(folder) as entries:
        found = ((entry.name, entry.stat(follow_symlinks=False)) for entry in entries)
        return tuple(sorted((name, s.st_mtime_ns, s.st_size, s.st_ino) for name, s in found))


def _own_pair(folder: Path) -> OwnPair:
    path = folder / f"{_DAEMON}.key"
    if not path.exists():
        public, secret = _new_pair()
        _write(path, OwnPair(public=public, secret=secret))
    return _read(path, OwnPair)


def _new_pair() -> tuple[str, str]:
    public, secret = zmq.curve_keypair()
    return public.decode("ascii"), secret.decode("ascii")


def _require_name(name: str) -> None:
    """A name becomes a file's name, so it is nothing but letters, digits, ``-`` and ``_``."""
    if not NAME.fullmatch(name) or name == _DAEMON:
        raise ConfigurationError(
            f"{name!r} cannot be the name of a key",
            where="slicewatch keys",
            remedy="Use up to 40 letters, digits, '-' and '_', beginning with a letter or digit.",
        )


def _write(path: Path, record: _Record) -> None:
    write_private(path, toml_text(msgspec.to_builtins(record)))


def _read(path: Path, kind: type[T]) -> T:
    """The message of msgspec names the field and never its value, so no secret gets into the error."""
    text = read_private(path)
    try:
        return msgspec.toml.decode(text, type=kind, strict=False)  # TOML text of a time
    except (msgspec.DecodeError, ValueError) as error:
        raise _no_key_file(path, str(error)) from None
    except RecursionError:
        raise _no_key_file(path, "it is nested too deeply") from None


def _no_key_file(path: Path, why: str) -> ConfigurationError:
    remedy = "Remove it, and make the key anew with 'slicewatch keys make'."
    return ConfigurationError(f"this is no key file: {why}", where=str(path), remedy=remedy)
