"""``python -m benchmarks``: what is there, what it gives, and how it fails."""

from __future__ import annotations

import json
import math
import sys
import textwrap
from pathlib import Path

import pytest

import benchmarks
from benchmarks import __main__ as command

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
    """A place for more benchmarks, found as the real ones are."""
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
    assert math.isnan(command.number(None))
    assert command.number(2.5) == 2.5
