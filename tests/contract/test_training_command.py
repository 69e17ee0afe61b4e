"""The shipped networks can be made again: their cards state the settings that the command trains with."""

from __future__ import annotations

import re
import tomllib
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from daemon.training_file import AnnotatedSource, fusion_plan, gan_plan, inpainting_plan
from daemon.training_presets import (
    quick_gan,
    quick_inpainting,
    quick_settings,
    shipped_gan,
    shipped_inpainting,
    usual_fusion,
    usual_settings,
)
from models.inpainting_training import InpaintingSettings
from models.material import TrainingSettings
from models.schedules import Plateau

ROOT = Path(__file__).parents[2]
ZOO, EXAMPLES = ROOT / "models" / "zoo", ROOT / "examples"

SEGMENTERS = sorted([*ZOO.glob("*_fusion.md"), *ZOO.glob("unet_*.md")])
MONTE_CARLO = EXAMPLES / "montecarlo-training.toml"


def stated_settings(card, kind):
    """Those of a card; what was made configurable since then is as it was before."""
    found = re.search(r"```json\n(.*?)```", card, re.DOTALL)
    assert found is not None
    return TypeAdapter(kind).validate_json(found[1])


@pytest.mark.parametrize("card", SEGMENTERS, ids=lambda path: path.stem)
def test_the_card_states_what_the_command_does(card):
    """All settings, and the file that it was trained with, as it is in the examples."""
    text = card.read_text(encoding="utf-8")
    assert stated_settings(text, TrainingSettings) == fusion_plan(usual_fusion(), MONTE_CARLO).training
    whole = card.stem.replace("_", "-") if "fusion" in card.stem else "late-fusion"
    assert f"slicewatch train {whole} --out networks --config examples/{MONTE_CARLO.name}" in text
    assert MONTE_CARLO.read_text(encoding="utf-8").strip() in text


def test_the_inpainting_card_states_what_the_command_does():
    """As those of the segmenters."""
    text = (ZOO / "inpainting.md").read_text(encoding="utf-8")
    stated = stated_settings(text, InpaintingSettings)
    assert stated == replace(shipped_inpainting().training, threads=stated.threads)
    assert "slicewatch train inpainting" in text


def test_the_example_is_the_papers_recipe():
    """Sardhara et al. 2024, Table 1: every value by itself, whatever the defaults are."""
    training = fusion_plan(usual_fusion(), EXAMPLES / "training.toml").training
    assert training.patch_px == 64
    for recipe in (training.recipe, training.joint_recipe, training.fusion_recipe):
        assert (recipe.batch, recipe.learning_rate, recipe.epochs) == (64, 1e-4, 100)
        assert (recipe.schedule, recipe.patience_epochs) == (Plateau(patience_epochs=10, factor=0.1), 25)
        assert recipe.cross_entropy_weight == 0.0
    assert training.start_from == ""


@pytest.mark.parametrize(
    ("example", "plan"),
    [
        ("training.toml", usual_fusion()),
        ("inpainting-training.toml", shipped_inpainting()),
        ("gan-training.toml", shipped_gan()),
    ],
    ids=["fusion", "inpainting", "gan"],
)
def test_the_examples_list_every_key(example, plan):
    """Nothing that can be set is left out, and nothing is named that cannot; the commented table too."""
    text = (EXAMPLES / example).read_text(encoding="utf-8")
    table = tomllib.loads(re.sub(r"^# (\[\[|\w+ = )", r"\1", text, flags=re.MULTILINE))
    listed, known = keys(table), keys(asdict(plan))
    if "annotated" in table:
        known |= {f"annotated.{field.name}" for field in fields(AnnotatedSource)}
        listed |= {f"annotated.{key}" for key in table["annotated"][0]}
    assert listed == known


def keys(table, prefix=""):
    """Dotted names, but for those of a schedule, which is given as a whole."""
    found = set()
    for key, value in table.items():
        inner = isinstance(value, dict) and key != "schedule"
        found |= keys(value, f"{prefix}{key}.") if inner else {prefix + key}
    return found


def test_the_inpainting_example_is_how_the_shipped_network_was_trained():
    """But for the machine's threads."""
    plan = inpainting_plan(quick_inpainting(), EXAMPLES / "inpainting-training.toml")
    assert plan.training == InpaintingSettings()


def test_the_example_of_the_generators_is_how_the_command_trains():
    """But for the machine's threads; patches, batch and the rule of the rate are the paper's."""
    training = gan_plan(quick_gan(), EXAMPLES / "gan-training.toml").training
    assert training == replace(shipped_gan().training, threads=training.threads)
    assert (training.patch_px, training.recipe.batch, training.recipe.patience_epochs) == (128, 1, 25)
    assert training.recipe.schedule == Plateau(patience_epochs=10, factor=0.1)


def test_quick_is_the_same_way_with_less_of_everything():
    """The same channels and architecture family, fewer scenes, steps and filters."""
    quick, full = quick_settings(), usual_settings()
    assert (quick.voltages_kv, quick.adjacent_slices) == (full.voltages_kv, full.adjacent_slices)
    assert quick.scenes < full.scenes / 10
    assert quick.recipe.steps * quick.recipe.epochs < full.recipe.steps * full.recipe.epochs / 10
    assert quick.filters < full.filters
