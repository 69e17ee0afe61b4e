"""``slicewatch evaluate tables``: measures, and writes each table into its section of a Markdown file."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from daemon.tabulate.tables import FULL, QUICK, TABLES
from daemon.training import LIBRARIES, LibraryMissingError, require
from daemon.written_section import check_section, write_section

REMEDY: Final = "Choose a Markdown file that this user may write to, its sections whole, with --out."


def write_tables(names: Sequence[str], out: Path, report: Callable[[str], None], *, quick: bool) -> None:
    """Measure the named tables and put each into its section of ``out``, which it gets at the end if it has
    none; everything else in the file stays.

    Raises
    ------
    LibraryMissingError
        What simulates electrons, or what trains, is not installed.
    StoreError
        ``out`` cannot be read or written.
    ModelError
        A shipped network is damaged.
    """
    _require_electrons(names)
    _require_torch(names)
    for name in names:
        check_section(out, _section(name), REMEDY)
    effort = QUICK if quick else FULL
    for name in names:
        report(f"measuring: {name}")
        body = f"{TABLES[name](effort)}\n\n{_origin(name, out, quick)}"
        write_section(out, _section(name), body, REMEDY)  # at once: a later table may fail
        report(f"written: {name}, {out}")


def _require_torch(names: Sequence[str]) -> None:
    if "adaptation" in names:
        require(*LIBRARIES, command="slicewatch evaluate tables adaptation")


def _section(name: str) -> str:
    return f"table {name}"


def _require_electrons(names: Sequence[str]) -> None:
    if "segmentation" in names and importlib.util.find_spec("warp") is None:
        raise LibraryMissingError(
            "the images of this table are simulated by Warp, which is not installed",
            where="slicewatch evaluate tables segmentation",
            remedy='Run `pip install "slicewatch[train]"`, or leave this table out.',
        )


def _origin(name: str, out: Path, quick: bool) -> str:
    command = f"slicewatch evaluate tables {name} --out {out}{' --quick' if quick else ''}"
    return f"Measured by `{command}` on {datetime.now(UTC).date().isoformat()}."
