"""What is wrong with a configuration, so that it can be mended: the key, where, the nearest known name."""

from __future__ import annotations

import difflib
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from pydantic import BaseModel, ValidationError

from daemon.errors import ConfigurationError

UNKNOWN: Final = ("extra_forbidden", "unexpected_keyword_argument")
"""What pydantic says of an unknown key, of a model and of a dataclass."""


def explained(error: ValidationError, where: Path, root: type, guide: str) -> ConfigurationError:
    """One complaint of several, an unknown key first: a misspelt key is also why another one is missing.

    ``root`` is the type of the whole file, ``guide`` the commented file that lists every key.
    """
    complaints = error.errors()
    first = next((c for c in complaints if c["type"] in UNKNOWN), complaints[0])
    location = ".".join(str(part) for part in first["loc"]) or "the whole file"
    if first["type"] in UNKNOWN:
        name = str(first["loc"][-1])
        near = difflib.get_close_matches(name, _keys_beside(root, first["loc"]), n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Remove it; {guide} lists every key."
        return ConfigurationError(f"unknown key {name!r}", where=f"{where}: {location}", remedy=remedy)
    given = first.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return ConfigurationError(
        f"{first['msg']}{shown}",
        where=f"{where}: {location}",
        remedy=f"Correct the value; {guide} explains every key.",
    )


def _keys_beside(root: type, location: tuple[int | str, ...]) -> list[str]:
    """Names of the keys that are known where an unknown one was found."""
    tables: list[type] = [root]
    for part in location[:-1]:
        if isinstance(part, str):
            tables = _tables_at(tables, part)
    return [name for table in tables for name in _keys(table)]


def _tables_at(tables: list[type], part: str) -> list[type]:
    """The tables below a key; pydantic also names the ``kind`` of a table that has one."""
    below = [inner for table in tables for inner in _tables_in(_keys(table).get(part))]
    of_kind = [table for table in tables if part in get_args(_keys(table).get("kind"))]
    return below or of_kind or tables


def _keys(table: type) -> dict[str, Any]:
    """Types by key."""
    if issubclass(table, BaseModel):
        return {name: field.annotation for name, field in table.model_fields.items()}
    return get_type_hints(table)


def _tables_in(annotation: Any) -> list[type]:
    if isinstance(annotation, type) and (is_dataclass(annotation) or issubclass(annotation, BaseModel)):
        return [annotation]
    return [table for argument in get_args(annotation) for table in _tables_in(argument)]
