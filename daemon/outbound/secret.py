"""Passwords and tokens come from a file or the environment, never from the configuration itself.

So they cannot be in the configuration's copies (journal, volume metadata, reports), and what is read here is
handed to one peer only.
"""

from __future__ import annotations

import os
from pathlib import Path

from daemon.errors import ConfigurationError
from daemon.private_files import read_private


def read_secret(file: Path | None, variable: str, *, where: str) -> str:
    """The secret in ``file``, else in the environment variable; ``where`` names the keys in a complaint.

    Raises
    ------
    ConfigurationError
        There is none, or the file is a link, another user's, open to others, or cannot be read.
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
        text = read_private(file).strip()
    except ConfigurationError as error:
        raise ConfigurationError(
            f"no secret is taken from here: {error.what}", where=f"{where} = {file}", remedy=error.remedy
        ) from None
    if not text:
        raise ConfigurationError("the secret is empty", where=f"{where} = {file}", remedy="Fill the file.")
    return text
