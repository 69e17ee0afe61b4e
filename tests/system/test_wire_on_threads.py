"""A dashboard follows each microscope on a thread of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROCESSES = 3  # one in three ended in a segmentation fault before it was mended


@pytest.mark.slow
def test_threads_that_are_the_first_to_understand_a_message_do_not_end_the_process() -> None:
    """Sixteen threads read the first message of each kind at one moment, in processes that know none yet."""
    command = [sys.executable, "-m", "tests.system.wire_on_threads"]
    started = [subprocess.Popen(command) for _ in range(PROCESSES)]
    assert [process.wait(110) for process in started] == [0] * PROCESSES
