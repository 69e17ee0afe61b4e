"""Files that only their owner may read: keys, password hashes, and secrets for other servers.

Owner and mode are checked on the open file, not on its name, so that nothing can be exchanged in between, and
links are not followed. Windows has no such modes: there a folder of the user's profile is private by its
access list, and nothing is checked. A credential of systemd's is root's, and its access list, which lets this
service read it, looks like a mode of 0440: whoever may set ``$CREDENTIALS_DIRECTORY`` answers for it.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from daemon.errors import ConfigurationError
from daemon.operating_system import give_name, is_anothers, is_open_to_others, open_itself

MAX_BYTES: Final = 64 * 1024


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
        It is missing, a link, no folder, another user's, or its mode lets others in.
    """
    try:
        found = folder.lstat()
    except OSError as error:
        remedy = "Make it with 'slicewatch keys make', or correct the path."
        raise _refusal(f"the folder cannot be read: {error.strerror or error}", folder, remedy) from error
    if not stat.S_ISDIR(found.st_mode):
        what = "this is a link" if stat.S_ISLNK(found.st_mode) else "this is no folder"
        raise _refusal(what, folder, "Give the folder itself that 'slicewatch keys make' wrote.")
    _require_own(found, folder)
    if is_open_to_others(found):
        raise _refusal(f"others may look into it (mode {_mode(found)})", folder, f"chmod 700 {folder}")


def read_private(path: Path) -> str:
    """The text of a private file.

    Raises
    ------
    ConfigurationError
        It is missing, is a link or no plain file of this user's, is too long, or others may read it.
    """
    try:
        with os.fdopen(open_itself(path), "rb") as file:
            _require_plain_and_private(os.fstat(file.fileno()), path)
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        remedy = "Give the path of the file itself, no link, that this user may read."
        raise _refusal(f"the file cannot be read: {error.strerror or error}", path, remedy) from error
    if len(data) > MAX_BYTES:
        raise _refusal("the file is too long", path, "Make it anew.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # Not chained: the error holds the text, which may be a secret.
        raise _refusal("the file is no text", path, "Make it anew.") from None


def write_private(path: Path, text: str) -> None:
    """Write a new file for its owner only (0600), whole or not at all; an existing one is never overwritten.

    Raises
    ------
    ConfigurationError
        It exists, or cannot be written.
    """
    try:
        _write_whole(path, text.encode("utf-8"))
    except FileExistsError as error:
        raise _refusal("the file exists", path, "Remove it first, or give another name.") from error
    except OSError as error:
        raise _refusal(
            f"the file cannot be written: {error.strerror or error}", path, "Give another."
        ) from error


def _write_whole(path: Path, data: bytes) -> None:
    """Under another name first: a full disk or a crash leaves no half of a key under the right one."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600 everywhere
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        give_name(Path(name), path)
    finally:
        Path(name).unlink(missing_ok=True)


def _require_own(found: os.stat_result, path: Path) -> None:
    if is_anothers(found):
        remedy = "Run this as that user, or give one's own."
        raise _refusal(f"it belongs to another user (number {found.st_uid})", path, remedy)


def _require_plain_and_private(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _refusal("this is no plain file", path, "Give a plain file.")
    if str(path.parent) == os.environ.get("CREDENTIALS_DIRECTORY"):
        return
    _require_own(found, path)
    if is_open_to_others(found):
        raise _refusal(f"others may read it (mode {_mode(found)})", path, f"chmod 600 {path}")


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"


def _refusal(what: str, path: Path, remedy: str) -> ConfigurationError:
    return ConfigurationError(what, where=str(path), remedy=remedy)
