"""The demo as a user meets it: real processes, a real terminal, a real page."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import zarr

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CONTRACT = (
    "slices", "finish_reason", "thickness_rmse_nm", "registration_rmse_px", "mp_percent", "mgp_percent",
    "mean_dice", "e_tpcf", "e_lpf", "e_d", "solid_fraction", "seconds_per_slice", "peak_rss_mib", "output",
)  # fmt: skip
DEMO = [sys.executable, "-m", "daemon", "demo", "--slices", "3", "--size", "256", "320", "--workdir"]
ROOT = Path(__file__).parents[2]
# A monitor that finds pytest's variables thinks that it is being tested by NiceGUI's own plugin.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}


def test_headless_demo_prints_the_summary_last(tmp_path):
    """The last line of standard output is the summary object, every key of it a measured value; a folder may
    be named relative to where one is."""
    done = subprocess.run(
        [*DEMO, "here", "--headless", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert all(summary[key] is not None for key in CONTRACT)
    assert summary["finish_reason"] == "COMPLETED"
    assert summary["slices"] == 3
    assert Path(summary["output"], "report.html").exists()
    assert "report" in done.stderr


def test_an_electrode_is_watched_with_two_detectors(tmp_path):
    """Three phases through emulator, daemon and report; scores of each, and a volume that has them all."""
    done = subprocess.run(
        [*DEMO, str(tmp_path), "--sample", "electrode", "--headless", "--json"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["finish_reason"] == "COMPLETED"
    assert summary["slices"] == 3
    assert summary["awe_percent"] < 25
    labels = zarr.open_array(Path(summary["output"], "volume.ome.zarr", "0"), mode="r")
    assert np.unique(labels[:]).tolist() == [0, 1, 2]
    assert "phase 2" in Path(summary["output"], "report-cuts.svg").read_text(encoding="utf-8")


@pytest.mark.long
def test_on_a_terminal_the_monitor_stays_until_ctrl_c(tmp_path):
    """On a terminal the page is served until Ctrl-C; then everything ends, with code 0."""
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [*DEMO, str(tmp_path)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=ENVIRONMENT,
        preexec_fn=hear_ctrl_c,
    )
    os.close(terminal)
    text = read_until(master, "until you press Ctrl-C")
    url = re.search(r"http://127\.0\.0\.1:\d+", text)
    assert url is not None
    with urllib.request.urlopen(url[0], timeout=20) as page:
        assert page.status == 200
        assert b"slicewatch" in page.read()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    os.close(master)


def hear_ctrl_c() -> None:
    """Tests that a shell started in the background inherit deafness to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def read_until(master: int, wanted: str) -> str:
    """What the terminal has shown when ``wanted`` is on it."""
    shown = b""
    end = time.monotonic() + 240
    while wanted.encode() not in shown:
        assert time.monotonic() < end, shown.decode(errors="replace")
        try:
            shown += os.read(master, 65536)
        except OSError:
            break
    plain = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", shown).decode(errors="replace")
    assert wanted in plain.replace("\r\n", " "), plain
    return plain
