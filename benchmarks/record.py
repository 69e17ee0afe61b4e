"""Measurements that are kept: ``docs/performance.json`` for programs, ``docs/performance.md`` for people.

Each benchmark's latest full measurement stands there with its date and machine, so that benchmarks can be
measured one by one, each on a quiet machine, and the page still says which figure is how old.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.bars import BARS

RECORD: Final = Path(__file__).parents[1] / "docs" / "performance.json"
_LIBRARIES: Final = ("numpy", "scipy", "onnxruntime-gpu", "tensorstore", "pyzmq")

_HEAD: Final = """# Performance

What the benchmarks measured, against the bars of the design and against the libraries that one would use
otherwise. Made by `make bench`, or by `python -m benchmarks NAME --record` for one benchmark; not written
by hand. Ratios are of two measurements in one run on one machine.
"""


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, cores, memory, Python and libraries."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def keep(name: str, figures: Mapping[str, float], seconds: float, record: Path = RECORD) -> None:
    """Put a benchmark's figures in the place of its former ones, and write the page anew.

    Raises
    ------
    OSError
        The files cannot be written.
    """
    kept: dict[str, Any] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    kept[name] = {
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(seconds, 1),
        "load": round(os.getloadavg()[0], 1),
        "machine": machine(),
        "figures": {key: value if math.isfinite(value) else None for key, value in figures.items()},
    }
    record.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    record.with_suffix(".md").write_text(page(kept), encoding="utf-8")


def page(kept: Mapping[str, Any]) -> str:
    """The page of all kept measurements: first the bars, then every figure."""
    parts = [_HEAD, _against_bars(kept)]
    parts += [_chapter(name, kept[name]) for name in sorted(kept)]
    return "\n".join(parts)


def _against_bars(kept: Mapping[str, Any]) -> str:
    lines = ["## Against the bars\n", "| benchmark | figure | measured | bar | |", "|---|---|---|---|---|"]
    for name, bars in sorted(BARS.items()):
        figures = kept.get(name, {}).get("figures", {})
        for bar in bars:
            value = known(figures.get(bar.key))
            about = f"{bar.about} (`{bar.key}`)"
            cells = (name, about, readable(value), f"{bar.relation} {bar.limit:g}", bar.verdict(value))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _chapter(name: str, measured: Mapping[str, Any]) -> str:
    here = measured["machine"]
    libraries = ", ".join(f"{name} {number}" for name, number in here["libraries"].items())
    lines = [
        f"## {name}\n",
        f"`python -m benchmarks {name} --json`, {measured['date']}, {measured['seconds']:.0f} s, load "
        f"{measured['load']:g} at its end; {here['processor']}, {here['cores']} cores, "
        f"{here['memory_gib']:g} GiB, {here['system']}, Python {here['python']}, {libraries}.\n",
        "| figure | measured |",
        "|---|---|",
    ]
    for key, value in measured["figures"].items():
        lines.append(f"| `{key}` | {readable(known(value))} |")
    return "\n".join(lines) + "\n"


def known(value: float | None) -> float:
    """A figure as read from JSON, where an unknown one is null and a whole one may be an int."""
    return math.nan if value is None else float(value)


def readable(value: float) -> str:
    """Four significant digits; whole numbers whole; a dash for what is not known."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e12 else f"{value:.4g}"


def _processor() -> str:
    """The processor's own name, which ``platform`` does not know on Linux."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
