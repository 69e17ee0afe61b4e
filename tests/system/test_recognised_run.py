"""A run whose images leave what the network knows is told of, and after a kill just the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.journal_bodies import read_records
from daemon.service import run_daemon
from daemon.stages.recognising import IN_A_ROW, KIND
from daemon.tables import read_table
from tests.system.conftest import SMALL
from tests.system.test_restart import digest, elsewhere, killed_after, number

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ONE_VOLTAGE = replace(SMALL, slices=6, height=320, width=400, voltages_kv=(2.0,))
FROM = 3
"""The slice with which the noise begins."""


def make_noisier(project: Path, first: int) -> None:
    """More noise in every electron image from a slice on, some three times of what is there."""
    for path in sorted((project / "Images" / "SEM Image").glob("*.tif")):
        if number(path) >= first:
            pixels = tifffile.memmap(path, mode="r+")
            noise = np.random.default_rng(number(path)).normal(0, 25, pixels.shape)
            pixels[:] = np.clip(pixels + noise, 0, 255).astype(np.uint8)
            pixels.flush()


def told_of(acquisition) -> list[int]:
    """Slices of the alarms of this kind."""
    _, alarms = read_records(acquisition.outputs.journal, "alarm")
    return [alarm["slice_index"] for alarm in alarms if alarm["kind"] == KIND]


def test_noise_is_told_with_the_third_noisy_slice_whatever_is_killed_in_between(acquire, tmp_path):
    """Distance and limit stand in every slice's message and row; one alarm; the same bytes after a kill."""
    acquisition = acquire(ONE_VOLTAGE)
    make_noisier(acquisition.project, FROM)
    assert run_daemon(elsewhere(acquisition, tmp_path / "uninterrupted"), follow=True) == 0
    assert killed_after(acquisition.config, "slice.done", FROM + 1) == -9
    assert run_daemon(acquisition.config, follow=True) == 0

    assert told_of(acquisition) == [FROM + IN_A_ROW - 1]
    rows = read_table(acquisition.outputs.slices)
    outside = [float(row["domain_distance_2kV"]) > float(row["domain_limit_2kV"]) for row in rows]
    assert outside == [False] * (FROM - 1) + [True] * (len(rows) - FROM + 1)
    _, messages = read_records(acquisition.outputs.journal, "slice")
    for row, message in zip(rows, messages, strict=True):
        assert message["channels"]["2kV"]["domain_distance"] == pytest.approx(
            float(row["domain_distance_2kV"]), rel=1e-6
        )
    assert digest(tmp_path / "output") == digest(tmp_path / "uninterrupted")
