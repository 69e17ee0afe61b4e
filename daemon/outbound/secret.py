"""Passwords and tokens come from a file or the environment, never from the configuration itself.

So they cannot be in the configuration's copies (journal, volume metadata, reports), and what is read here is
handed to one peer only.
"""

from __future__ import annotations

import os
from pathlib import Path

from daemon.errors import ConfigurationError
from daemon.operating_system import is_private

_LONGEST = 8192


def read_secret(file: Path | None, variable: str, *, where: str) -> str:
    """The secret in ``file``, else in the environment variable; ``where`` names the keys in a complaint.

    Raises
    ------
    ConfigurationError
        There is none, it cannot be read, or other users of the machine can read the file.
    """
    if file is not None:
        return _from_file(file, where)
    text = os.environ.get(variable, "").strip() if variable else ""
    if not text:
        named = f"the environment variable {variable} is empty" if variable else "no file is named"
        raise ConfigurationError(
            f"there is no secret: {named}", where=where, remedy="Name a file that holds it, mode 0600."
        )
    return text


def _from_file(file: Path, where: str) -> str:
    try:
        text = file.read_text(encoding="utf-8")[:_LONGEST].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the secret cannot be read: {getattr(error, 'strerror', None) or 'no UTF-8 text'}",
            where=f"{where} = {file}",
            remedy="Give the daemon's user the right to read this file, and only that user.",
        ) from None
    if not is_private(file):
        raise ConfigurationError(
            "other users of this machine can read the secret",
            where=f"{where} = {file}",
            remedy=f"chmod 600 {file}",
        )
    if not text:
        raise ConfigurationError("the secret is empty", where=f"{where} = {file}", remedy="Fill the file.")
    return text
