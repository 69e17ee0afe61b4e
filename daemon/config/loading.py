"""Reads the configuration from TOML and the environment; ``load`` is the only way in."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from pydantic import ValidationError

from daemon.config.complaints import explained
from daemon.config.configuration import Configuration
from daemon.config.section import Section
from daemon.errors import ConfigurationError

GUIDE: Final = "config.toml"
"""The commented configuration that lists every key."""


def load(path: Path) -> Configuration:
    """Read, override from the environment, resolve paths, and check a configuration file.

    Raises
    ------
    ConfigurationError
        The file is missing, is not TOML, or a key is unknown or out of range.
    """
    return parse(_overridden(read_toml(path, GUIDE), os.environ), where=path)


def read_toml(path: Path, guide: str) -> dict[str, Any]:
    """The table that a file holds; ``guide`` names a commented example.

    Raises
    ------
    ConfigurationError
        The file is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the configuration cannot be read: {error.strerror or error}",
            where=str(path),
            remedy=f"Give the path of a configuration file; {guide} in the repository is a commented one.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the configuration is not TOML: {error}", where=str(path), remedy="Correct that line."
        ) from error


def parse(table: dict[str, Any], *, where: Path) -> Configuration:
    """Check a configuration table; paths become relative to the folder of ``where``.

    Raises
    ------
    ConfigurationError
        A key is unknown or a value out of range.
    """
    try:
        configuration = Configuration.model_validate(table)
    except ValidationError as error:
        raise explained(error, where, Configuration, GUIDE) from error
    return _anchored(configuration, where.absolute().parent)


def as_toml_table(configuration: Configuration) -> dict[str, Any]:
    """The configuration as plain values, every key present, for the journal and for reports."""
    return configuration.model_dump(mode="json", exclude_none=True)


def _overridden(table: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Apply ``SLICEWATCH_TABLE__KEY=value``; the value is read as TOML, else taken as text."""
    for name, text in environment.items():
        parts = name.removeprefix("SLICEWATCH_").lower().split("__")
        if not name.startswith("SLICEWATCH_") or len(parts) != 2:
            continue
        try:
            value: Any = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        section = table.setdefault(parts[0], {})
        if isinstance(section, dict):
            section[parts[1]] = value
    return table


def _anchored(configuration: Configuration, base: Path) -> Configuration:
    """Paths relative to the configuration file, wherever the daemon was started."""
    anchored = _with_paths(configuration, base)
    segmentation, publish = configuration.segmentation, configuration.publish
    model = _model_path(segmentation.model, base)
    keys = _folder_path(publish.curve_keys, base)
    return anchored.model_copy(
        update={
            "segmentation": segmentation.model_copy(update={"model": model}),
            "publish": publish.model_copy(update={"curve_keys": keys}),
        }
    )


def _with_paths(section: Section, base: Path) -> Any:
    """A copy of a table in which every path, however deep, begins at ``base``."""
    return section.model_copy(
        update={name: _based(getattr(section, name), base) for name in type(section).model_fields}
    )


def _based(value: Any, base: Path) -> Any:
    match value:
        case Path():
            return base / value
        case Section():
            return _with_paths(value, base)
        case tuple():
            return tuple(_based(item, base) for item in cast("tuple[Any, ...]", value))
        case _:
            return value


def _model_path(model: str, base: Path) -> str:
    """A path that exists beside the configuration wins; else it is looked up in the installation."""
    return str(base / model) if model and (base / model).exists() else model


def _folder_path(folder: str, base: Path) -> str:
    """An empty one stays empty: it says that there is none."""
    return str(base / folder) if folder else ""
