"""``python -m benchmarks NAME [--quick] [--json]``: one benchmark, or ``all``; without a name, the list.

A benchmark is a module here with ``measure(quick) -> (table, figures)``: a table for people, and its figures
by name. Nothing else is registered anywhere.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import math
import pkgutil
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Final

from rich.console import Console
from rich.table import Table

Result = tuple[Table | str, dict[str, float]]
MEASURED: Final = 0
COULD_NOT_MEASURE: Final = 1


class CannotMeasureError(Exception):
    """A benchmark that cannot be run here, and why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; the exit code: 0 measured, 1 could not."""
    parser = argparse.ArgumentParser("python -m benchmarks", description="Run one benchmark, or all of them.")
    parser.add_argument("name", nargs="?", help="a benchmark, or 'all'; without it they are listed")
    parser.add_argument("--quick", action="store_true", help="smaller, each within 50 s on 2 cores")
    parser.add_argument("--json", action="store_true", help="last line: one flat JSON object of figures")
    asked = parser.parse_args(arguments)
    console = Console(highlight=False)
    if asked.name is None:
        console.print(_listing())
        return MEASURED
    try:
        chosen = _run_all if asked.name == "all" else partial(run, asked.name)
        figures = chosen(console, quick=asked.quick)
    except CannotMeasureError as error:
        print(f"could not measure: {error}", file=sys.stderr)
        return COULD_NOT_MEASURE
    if asked.json:
        print(json.dumps({key: value if math.isfinite(value) else None for key, value in figures.items()}))
    return MEASURED


def names() -> list[str]:
    """The benchmarks there are, in alphabetical order."""
    package = Path(__file__).parent
    modules = (module.name for module in pkgutil.iter_modules([str(package)]))
    return [name for name in modules if _measures(package / f"{name}.py")]


def run(name: str, console: Console, *, quick: bool) -> dict[str, float]:
    """Run one benchmark, print its table, and give its figures.

    Raises
    ------
    CannotMeasureError
        There is no such benchmark, a library it needs is absent, or it failed.
    """
    if name not in names():
        raise CannotMeasureError(f"there is no benchmark {name!r}; there are: {', '.join(names())}")
    started = time.perf_counter()
    table, figures = _measured(_module(name), quick=quick)
    console.print(table)
    console.print(f"{name}: {time.perf_counter() - started:.1f} s{' (quick)' if quick else ''}", style="dim")
    return figures


def _run_all(console: Console, *, quick: bool) -> dict[str, float]:
    """Every benchmark in a process of its own, so that none finds the memory or caches of another.

    One that fails does not keep the others from running.
    """
    figures: dict[str, float] = {}
    failures: list[str] = []
    for name in names():
        command = [sys.executable, "-m", "benchmarks", name, "--json", *(["--quick"] if quick else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        *shown, last = done.stdout.splitlines() or [""]
        if done.returncode != MEASURED:
            failures.append(f"{name}: {done.stderr.strip().splitlines()[-1:]}")
            continue
        console.print("\n".join(shown), markup=False)
        figures |= {f"{name}.{key}": number(value) for key, value in json.loads(last).items()}
    if failures:
        raise CannotMeasureError("; ".join(failures))
    return figures


def number(value: float | None) -> float:
    """A figure as read from JSON, where an unknown one is null."""
    return math.nan if value is None else value


def _measured(module: ModuleType, *, quick: bool) -> Result:
    try:
        return module.measure(quick)
    except Exception as error:
        raise CannotMeasureError(f"{type(error).__name__}: {error}") from error


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"benchmarks.{name}")
    except ImportError as error:
        raise CannotMeasureError(f"{error}; `make test` installs what benchmarks need") from error


def _measures(source: Path) -> bool:
    """Whether a module defines ``measure``; told from its text, since importing all of them takes long."""
    if not source.is_file():
        return False
    return any(
        isinstance(node, ast.FunctionDef) and node.name == "measure"
        for node in ast.parse(source.read_text(encoding="utf-8")).body
    )


def _listing() -> Table:
    table = Table("benchmark", "what it measures", title="python -m benchmarks NAME", title_justify="left")
    for name in names():
        tree = ast.parse((Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
        about = (ast.get_docstring(tree) or "").partition("\n\n")[0]
        table.add_row(name, " ".join(about.split()))
    return table


if __name__ == "__main__":
    sys.exit(main())
