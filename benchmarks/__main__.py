"""``python -m benchmarks NAME [--quick] [--json] [--record]``: one benchmark, ``all``, or the list of them.

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
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.bars import BARS
from benchmarks.record import keep, known, readable

Result = tuple[Table | str, dict[str, float]]
MEASURED: Final = 0
COULD_NOT_MEASURE: Final = 1
RATIOS: Final = ("ratio", "speedup", "_over_", "_to_", "efficiency")
"""Words in the names of figures that compare with a peer or a bound."""


class CannotMeasureError(Exception):
    """A benchmark that cannot be run here, and why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; the exit code: 0 measured, 1 could not."""
    parser = argparse.ArgumentParser("python -m benchmarks", description="Run one benchmark, or all of them.")
    parser.add_argument("name", nargs="?", help="a benchmark, or 'all'; without it they are listed")
    parser.add_argument("--quick", action="store_true", help="smaller, each within 50 s on 2 cores")
    parser.add_argument("--json", action="store_true", help="last line: one flat JSON object of figures")
    parser.add_argument("--record", action="store_true", help="write the figures to docs/performance.md")
    parser.add_argument("--turn", type=int, metavar="N", help="with 'all': only one, which N chooses")
    asked = parser.parse_args(arguments)
    if asked.record and asked.quick:
        parser.error("--record keeps full measurements; leave out --quick")
    if asked.turn is not None and asked.name != "all":
        parser.error("--turn chooses one of all: give 'all', or leave it out")
    console = Console(highlight=False)
    if asked.name is None:
        console.print(_listing())
        return MEASURED
    try:
        name = asked.name if asked.turn is None else whose_turn(asked.turn)
        chosen = _run_all if name == "all" else partial(run, name)
        figures = chosen(console, quick=asked.quick, kept=asked.record)
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


def whose_turn(number: int) -> str:
    """One benchmark, another for the next number: a CI without the time for all of them runs each in turn."""
    return names()[number % len(names())]


def run(name: str, console: Console, *, quick: bool, kept: bool = False) -> dict[str, float]:
    """Run one benchmark, print its table and its bars, and give its figures; ``kept``: in the record too.

    Raises
    ------
    CannotMeasureError
        There is no such benchmark, a library it needs is absent, or it failed.
    """
    if name not in names():
        raise CannotMeasureError(f"there is no benchmark {name!r}; there are: {', '.join(names())}")
    started = time.perf_counter()
    table, figures = _measured(_module(name), quick=quick)
    seconds = time.perf_counter() - started
    console.print(table)
    for bar in () if quick else BARS.get(name, ()):  # a quick run is too short to decide
        value = figures.get(bar.key, math.nan)
        shown = f"{readable(value)} {bar.about}; bar {bar.relation} {bar.limit:g}"
        console.print(f"{bar.verdict(value)}: {shown}", markup=False)
    console.print(f"{name}: {seconds:.1f} s{' (quick)' if quick else ''}", style="dim")
    if kept:
        keep(name, figures, seconds)
    return figures


def _run_all(console: Console, *, quick: bool, kept: bool = False) -> dict[str, float]:
    """Every benchmark in a process of its own, so that none finds the memory or caches of another.

    One that fails does not keep the others from running.
    """
    figures: dict[str, float] = {}
    failures: list[str] = []
    for name in names():
        options = [*(["--quick"] if quick else []), *(["--record"] if kept else [])]
        command = [sys.executable, "-m", "benchmarks", name, "--json", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        *shown, last = done.stdout.splitlines() or [""]
        if done.returncode != MEASURED:
            failures.append(f"{name}: {done.stderr.strip().splitlines()[-1:]}")
            continue
        console.print("\n".join(shown), markup=False)
        figures |= {f"{name}.{key}": known(value) for key, value in json.loads(last).items()}
    console.print(overview(figures, quick=quick))
    if failures:
        raise CannotMeasureError("; ".join(failures))
    return figures


def overview(figures: Mapping[str, float], *, quick: bool) -> Table:
    """Every ratio to a peer or a bound, and everything that has a bar, in one table; no verdicts if quick."""
    barred = [(name, bar) for name, bars in sorted(BARS.items()) for bar in bars]
    table = Table("benchmark", "figure", "measured", "bar", "", title="All benchmarks", title_justify="left")
    for name, bar in barred:
        value = figures.get(f"{name}.{bar.key}", math.nan)
        verdict = "" if quick else bar.verdict(value)
        table.add_row(name, bar.about, readable(value), f"{bar.relation} {bar.limit:g}", verdict)
    shown = {f"{name}.{bar.key}" for name, bar in barred}
    for key in sorted(figures.keys() - shown):
        name, _, figure = key.partition(".")
        if any(word in figure for word in RATIOS):
            table.add_row(name, figure, readable(figures[key]), "", "")
    return table


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
