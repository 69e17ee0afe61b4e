"""Configuration tables as TOML text, for configurations that a program proposes and a person goes on with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast


def toml_text(table: Mapping[str, Any]) -> str:
    """TOML of a table of tables; lists of tables become arrays of tables, smaller tables stand inline."""
    return "\n".join(_section(name, value) for name, value in table.items())


def _section(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return _table(f"[{name}]", cast(Mapping[str, Any], value), name)
    if _is_tables(value):
        return "\n".join(_table(f"[[{name}]]", item, name) for item in value)
    return f"{name} = {_value(value)}\n"


def _table(head: str, table: Mapping[str, Any], path: str) -> str:
    """Plain keys first: a key after a nested array of tables would belong to that."""
    plain = [f"{key} = {_value(item)}" for key, item in table.items() if not _is_tables(item)]
    nested = [_section(f"{path}.{key}", item) for key, item in table.items() if _is_tables(item)]
    return "\n".join([head, *plain, "", *nested])


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_value(item) for item in cast(Sequence[Any], value)) + "]"
    return json.dumps(value, ensure_ascii=False)
