"""Tilt correction switched over in the middle of a run: the daemon goes on measuring, and says it once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.config import load
from daemon.emulator import EmulatorSettings
from daemon.evaluation import evaluate
from daemon.journal_bodies import read_records
from daemon.service import run_daemon
from daemon.tables import read_table

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(300)]

SETTINGS = EmulatorSettings(slices=7, height=320, width=320, seed=17)


@pytest.mark.parametrize("corrected_first", [False, True])
def test_a_run_across_the_switch_stays_exact(acquire, corrected_first: bool):
    """Slices 4 to 7 have another row step: shifts and thickness keep their bars, and one alarm tells why."""
    acquisition = acquire(replace(SETTINGS, tilt_correction=corrected_first), ("tilt-correction@4",))
    assert run_daemon(acquisition.config, follow=True) == 0
    summary = evaluate(acquisition.outputs, acquisition.truth, load(acquisition.config))
    assert summary["thickness_rmse_nm"] <= 0.3
    assert summary["registration_rmse_px"] <= 0.1
    rows = read_table(acquisition.outputs.slices)
    assert {row["thickness_source"] for row in rows} == {"ruler"}
    assert {row["shift_source"] for row in rows} == {"fiducial"}
    _, alarms = read_records(acquisition.outputs.journal, "alarm")
    told = [alarm["slice_index"] for alarm in alarms if alarm["kind"] == "tilt correction changed"]
    assert told == [4]
