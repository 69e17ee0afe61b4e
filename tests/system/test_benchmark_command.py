"""``python -m benchmarks``: what is there, what it gives, and how it fails."""

from __future__ import annotations

import json
import math
import sys
import textwrap
from functools import partial
from pathlib import Path

import pytest
from rich.table import Table

import benchmarks
from benchmarks import __main__ as command
from benchmarks import bars, record

TINY = '''
"""Counts to three.

Nothing else.
"""
def measure(quick: bool) -> tuple[str, dict[str, float]]:
    """A table and figures."""
    return "a table", {"counted": 3.0, "was_quick": float(quick), "unknown": float("nan")}
'''


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A place for more benchmarks, found as the real ones are; changed within a second, so not compiled."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(benchmarks, "__path__", [*benchmarks.__path__, str(tmp_path)])
    monkeypatch.setattr(command, "__file__", str(tmp_path / "__main__.py"))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("benchmarks.made_")]:
        del sys.modules[name]


def add(folder: Path, name: str, source: str) -> None:
    (folder / f"{name}.py").write_text(textwrap.dedent(source))


def test_every_benchmark_of_the_project_is_listed(capsys):
    """By name, with the first sentence of its docstring; modules that measure nothing are not."""
    listed = command.names()
    assert {"metrics", "interpolation"} <= set(listed)
    assert "ruler_scene" not in listed
    assert command.main([]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in listed)


@pytest.mark.parametrize("quick", [False, True])
def test_the_last_line_is_one_flat_object(folder, capsys, quick):
    """The table first; a figure that is not known is null; --quick reaches the benchmark."""
    add(folder, "made_tiny", TINY)
    assert command.main(["made_tiny", "--json", *(["--quick"] if quick else [])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a table"
    assert json.loads(lines[-1]) == {"counted": 3.0, "was_quick": float(quick), "unknown": None}


def test_without_json_only_the_table_is_printed(folder, capsys):
    """For people."""
    add(folder, "made_tiny", TINY)
    assert command.main(["made_tiny"]) == 0
    assert "{" not in capsys.readouterr().out


def test_all_come_in_turn(folder, capsys):
    """Numbers in a row choose each of them once; what a CI runs of them says which one it was."""
    for number in range(3):
        add(folder, f"made_tiny_{number}", TINY)
    turns = [command.whose_turn(number) for number in range(17, 20)]
    assert sorted(turns) == command.names()
    assert command.main(["all", "--quick", "--turn", "17"]) == 0
    assert f"{turns[0]}: " in capsys.readouterr().out


def test_only_all_have_turns():
    """A name and a turn contradict each other."""
    with pytest.raises(SystemExit) as caught:
        command.main(["metrics", "--turn", "1"])
    assert caught.value.code == 2


FAILING = {
    "made_broken": (
        "def measure(quick):\n    raise RuntimeError('no GPU here')\n",
        "RuntimeError: no GPU here",
    ),
    "made_poor": ("import no_such_library\ndef measure(quick): ...\n", "no_such_library"),
    "made_absent": ("", "there is no benchmark"),
}


@pytest.mark.parametrize("name", FAILING)
def test_what_cannot_be_measured_ends_with_1(folder, capsys, name):
    """With the reason on standard error and no figures."""
    source, words = FAILING[name]
    if source:
        add(folder, name, source)
    assert command.main([name, "--json"]) == 1
    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err
    assert told.out == ""


def test_an_unknown_option_ends_with_2():
    """As every command line does."""
    with pytest.raises(SystemExit) as caught:
        command.main(["metrics", "--fast"])
    assert caught.value.code == 2


def test_unknown_figures_come_back_from_other_processes():
    """``all`` reads each benchmark's figures from its last line, null included."""
    assert math.isnan(record.known(None))
    assert record.known(2.5) == 2.5


def test_a_full_measurement_is_kept_and_a_quick_one_is_not(folder, tmp_path, monkeypatch, capsys):
    """The page says what was measured against which bar; a later one takes its place."""
    kept = tmp_path / "docs.json"
    monkeypatch.setattr(command, "keep", partial(record.keep, record=kept))
    monkeypatch.setitem(bars.BARS, "made_tiny", (bars.Bar("counted", ">=", 4.0, "things counted"),))
    add(folder, "made_tiny", TINY)
    assert command.main(["made_tiny", "--record"]) == 0
    assert "missed: 3 things counted; bar >= 4" in capsys.readouterr().out
    page = kept.with_suffix(".md").read_text()
    assert "| made_tiny | things counted (`counted`) | 3 | >= 4 | missed |" in page
    assert "| `unknown` | – |" in page
    add(folder, "made_tiny", TINY.replace("3.0", "5.0"))
    sys.modules.pop("benchmarks.made_tiny")
    assert command.main(["made_tiny", "--record"]) == 0
    assert "| 5 | >= 4 | reached |" in kept.with_suffix(".md").read_text()
    with pytest.raises(SystemExit):
        command.main(["made_tiny", "--record", "--quick"])


def test_one_table_has_every_bar_and_every_ratio():
    """With verdicts of a full run only; what has neither bar nor ratio stays in its own table."""
    figures = {"drift.mean_run_length": 4000.0, "volume.ratio_to_copy": 1.5, "volume.planes": 7.0}
    full, quick = (rows_of(command.overview(figures, quick=quick)) for quick in (False, True))
    assert ("drift", "slices between false alarms", "4000", ">= 5000", "missed") in full
    assert ("drift", "slices between false alarms", "4000", ">= 5000", "") in quick
    assert ("volume", "ratio_to_copy", "1.5", "", "") in full
    assert not [row for row in full if row[1] == "planes"]
    assert len(full) == sum(map(len, bars.BARS.values())) + 1


def rows_of(table: Table) -> list[tuple[object, ...]]:
    return list(zip(*(column.cells for column in table.columns), strict=True))


VERDICTS = [
    ("<=", 1.0, 1.0, "reached"),
    ("<=", 1.0, 1.01, "missed"),
    (">=", 50.0, 49.9, "missed"),
    ("==", 0.0, 0.0, "reached"),
    ("==", 0.0, 1.0, "missed"),
    ("<=", 1.0, math.nan, "not measured"),
]


@pytest.mark.parametrize(("relation", "limit", "value", "verdict"), VERDICTS)
def test_a_bar_is_reached_missed_or_not_measured(relation, limit, value, verdict):
    """An unknown figure never reaches a bar."""
    assert bars.Bar("key", relation, limit, "about").verdict(value) == verdict


def test_every_bar_is_of_a_benchmark():
    """A renamed benchmark would leave its bars behind unseen."""
    assert set(bars.BARS) <= set(command.names())
