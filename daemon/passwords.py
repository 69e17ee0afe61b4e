"""Passwords as hashes in private files: scrypt (RFC 7914), a salt for each, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path
from typing import Annotated, Final

import msgspec

from daemon.errors import ConfigurationError
from daemon.private_files import read_private, write_private
from daemon.toml_text import toml_text

SHORTEST: Final = 8
LONGEST: Final = 256
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
# 2^15 · 8 · 128 B = 32 MiB and some 0.1 s for each guess (2 cores, 2026-11-20)
_COST, _BLOCK, _LANES = 2**15, 8, 1

_Hex = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{2}){16,64}$")]


class PasswordHash(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of a password. The cost stands beside the hash, so that it can be raised one day."""

    cost: Annotated[int, msgspec.Meta(ge=2**14, le=2**18)]
    salt: _Hex
    digest: _Hex

    def __repr__(self) -> str:
        return "PasswordHash(…)"

    def fits(self, password: str) -> bool:
        """Whether this is the password; takes as long for a wrong one as for the right one."""
        digest = _digest(password[:LONGEST], bytes.fromhex(self.salt), self.cost)
        return hmac.compare_digest(digest, bytes.fromhex(self.digest))


def hash_password(password: str) -> PasswordHash:
    """What is kept of a password.

    Raises
    ------
    ConfigurationError
        It is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise ConfigurationError(
            f"the password has {len(password)} characters",
            where="slicewatch keys password",
            remedy=f"Use {SHORTEST} to {LONGEST}.",
        )
    salt = os.urandom(_SALT_BYTES)
    return PasswordHash(cost=_COST, salt=salt.hex(), digest=_digest(password, salt, _COST).hex())


def write_password(path: Path, password: str) -> None:
    """Write the hash of a password to a new private file.

    Raises
    ------
    ConfigurationError
        The password is too short or too long, or the file exists or cannot be written.
    """
    write_private(path, toml_text(msgspec.to_builtins(hash_password(password))))


def read_password(path: Path) -> PasswordHash:
    """The hash in a file.

    Raises
    ------
    ConfigurationError
        The file is missing, damaged, or open to others.
    """
    text = read_private(path)
    try:
        return msgspec.toml.decode(text, type=PasswordHash)
    except msgspec.DecodeError as error:
        remedy = "Make it anew with 'slicewatch keys password'."
        raise ConfigurationError(
            f"this is no password file: {error}", where=str(path), remedy=remedy
        ) from None


def _digest(password: str, salt: bytes, cost: int) -> bytes:
    memory = 256 * cost * _BLOCK  # twice what the algorithm needs, or OpenSSL refuses
    data = password.encode("utf-8", errors="surrogatepass")
    return hashlib.scrypt(data, salt=salt, n=cost, r=_BLOCK, p=_LANES, maxmem=memory, dklen=_HASH_BYTES)
