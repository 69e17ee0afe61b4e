"""The shipped networks can be made again: their cards state the settings that the command trains with."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from daemon.training import quick_settings, shipped_settings
from models.inpainting_training import InpaintingSettings

ZOO = Path(__file__).parents[2] / "models" / "zoo"


SEGMENTERS = sorted([ZOO / "late_fusion.md", *ZOO.glob("unet_*.md")])


@pytest.mark.parametrize("card", SEGMENTERS, ids=lambda path: path.stem)
def test_the_card_states_what_the_command_does(card):
    """All settings but the number of threads, which is the machine's."""
    text = card.read_text(encoding="utf-8")
    found = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert found is not None
    stated, ours = json.loads(found[1]), json.loads(json.dumps(asdict(shipped_settings())))
    assert {**stated, "threads": 0} == {**ours, "threads": 0}
    assert "slicewatch train late-fusion" in text


def test_the_inpainting_card_states_what_the_command_does():
    """As those of the segmenters."""
    text = (ZOO / "inpainting.md").read_text(encoding="utf-8")
    found = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert found is not None
    stated, ours = json.loads(found[1]), json.loads(json.dumps(asdict(InpaintingSettings())))
    assert {**stated, "threads": 0} == {**ours, "threads": 0}
    assert "slicewatch train inpainting" in text


def test_quick_is_the_same_way_with_less_of_everything():
    """The same channels and architecture family, fewer scenes, steps and filters."""
    quick, full = quick_settings(), shipped_settings()
    assert (quick.voltages_kv, quick.adjacent_slices) == (full.voltages_kv, full.adjacent_slices)
    assert quick.scenes < full.scenes / 10
    assert quick.recipe.steps * quick.recipe.epochs < full.recipe.steps * full.recipe.epochs / 10
    assert quick.filters < full.filters
