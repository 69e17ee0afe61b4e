"""What a check found: a frozen record with its remedy; checks never raise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from daemon.errors import SlicewatchError
from models.errors import ModelError


class Level(StrEnum):
    """How a check came out: FAIL keeps a run from starting or makes it useless."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the list; ``remedy`` is empty when there is nothing to do."""

    name: str
    level: Level
    text: str
    remedy: str = ""


def ok(name: str, text: str) -> Finding:
    """As it should be."""
    return Finding(name, Level.OK, text)


def warn(name: str, text: str, remedy: str) -> Finding:
    """A run works, but a person should know."""
    return Finding(name, Level.WARN, text, remedy)


def fail(name: str, text: str, remedy: str) -> Finding:
    """A run would not start, or would not give what it promises."""
    return Finding(name, Level.FAIL, text, remedy)


def refused(name: str, error: SlicewatchError | ModelError) -> Finding:
    """The error that a run would end with."""
    return fail(name, f"{error.what} [{error.where}]", error.remedy)


def attempt(name: str, check: Callable[[], Finding]) -> Finding:
    """The finding of a check; an error becomes one, so that the checks after it still run."""
    try:
        return check()
    except (SlicewatchError, ModelError) as error:
        return refused(name, error)
    except Exception as error:
        # A driver, a disk or a file can fail in ways nobody has named, and later checks must still run.
        problem = f"{type(error).__name__}: {error}"
        return fail(name, f"this could not be checked: {problem}", "Correct what the message names.")
