"""What is wrong with a configuration, so that it can be mended: the key, where, the nearest known name."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from daemon.config.configuration import Configuration
from daemon.errors import ConfigurationError


def explained(error: ValidationError, where: Path) -> ConfigurationError:
    """One complaint of several, an unknown key first: a misspelt key is also why another one is missing."""
    complaints = error.errors()
    first = next((c for c in complaints if c["type"] == "extra_forbidden"), complaints[0])
    location = ".".join(str(part) for part in first["loc"]) or "the whole file"
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        near = difflib.get_close_matches(name, _keys_beside(first["loc"]), n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else "Remove it; config.toml lists every key."
        return ConfigurationError(f"unknown key {name!r}", where=f"{where}: {location}", remedy=remedy)
    given = first.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return ConfigurationError(
        f"{first['msg']}{shown}",
        where=f"{where}: {location}",
        remedy="Correct the value; config.toml explains every key.",
    )


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """Names of the keys that are known where an unknown one was found."""
    models: list[type[BaseModel]] = [Configuration]
    for part in location[:-1]:
        if isinstance(part, str):
            models = _models_at(models, part)
    return [name for model in models for name in model.model_fields]


def _models_at(models: list[type[BaseModel]], part: str) -> list[type[BaseModel]]:
    """The tables below a key; pydantic also names the ``kind`` of a table that has one."""
    below = [m for model in models if part in model.model_fields for m in _models_in(_type(model, part))]
    of_kind = [m for m in models if "kind" in m.model_fields and part in get_args(_type(m, "kind"))]
    return below or of_kind or models


def _type(model: type[BaseModel], key: str) -> Any:
    return model.model_fields[key].annotation


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    arguments = getattr(annotation, "__args__", ())
    return [model for argument in arguments for model in _models_in(argument)]
