"""Descriptors kept for the stop: a process that has used up its own can still open a file or a connection."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

KEPT: Final = 16
"""An action takes one or two, and a program's pipes six."""


class Reserve:
    """Keeps descriptors open on nothing until they are released, once."""

    def __init__(self) -> None:
        self._kept = list[int]()
        with suppress(OSError):  # as many as there are
            while len(self._kept) < KEPT:
                self._kept.append(os.open(os.devnull, os.O_RDONLY))

    def release(self) -> None:
        """Let whoever opens something next have them."""
        while self._kept:
            os.close(self._kept.pop())
