"""The only arrow back to the microscope: done, confirmed, and one failure does not stop the next action."""

from __future__ import annotations

import json
import os

import pytest

from daemon import alarms
from daemon.abort import abort
from daemon.config import FileAction
from daemon.items import Alarm

CAUSE = Alarm("drift thicker", 31, "slices have become thicker")


def test_the_file_says_why_and_is_confirmed(tmp_path):
    """The microscope's script finds the cause; what was written was read back."""
    path = tmp_path / "to the microscope" / "STOP"
    (result,) = abort((FileAction(kind="file", path=path),), CAUSE)
    assert result.confirmed
    assert result.target == str(path)
    assert json.loads(path.read_text()) == {
        "slice": 31,
        "kind": "drift thicker",
        "message": "slices have become thicker",
    }


def test_repeating_changes_nothing(tmp_path):
    """A restart in the middle of an abort may do it again."""
    actions = (FileAction(kind="file", path=tmp_path / "STOP"),)
    first = abort(actions, CAUSE)
    content = (tmp_path / "STOP").read_bytes()
    assert abort(actions, CAUSE) == first
    assert (tmp_path / "STOP").read_bytes() == content
    assert os.listdir(tmp_path) == ["STOP"]


def test_one_of_them_must_get_through(tmp_path):
    """An action that fails is reported as not confirmed, and the next one is tried all the same."""
    (tmp_path / "file").write_text("in the way")
    actions = [
        FileAction(kind="file", path=tmp_path / "file" / "STOP"),
        FileAction(kind="file", path=tmp_path / "STOP"),
    ]
    failed, done = abort(actions, CAUSE)
    assert (failed.confirmed, done.confirmed) == (False, True)
    assert "file" in failed.detail
    assert (tmp_path / "STOP").exists()


@pytest.mark.parametrize("count", [0, 1])
def test_an_unconfirmed_abort_is_loud(tmp_path, count):
    """With no action, or none that worked, a person must stop the microscope by hand."""
    (tmp_path / "file").write_text("in the way")
    actions = [FileAction(kind="file", path=tmp_path / "file" / "STOP")] * count
    told = alarms.aborted(CAUSE, abort(actions, CAUSE))
    assert told.kind == "abort NOT CONFIRMED"
    assert "by hand" in told.remedy


def test_a_confirmed_abort_is_told_with_its_cause(tmp_path):
    """The alarm names what was done and for which slice."""
    told = alarms.aborted(CAUSE, abort((FileAction(kind="file", path=tmp_path / "STOP"),), CAUSE))
    assert (told.kind, told.slice_index) == ("abort confirmed", 31)
    assert "drift thicker" in told.message
