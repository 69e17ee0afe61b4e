"""A run that looks ahead and one that does not end in the same bytes."""

from __future__ import annotations

import pytest

from benchmarks.restart import evidence
from daemon.config import load
from daemon.service import run_daemon
from daemon.toml_text import toml_text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_looking_ahead_changes_no_byte(acquire, tmp_path):
    """Corrupt, late and duplicate images among them: tables, voxels, messages and file records agree."""
    faults = ("corrupt@3", "late-1@4", "duplicate@5")
    acquisition = acquire(faults=faults, geometry={"roi": {"x": 30, "y": 80, "width": 96, "height": 96}})
    assert run_daemon(acquisition.config, follow=False) == 0
    apart = tmp_path / "apart.toml"
    table = load(acquisition.config).model_dump(mode="json", exclude_defaults=True)
    table["run"] |= {"output": str(tmp_path / "apart"), "look_ahead": False}
    apart.write_text(toml_text(table), encoding="utf-8")
    assert run_daemon(apart, follow=False) == 0
    assert evidence(acquisition.config) == evidence(apart)
