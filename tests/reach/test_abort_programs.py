"""Abort actions that are programs: one's own, and AutoScript's against OpenFIBSEM's Demo microscope."""

from __future__ import annotations

import sys
import tracemalloc

import psutil
import pytest

from daemon.abort.autoscript import halt, stop_microscope
from daemon.abort.orders import Outcome, Request
from daemon.config import AutoscriptAction, CommandAction

from .orders import STOP, result


def program(*lines: str, timeout_s: float = 60.0) -> CommandAction:
    """A Python program as an action."""
    return CommandAction(kind="command", argv=(sys.executable, "-c", "\n".join(lines)), timeout_s=timeout_s)


def test_a_program_is_told_the_order_and_confirms_by_its_status():
    """In its environment, and as JSON on its input."""
    told = result(
        program(
            "import json, os, sys",
            "o = json.load(sys.stdin)",
            "print(os.environ['SLICEWATCH_REQUEST'], o['order'], o['measurement'])",
        )
    )
    assert told.confirmed
    assert "STOP run-1/STOP/7 13.25" in told.detail


def test_there_is_no_shell(tmp_path):
    """What looks like shell syntax is an argument."""
    proof = tmp_path / "proof"
    told = result(CommandAction(kind="command", argv=(sys.executable, "-c", "", f"; touch {proof}", "$(id)")))
    assert told.confirmed
    assert not proof.exists()


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (program("import sys", "sys.exit(3)"), "exit status 3"),
        (program("import threading", "threading.Event().wait()", timeout_s=0.5), "killed after 0.5 s"),
        (CommandAction(kind="command", argv=("/nowhere/at all",)), "cannot be started"),
    ],
    ids=["fails", "hangs", "missing"],
)
def test_a_program_that_does_not_obey_is_a_failure(action, why):
    """It failed, it was killed when its time was up, it is not there."""
    told = result(action)
    assert told.outcome is Outcome.FAILED
    assert why in told.detail


def test_a_program_that_talks_without_end_fills_no_memory():
    """Its words are read and let go; it is killed when its time is up."""
    tracemalloc.start()
    try:
        told = result(program("import sys", "while True: sys.stdout.write('x' * 65536)", timeout_s=1.5))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (told.outcome, told.detail) == (Outcome.FAILED, "killed after 1.5 s")
    assert peak_bytes < 8 * 2**20


BACKGROUND = (
    "import subprocess, sys",
    "child = subprocess.Popen([sys.executable, '-c', 'import threading; threading.Event().wait()'])",
    "print(child.pid, flush=True)",
)


def test_a_program_is_over_when_it_is_over_itself():
    """It leaves something in the background that holds its output: confirmed at once, and left alone."""
    told = result(program(*BACKGROUND))
    assert told.confirmed
    child = psutil.Process(int(told.detail.rpartition(" ")[2]))
    assert child.is_running()
    child.kill()


def test_what_a_killed_program_has_started_is_killed_with_it(tmp_path):
    """Nothing of it goes on beside the daemon."""
    lines = (*BACKGROUND, f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))", "child.wait()")
    told = result(program(*lines, timeout_s=3.0))
    assert told.detail == "killed after 3 s"
    pid = int((tmp_path / "pid").read_text())
    gone, alive = psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10.0)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE], gone


@pytest.fixture(scope="module")
def demo_microscope():
    """A Demo microscope, connected."""
    connected = pytest.importorskip("daemon.abort.autoscript").connected
    pytest.importorskip("fibsem")
    return connected("Demo", "localhost", None)


@pytest.mark.filterwarnings("default")
def test_the_demo_microscope_stops_milling_and_imaging(demo_microscope):
    """Milling and live imaging run; afterwards neither does, and doing it twice changes nothing."""
    from fibsem.structures import BeamType

    demo_microscope.start_milling()
    demo_microscope.start_acquisition(BeamType.ELECTRON)
    assert demo_microscope.get_milling_state().name == "RUNNING"
    assert halt(demo_microscope, Request.STOP) == "milling IDLE, imaging stopped"
    assert demo_microscope.get_milling_state().name == "IDLE"
    assert halt(demo_microscope, Request.STOP) == "milling IDLE, imaging stopped"


@pytest.mark.filterwarnings("default")
def test_the_demo_microscope_pauses(demo_microscope):
    """A pause can be taken back; a stop cannot."""
    demo_microscope.start_milling()
    assert halt(demo_microscope, Request.PAUSE) == "milling PAUSED, imaging stopped"
    demo_microscope.resume_milling()
    assert halt(demo_microscope, Request.STOP) == "milling IDLE, imaging stopped"


@pytest.mark.slow
def test_the_whole_autoscript_action_works_in_its_own_process():
    """Connected, stopped, read back; the daemon's process has not imported fibsem for it."""
    told = stop_microscope(AutoscriptAction(kind="autoscript", manufacturer="Demo", timeout_s=120.0), STOP)
    assert (told.outcome, told.detail) == (Outcome.CONFIRMED, "milling IDLE, imaging stopped")


@pytest.mark.slow
def test_a_microscope_that_is_away_is_a_failure():
    """AutoScript's own client is not installed here: its words, and no confirmation."""
    told = stop_microscope(AutoscriptAction(kind="autoscript", manufacturer="Thermo", timeout_s=120.0), STOP)
    assert told.outcome is Outcome.FAILED
    assert told.detail


def test_a_microscope_that_hangs_is_left():
    """Its process is ended with its time."""
    told = stop_microscope(AutoscriptAction(kind="autoscript", manufacturer="Demo", timeout_s=0.01), STOP)
    assert (told.outcome, told.detail) == (Outcome.FAILED, "no answer within 0.01 s")
