"""The daemon under systemd: it says when it is ready, and a run that waits keeps feeding the watchdog."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_waiting_daemon_is_ready_and_alive(acquire, tmp_path):
    """READY after the sockets are open, WATCHDOG from every turn of the loop; SIGTERM ends it with 0, and
    before the report is written the watchdog is told to rest."""
    acquisition = acquire(run={"expected_slices": 99})
    shutil.rmtree(acquisition.project / "Images")
    (acquisition.project / "Images").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(120.0)
        command = [sys.executable, "-m", "daemon", "run", str(acquisition.config)]
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as daemon:
            told = [systemd.recv(1000) for _ in range(4)]
            daemon.terminate()
            assert daemon.wait(120) == 0
        systemd.setblocking(False)
        while told[-1] == b"WATCHDOG=1" and (last := systemd.recv(1000)):
            told.append(last)
    assert told[0].startswith(b"READY=1\nSTATUS=watching ")
    assert told[1:4] == [b"WATCHDOG=1"] * 3
    assert told[-1].startswith(b"STOPPING=1\n")  # the report may take longer than the watchdog's limit
