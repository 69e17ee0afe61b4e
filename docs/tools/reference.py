"""Pages of reference: every key of the configuration from its models, every command from the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from daemon.cli import app
from daemon.config import Configuration


def configuration_tables(commented: Path) -> str:
    """A table per section: key, type, default, and what ``config.toml`` says of it."""
    words = comments(commented.read_text(encoding="utf-8"))
    text: list[str] = []
    for path, model in sections(Configuration):
        text += [f"## `{path}`", "", (model.__doc__ or "").strip().partition("\n\n")[0], ""]
        text += ["| key | type | default | |", "|---|---|---|---|"]
        text += [
            f"| `{name}` | {kind(field.annotation)} | {default(field)} | {words.get((path, name), '')} |"
            for name, field in model.model_fields.items()
            if not list(models_in(field.annotation))
        ]
        text.append("")
    return "\n".join(text)


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Tables of a configuration by their dotted names, depth first; arrays of tables have ``[]``."""
    for name, field in model.model_fields.items():
        inner = list(models_in(field.annotation))
        for part in inner:
            is_list = "tuple" in str(field.annotation)
            variant = f" ({part.__name__})" if len(inner) > 1 else ""
            path = f"{prefix}{name}{'[]' if is_list else ''}"
            yield path + variant, part
            yield from sections(part, f"{path}.")


def comments(text: str) -> dict[tuple[str, str], str]:
    """What the commented configuration says beside each key, by table and key; commented-out keys too."""
    table, found = "", dict[tuple[str, str], str]()
    for line in text.splitlines():
        if head := re.match(r"#?\s*(\[\[?)([\w.]+)\]", line):
            table = f"{head[2]}[]" if head[1] == "[[" else head[2]
        elif entry := re.match(r"#?\s*(\w+)\s*=\s*.*?\s#\s(.*)$", line):
            found.setdefault((table, entry[1]), entry[2].replace("|", "\\|"))
    return found


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Configuration tables inside a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from models_in(argument)


def kind(annotation: Any) -> str:
    """A type in words."""
    text = (
        getattr(annotation, "__name__", None) if not getattr(annotation, "__args__", ()) else str(annotation)
    )
    plain = re.sub(r"(typing\.|pathlib\.|daemon\.config\.\w+\.|datetime\.|<class '|'>)", "", str(text))
    return f"`{plain}`".replace("|", "or")


def default(field: Any) -> str:
    """A default as one writes it in TOML."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or field.is_required():
        return "**needed**"
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value is None:
        return "absent"
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    return f"`'{value}'`" if isinstance(value, str) else f"`{value!r}`"


def command_line_tables() -> str:
    """Every command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    text = ["## `slicewatch`", "", *_options(group.params)]
    for name, command in commands(group, "slicewatch"):
        arguments = " ".join(_argument(p) for p in command.params if p.param_type_name == "argument")
        usage = f"    {name} {arguments}".rstrip()
        text += [f"## `{name}`", "", command.help or "", "", f"{usage} [OPTIONS]", ""]
        text += _options(command.params)
    return "\n".join(text)


def commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something by its whole name, groups opened."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _options(parameters: list[Any]) -> list[str]:
    rows = [
        f"| {_names(p)} | {_default(p)} | {(p.help or '').replace('|', chr(92) + '|')} |"
        for p in parameters
        if not getattr(p, "hidden", False)
    ]
    return ["| | default | |", "|---|---|---|", *rows, ""] if rows else []


def _argument(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name).upper()


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_argument(parameter)}`"
    value = f" {parameter.metavar}" if parameter.metavar else ""
    return ", ".join(f"`{name}{value}`" for name in parameter.opts)


def _default(parameter: Any) -> str:
    if parameter.required:
        return "**needed**"
    value = parameter.default
    return "" if value is None or value is False or callable(value) else f"`{value}`"
