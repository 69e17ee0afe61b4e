"""Files that only their owner may read: keys and password hashes.

Modes are checked on the open file, not on its name, so that nothing can be exchanged in between. Windows has
no such modes: there a folder of the user's profile is private by its access list, and nothing is checked.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from daemon.errors import ConfigurationError

MAX_BYTES: Final = 64 * 1024
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_HAS_MODES: Final = os.name == "posix"
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0)


def private_folder(folder: Path) -> Path:
    """``folder``, made if it is missing, for its owner only (0700).

    Raises
    ------
    ConfigurationError
        It cannot be made, or others may look into it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(
            f"the folder cannot be made: {error.strerror or error}", folder, "Give another."
        ) from error
    require_private(folder)
    return folder


def require_private(folder: Path) -> None:
    """Refuse a folder that others may look into.

    Raises
    ------
    ConfigurationError
        It is missing, no folder, or its mode lets others in.
    """
    try:
        found = folder.stat()
    except OSError as error:
        remedy = "Make it with 'slicewatch keys make', or correct the path."
        raise _refusal(f"the folder cannot be read: {error.strerror or error}", folder, remedy) from error
    if not stat.S_ISDIR(found.st_mode):
        raise _refusal("this is no folder", folder, "Give the folder that 'slicewatch keys make' wrote.")
    if _HAS_MODES and found.st_mode & _OTHERS:
        raise _refusal(f"others may look into it (mode {_mode(found)})", folder, f"chmod 700 {folder}")


def read_private(path: Path) -> str:
    """The text of a private file.

    Raises
    ------
    ConfigurationError
        It is missing, is no plain file of this user's, is too long, or others may read it.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | _NO_LINKS), "rb") as file:
            _require_plain_and_private(os.fstat(file.fileno()), path)
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        remedy = "Correct the path, or make the file with 'slicewatch keys'."
        raise _refusal(f"the file cannot be read: {error.strerror or error}", path, remedy) from error
    if len(data) > MAX_BYTES:
        raise _refusal("the file is too long", path, "Make it anew with 'slicewatch keys'.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refusal("the file is no text", path, "Make it anew with 'slicewatch keys'.") from error


def write_private(path: Path, text: str) -> None:
    """Write a new file for its owner only (0600); an existing one is never overwritten.

    Raises
    ------
    ConfigurationError
        It exists, or cannot be written.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise _refusal("the file exists", path, "Remove it first, or give another name.") from error
    except OSError as error:
        raise _refusal(
            f"the file cannot be written: {error.strerror or error}", path, "Give another."
        ) from error


def _require_plain_and_private(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _refusal("this is no plain file", path, "Give a file that 'slicewatch keys' wrote.")
    if _HAS_MODES and found.st_mode & _OTHERS:
        raise _refusal(f"others may read it (mode {_mode(found)})", path, f"chmod 600 {path}")


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"


def _refusal(what: str, path: Path, remedy: str) -> ConfigurationError:
    return ConfigurationError(what, where=str(path), remedy=remedy)
