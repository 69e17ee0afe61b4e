"""The settings beside a training: whole or not there, and never a traceback when they are damaged."""

import json
import os

import pytest

from models.errors import CheckpointDamagedError, CheckpointMismatchError
from models.kept_settings import keep_settings

SETTINGS = {"filters": 4, "recipe": {"batch": 2}}


def test_other_settings_are_refused_by_name(tmp_path):
    """The first start writes them, the next compares."""
    keep_settings(tmp_path, SETTINGS)
    keep_settings(tmp_path, SETTINGS)
    with pytest.raises(CheckpointMismatchError, match=r"recipe\.batch"):
        keep_settings(tmp_path, {"filters": 4, "recipe": {"batch": 3}})


DAMAGED = {
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda _: b"",
    "no text": lambda text: b"\xff\xfe" + text,
    "no table": lambda _: b"[]",
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_settings_are_told_with_the_remedy(tmp_path, damage):
    """By the file's name; nothing is trained over them."""
    keep_settings(tmp_path, SETTINGS)
    path = tmp_path / "settings.json"
    path.write_bytes(DAMAGED[damage](path.read_bytes()))
    with pytest.raises(CheckpointDamagedError, match=r"settings\.json.*empty folder"):
        keep_settings(tmp_path, SETTINGS)


def test_a_start_that_is_killed_leaves_no_half_settings(tmp_path, monkeypatch):
    """They appear whole, under their name, in one step."""
    seen = []
    replace = os.replace

    def watched(source, target):
        seen.append((json.loads(source.read_text(encoding="utf-8")), target.exists()))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    keep_settings(tmp_path, SETTINGS)
    assert seen == [({**SETTINGS, "annotated slices": ""}, False)]
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]
