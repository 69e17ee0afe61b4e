"""The command line as a shell sees it: exit codes, one clear error instead of a traceback, no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon import __version__
from daemon.errors import ConfigurationError
from daemon.training import LibraryMissingError, require, train_network

COMMANDS = ("run", "reprocess", "demo", "emulate", "monitor", "status", "check", "report", "train")
# Several command lines in one fresh process: starting Python and its libraries takes longest.
DRIVER = """
import contextlib, io, json, os, sys, traceback
from daemon.__main__ import main

def ended(arguments, environment):
    out, err = io.StringIO(), io.StringIO()
    os.environ.update(environment)
    sys.argv = ["slicewatch", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
        except BaseException:
            traceback.print_exc()
            code = 1
    for name in environment:
        del os.environ[name]
    return code, out.getvalue(), err.getvalue()

print(json.dumps([ended(*case) for case in json.load(sys.stdin)]))
"""


@dataclass(frozen=True)
class Ended:
    """What a shell sees of a command."""

    code: int | None
    stdout: str
    stderr: str


def slicewatch(*cases: tuple[list[str], dict[str, str]]) -> list[Ended]:
    """Run command lines, each with its environment, one after the other."""
    done = python(DRIVER, text=json.dumps(cases))
    assert done.returncode == 0, done.stderr
    return [Ended(*ended) for ended in json.loads(done.stdout)]


def python(code: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
    )


def assert_clear(done: Ended, code: int, *words: str) -> None:
    """One error with its place and remedy, nothing on standard output, no traceback."""
    assert done.code == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    for word in ("error: ", "where: ", "remedy: ", *words):
        assert word in done.stderr


def test_every_command_explains_itself():
    """``--help`` of each command ends with 0 and tells more than the usage line."""
    for command, done in zip(
        COMMANDS, slicewatch(*(([name, "--help"], {}) for name in COMMANDS)), strict=True
    ):
        assert done.code == 0, done.stderr
        assert f"{command} [OPTIONS]" in done.stdout
        assert len(done.stdout.splitlines()) > 5


def test_version_and_list_of_commands():
    """As a shell starts it; without a command, all of them are listed."""
    command = [sys.executable, "-m", "daemon", "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    assert shown.stdout == f"slicewatch {__version__}\n"
    (listed,) = slicewatch((["--help"], {}))
    assert all(f" {command} " in listed.stdout for command in COMMANDS)


def test_usage_errors_end_with_2():
    """A missing argument, an unknown option, an unknown command, an unknown network."""
    for done in slicewatch((["run"], {}), (["run", "--x", "y"], {}), (["fly"], {}), (["train", "cnn"], {})):
        assert done.code == 2
        assert "Traceback" not in done.stderr
        assert "Usage" in done.stderr


def valid(folder: Path, output: Path) -> str:
    return f"[run]\nfolder = '{folder}'\noutput = '{output}'\n[[channels]]\nname = '2kV'\nvoltage_kv = 2.0\n"


def test_wrong_configurations_end_with_2(tmp_path):
    """Missing, misspelt (the nearest known name is proposed), out of range from the environment."""
    misspelt, good = tmp_path / "misspelt.toml", tmp_path / "good.toml"
    misspelt.write_text(valid(tmp_path, tmp_path / "out").replace("[[", "expected_slice = 3\n[[", 1))
    good.write_text(valid(tmp_path, tmp_path / "out"))
    absent, known, ranged = slicewatch(
        (["run", str(tmp_path / "absent.toml")], {}),
        (["run", str(misspelt)], {}),
        (["run", str(good)], {"SLICEWATCH_VOLUME__GRID_NM": "-1"}),
    )
    assert_clear(absent, 2, "absent.toml", "config.toml")
    assert_clear(known, 2, "expected_slice", "Did you mean 'expected_slices'?")
    assert_clear(ranged, 2, "volume.grid_nm")


def test_a_missing_folder_ends_with_2(tmp_path):
    """Nor is an output made for it."""
    path = tmp_path / "run.toml"
    path.write_text(valid(tmp_path / "nowhere", tmp_path / "out"))
    for done in slicewatch((["run", str(path)], {}), (["reprocess", str(path)], {})):
        assert_clear(done, 2, "nowhere", "mount the share")
    assert not (tmp_path / "out").exists()


def test_a_model_for_other_channels_ends_with_1(tmp_path):
    """An error of the network, not of the configuration's form; the channels it needs are named."""
    path = tmp_path / "run.toml"
    (tmp_path / "project").mkdir()
    model = "[segmentation]\nmodel = 'models/zoo/late_fusion.onnx'\nproviders = ['CPUExecutionProvider']\n"
    path.write_text(valid(tmp_path / "project", tmp_path / "out") + model)
    (done,) = slicewatch((["run", str(path)], {}))
    assert_clear(done, 1, "1 kV + 2 kV + 4 kV")


def test_check_status_and_report_have_their_exit_codes(tmp_path):
    """Failed checks are lines on standard output; an unreachable daemon is told from every other error."""
    path = tmp_path / "run.toml"
    path.write_text(valid(tmp_path / "nowhere", tmp_path / "out"))
    checked, status, report = slicewatch(
        (["check", str(path)], {"SLICEWATCH_SEGMENTATION__PROVIDERS": '["CPUExecutionProvider"]'}),
        (["status", "--connect", "tcp://127.0.0.1:9"], {}),
        (["report", str(tmp_path)], {}),
    )
    assert (checked.code, checked.stderr) == (1, "")
    assert "FAIL folder" in checked.stdout
    assert "ok   provider" in checked.stdout
    assert_clear(status, 4, "slicewatch run CONFIG")
    assert_clear(report, 2, "journal.sqlite")


def test_running_and_checking_import_no_torch():
    """Everything but a training itself loads without it: a daemon starts where torch is not installed."""
    done = python(
        """
        import sys
        import daemon.checks, daemon.demo, daemon.monitor, daemon.report, daemon.service, daemon.status
        import daemon.training
        print(sorted(name for name in ("torch", "onnx", "onnxscript") if name in sys.modules))
        """
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_training_without_torch_says_what_to_install(tmp_path):
    """Before anything is made."""
    hidden = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torch" else find(name, package)
"""
    case = (["train", "late-fusion", "--out", str(tmp_path / "out")], {})
    done = python(hidden + DRIVER, text=json.dumps([case]))
    (ended,) = json.loads(done.stdout)
    assert_clear(Ended(*ended), 1, "training needs torch", "slicewatch[train]", "make test")
    assert not (tmp_path / "out").exists()


def test_what_training_needs_is_looked_up_by_name():
    """What is installed passes, what is not is named."""
    require("numpy", "json")
    with pytest.raises(LibraryMissingError, match="no_such_library, which"):
        require("numpy", "no_such_library")


def test_an_unknown_network_is_refused(tmp_path):
    """For callers that are not the command line."""
    with pytest.raises(ConfigurationError, match="late-fusion"):
        train_network("transformer", tmp_path, quick=True)
