"""The units under a systemd that runs: ready, left alone, restarted, given up, and kept in their sandbox.

In the order of a service's life. The watchdog's limit is 20 s instead of 15 min, nothing else is changed.
"""

from __future__ import annotations

import json
import shutil
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live.conftest import Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
DAEMON = "slicewatch@gold.service"
PROGRAM = "/opt/slicewatch/.venv/bin/slicewatch"
SHORT_WATCHDOG = "[Service]\nWatchdogSec=20s\n"
SLICES = 7


@pytest.fixture(scope="module")
def ports() -> tuple[int, ...]:
    """Of events, control and dashboard: free ones, since the container shares the host's network."""
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        return tuple(int(one.getsockname()[1]) for one in sockets)


@pytest.fixture(scope="module")
def service(machine: Machine, ports: tuple[int, ...]) -> Machine:
    """The daemon's unit, started; that it has started means that it said so."""
    drop_in = machine.root / "etc/systemd/system/slicewatch@.service.d"
    drop_in.mkdir()
    (drop_in / "live.conf").write_text(SHORT_WATCHDOG)
    shutil.copy2(Path(__file__).parent / "prepare.py", machine.root / "src/prepare.py")
    preparing = f"cd /opt/slicewatch && .venv/bin/python /src/prepare.py {ports[0]} {ports[1]}"
    machine.run("sh", "-c", preparing, timeout_s=900.0)
    where = f"--connect tcp://127.0.0.1:{ports[1]} --events tcp://127.0.0.1:{ports[0]} --port {ports[2]}"
    (machine.root / "etc/slicewatch/gold.monitor").write_text(f"MONITOR_OPTIONS={where}\n")
    machine.run("chgrp", "slicewatch", "/etc/slicewatch/gold.toml")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", DAEMON)
    return machine


def wait_for_slices(machine: Machine) -> None:
    """Until all that was acquired is measured."""
    waiting = f"until [ $(wc -l < /var/lib/slicewatch/gold/slices.csv) = {SLICES + 1} ]; do sleep 0.5; done"
    machine.run("sh", "-c", waiting, timeout_s=900.0)


def test_started_means_ready(service: Machine, ports: tuple[int, ...]) -> None:
    """``systemctl start`` returns when the sockets are open; every slice is then measured in the sandbox."""
    assert service.state(DAEMON, "StatusText") == "watching /srv/acquisition"
    told = json.loads(service.run(PROGRAM, "status", "--connect", f"tcp://127.0.0.1:{ports[1]}", "--json"))
    assert told["state"] in ("starting", "waiting", "working")
    wait_for_slices(service)


def test_the_sandbox_is_real(service: Machine) -> None:
    """No capability, no new privilege, filtered system calls, and nothing to write to but its own folder."""
    number = service.state(DAEMON, "MainPID")
    status = dict(line.split(":\t") for line in service.run("cat", f"/proc/{number}/status").splitlines())
    assert (int(status["CapEff"], 16), status["NoNewPrivs"], status["Seccomp"]) == (0, "1", "2")
    for place in ("/etc/x", "/usr/x", "/opt/slicewatch/x", "/srv/acquisition/x"):
        try_it = f"nsenter --target={number} --mount touch {place} 2>&1 || true"
        assert "Read-only file system" in service.run("sh", "-c", try_it), place
    (service.root / "root/secret").touch()
    assert "secret" in service.run("ls", "/root")
    assert "secret" not in service.run("nsenter", f"--target={number}", "--mount", "ls", "-A", "/root")


def test_its_log_is_json(service: Machine) -> None:
    """Each line that the daemon itself has said is one object."""
    said = service.run("journalctl", "--no-pager", "-o", "cat", "-t", "slicewatch-gold")
    assert {json.loads(line)["event"] for line in said.splitlines()} >= {"sockets.open", "run.started"}


def test_a_waiting_run_is_left_alone(service: Machine) -> None:
    """Three limits of the watchdog pass without an image, and it is the same process."""
    number = service.state(DAEMON, "MainPID")
    service.run("sleep", "60")
    assert service.state(DAEMON, "MainPID") == number
    assert service.state(DAEMON, "NRestarts") == "0"


def test_dashboard_and_outside_watchdog_work_in_their_sandboxes(
    service: Machine, ports: tuple[int, ...]
) -> None:
    """The page is served, the journal does not hold the link to log in by, and the daemon is found well."""
    page = "slicewatch-monitor@gold.service"
    service.run("systemctl", "start", page)
    ask = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{ports[2]}/', timeout=30).status)"
    asking = f'until python3 -c "{ask}" 2>/dev/null; do sleep 1; done'
    assert service.run("sh", "-c", asking, timeout_s=600.0) == "200"
    assert f"dashboard: http://127.0.0.1:{ports[2]}" in service.journal(page)
    assert "link=" not in service.journal(page)
    service.run("systemctl", "start", "slicewatch-watchdog@gold.service")
    assert '"verdict": "well"' in service.journal("slicewatch-watchdog@gold.service")
    service.run("systemctl", "stop", page)


def test_a_hung_run_is_restarted(service: Machine) -> None:
    """Stopped in its tracks, it no longer feeds the watchdog; another process goes on where it was."""
    service.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", DAEMON)
    service.wait_for(DAEMON, NRestarts="1", ActiveState="active")
    assert "Failed with result 'watchdog'" in service.journal(DAEMON)
    service.wait_for_line(DAEMON, f'"continues_after": {SLICES}')


def test_a_killed_run_is_restarted(service: Machine) -> None:
    """As by the kernel, when memory is out."""
    service.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", DAEMON)
    service.wait_for(DAEMON, NRestarts="2", ActiveState="active")
    service.wait_for_line(DAEMON, f'"continues_after": {SLICES}')


def test_a_run_that_has_stopped_the_microscope_is_not_restarted(service: Machine) -> None:
    """Exit code 3 ends the service: long after a restart would have come it is still failed."""
    service.run(PROGRAM, "abort", "/etc/slicewatch/gold.toml", "--by", "ada")
    service.wait_for(DAEMON, ActiveState="failed", ExecMainStatus="3")
    assert (service.root / "var/lib/slicewatch/STOP").exists()
    service.run("sleep", "25")
    assert (service.state(DAEMON, "ActiveState"), service.state(DAEMON, "NRestarts")) == ("failed", "2")


def test_a_wrong_configuration_is_not_restarted(service: Machine) -> None:
    """Exit code 2: only a person can mend it."""
    (service.root / "etc/slicewatch/wrong.toml").write_text("[run]\nfoulder = 1\n")
    service.run("chgrp", "slicewatch", "/etc/slicewatch/wrong.toml")
    service.run("systemctl", "start", "slicewatch@wrong.service", check=False)
    service.run("sleep", "15")
    assert service.state("slicewatch@wrong.service", "ExecMainStatus") == "2"
    assert service.state("slicewatch@wrong.service", "NRestarts") == "0"
