"""A machine that systemd has booted, with slicewatch installed on it as a user would.

A Debian in a folder, started by ``systemd-nspawn`` in namespaces and a control group of its own. It needs
root, ``debootstrap``, ``systemd-nspawn``, the network, and five minutes, so only ``make live-service`` runs
these tests. The folder is kept for the next time (SLICEWATCH_LIVE_ROOT).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
LIVE_ROOT = os.environ.get("SLICEWATCH_LIVE_ROOT", "")
TOOLS = ("debootstrap", "systemd-nspawn", "unshare", "nsenter")
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,make,ca-certificates,procps"
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
INSTALLED = ("algorithms", "daemon", "models", "docs", "systemd")
LEFT = ("src", "srv/acquisition", "var/lib/slicewatch", "etc/slicewatch", "var/log/journal")
SOURCES = ("config.toml", "pyproject.toml", "requirements.lock", "README.md", "LICENSE", "Makefile")

# systemd takes the control groups over that it finds: here it finds only one, which is empty.
BOOT = """
group=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/slicewatch-live
mkdir -p "$group" && echo $$ > "$group/cgroup.procs" || exit 1
exec unshare --cgroup --mount --pid --fork --kill-child --mount-proc --propagation private sh -c '
    while umount -l /sys/fs/cgroup 2>/dev/null; do :; done
    mount -t cgroup2 none /sys/fs/cgroup || exit 1
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --directory="$0" --machine=slicewatch-live \\
        --register=no --keep-unit --boot --console=pipe' "$1"
"""
BOOTED = ("running", "degraded")


@dataclass(frozen=True)
class Machine:
    """A running system; ``init`` is the process number of its systemd, out here."""

    root: Path
    init: int

    def run(self, *command: str, check: bool = True, timeout_s: float = 600.0) -> str:
        """What a command prints in there, as root."""
        inside = ["nsenter", f"--target={self.init}", "--all", "--root", "--wd"]
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_CERT_"))}
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root", **kept}
        done = subprocess.run(
            [*inside, *command],
            capture_output=True,
            text=True,
            env=environment,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout.strip()

    def state(self, unit: str, what: str) -> str:
        """A property of a unit, like ``MainPID``."""
        return self.run("systemctl", "show", "--value", "-p", what, unit)

    def wait_for(self, unit: str, within_s: float = 600.0, **wanted: str) -> None:
        """Until a unit's properties are these."""
        until = time.monotonic() + within_s
        while (found := {what: self.state(unit, what) for what in wanted}) != wanted:
            log = self.journal(unit) if time.monotonic() > until else ""
            assert time.monotonic() < until, f"{found}, not {wanted}\n{log}"

    def wait_for_line(self, unit: str, text: str, within_s: float = 600.0) -> None:
        """Until the last start of a unit has logged this."""
        since = f"_SYSTEMD_INVOCATION_ID=$(systemctl show --value -p InvocationID {unit})"
        self.run(
            "sh",
            "-c",
            f"until journalctl -o cat {since} | grep -q '{text}'; do sleep 0.5; done",
            timeout_s=within_s,
        )

    def journal(self, unit: str) -> str:
        """What a unit and systemd about it have logged."""
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit)


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """Installed and booted; shut down at the end."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if not LIVE_ROOT or missing or os.geteuid() != 0:
        pytest.skip(f"only 'make live-service' as root does this; absent: {missing}")
    root = Path(LIVE_ROOT)
    if not (root / "usr/lib/systemd/systemd").exists():
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", root], check=True
        )
    _hand_over(root)
    with subprocess.Popen(["sh", "-c", BOOT, "boot", root], stdin=subprocess.DEVNULL) as booting:
        try:
            started = Machine(root, _init_of(booting))
            _await_boot(started)
            started.run("make", "-C", "/src", "install-service", timeout_s=900.0)
            yield started
        finally:
            _shut_down(booting)


def _hand_over(root: Path) -> None:
    """The sources as they are now, and the certificates to fetch the rest with; what was left there goes."""
    units = (root / "etc/systemd/system").glob("slicewatch*.d")
    for left in (*(root / name for name in LEFT), *units):
        shutil.rmtree(left, ignore_errors=True)
    (root / "src").mkdir()
    for folder in INSTALLED:
        shutil.copytree(ROOT / folder, root / "src" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in SOURCES:
        shutil.copy2(ROOT / name, root / "src" / name)
    shutil.copyfile("/" / CERTIFICATES, root / CERTIFICATES)


def _init_of(booting: subprocess.Popen[bytes]) -> int:
    """The systemd that the container runs, as soon as it does."""
    until = time.monotonic() + 60.0
    while time.monotonic() < until and booting.poll() is None:
        family = psutil.Process(booting.pid).children(recursive=True)
        for process in family:
            if process.name() == "systemd":
                return process.pid
    raise AssertionError("systemd has not come up: see what systemd-nspawn said")


def _await_boot(machine: Machine) -> None:
    """Until everything is up, or as far as it gets in a container; at first there is nobody to ask."""
    until = time.monotonic() + 120.0
    while (state := machine.run("systemctl", "is-system-running", "--wait", check=False)) not in BOOTED:
        assert time.monotonic() < until, f"the container is {state or 'not there'}"


def _shut_down(booting: subprocess.Popen[bytes]) -> None:
    """SIGTERM tells systemd-nspawn to have its system power off."""
    for process in psutil.Process(booting.pid).children(recursive=True):
        if process.name() == "systemd-nspawn":
            process.terminate()
    try:
        booting.wait(timeout=90.0)
    except subprocess.TimeoutExpired:
        booting.kill()
