"""systemd's units: valid, hardened as far as promised, and installed where they point to."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from daemon.cli import app
from daemon.errors import ConfigurationError
from daemon.items import FinishReason
from daemon.service import EXIT_CODES

ROOT = Path(__file__).parents[2]
SERVICES = ("slicewatch@", "slicewatch-monitor@", "slicewatch-watchdog@")
EXPOSURE = {"slicewatch@": 2.0}  # the one that must see the GPU's devices; the others: 1.5

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The units as ``make`` installs them, as instances of one run, with a program that is there."""
    root = tmp_path_factory.mktemp("root")
    subprocess.run(["make", "-s", "install-units", f"DESTDIR={root}"], cwd=ROOT, check=True, timeout=60)
    instances = root / "instances"
    instances.mkdir()
    for unit in (root / "etc/systemd/system").iterdir():
        text = unit.read_text().replace("/opt/slicewatch/.venv/bin/slicewatch", "/usr/bin/true")
        (instances / unit.name.replace("@", "@run")).write_text(text)
    return instances


def analyze(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """systemd-analyze; what it prints."""
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60, check=False)


def unit(name: str) -> RawConfigParser:
    """A unit file; of a repeated key the last."""
    parser = RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / "systemd" / name)
    return parser


def test_the_units_are_valid(installed):
    """systemd finds nothing to say about them."""
    units = sorted(path.name for path in installed.iterdir())
    assert len(units) == 4
    told = analyze("verify", *units, cwd=installed)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardened(installed, name):
    """systemd's own measure of what a broken-into service could reach, 0 to 10."""
    told = analyze("security", "--offline=true", str(installed / f"{name}run.service"), cwd=installed)
    found = re.search(r"Overall exposure level for .*: (\d+\.\d+)", told.stdout)
    assert found is not None, told.stderr
    assert float(found[1]) <= EXPOSURE.get(name, 1.5)


def test_a_stopped_microscope_and_a_wrong_configuration_are_not_restarted():
    """The exit codes of the daemon that no restart can mend."""
    service = unit("slicewatch@.service")["Service"]
    wanted = {EXIT_CODES[FinishReason.DRIFT_ABORT], ConfigurationError.exit_code}
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == wanted
    assert service["Type"] == "notify"
    assert service["Restart"] == "on-failure"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_a_command_that_exists(name):
    """The command line that the unit starts is one of ours, and nobody runs it as root."""
    service = unit(f"{name}.service")["Service"]
    program, command, *_ = service["ExecStart"].split()
    assert program == "/opt/slicewatch/.venv/bin/slicewatch"
    assert command in {one.name or one.callback.__name__ for one in app.registered_commands}
    assert service["User"].startswith("slicewatch")


@pytest.mark.parametrize("name", SERVICES)
def test_zeromq_may_do_what_it_aborts_without(name):
    """It sets its threads' policy, and looks among the interfaces to bind; seen under a systemd that runs."""
    service = unit(f"{name}.service")["Service"]
    assert "sched_setscheduler" in service["SystemCallFilter"].split()
    if name == "slicewatch@":
        assert "AF_NETLINK" in service["RestrictAddressFamilies"].split()
