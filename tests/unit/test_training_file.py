"""A training's file: what it says takes the place of the shipped settings, what it gets wrong is told."""

import pytest

from daemon.errors import ConfigurationError
from daemon.training_file import FusionPlan, InpaintingPlan, fusion_plan, inpainting_plan
from models.evaluation import HeldOut
from models.fitting import Recipe
from models.inpainting_training import InpaintingSettings
from models.material import TrainingSettings
from models.schedules import Cosine, Plateau

BASE = FusionPlan(TrainingSettings(recipe=Recipe(epochs=7, schedule=Cosine()), filters=5), HeldOut(runs=3))


def read(tmp_path, text, base=BASE):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return inpainting_plan(base, path) if isinstance(base, InpaintingPlan) else fusion_plan(base, path)


def test_without_a_file_everything_is_as_shipped():
    """The base is returned as it is."""
    assert fusion_plan(BASE, None) is BASE


def test_what_the_file_says_counts_and_the_rest_is_as_shipped(tmp_path):
    """Table by table, key by key; a whole number is a number, a list is a tuple."""
    text = """
        [training]
        voltages_kv = [1, 2]
        [training.recipe]
        batch = 8
        learning_rate = 1
        [training.augmentation]
        thickness = 0.5
        [held_out]
        noise = 2.0
    """
    plan = read(tmp_path, text)
    assert plan.training.voltages_kv == (1.0, 2.0)
    assert plan.training.recipe == Recipe(batch=8, learning_rate=1.0, epochs=7, schedule=Cosine())
    assert (plan.training.filters, plan.training.augmentation.thickness) == (5, 0.5)
    assert plan.held_out == HeldOut(runs=3, noise=2.0)


@pytest.mark.parametrize(
    ("given", "schedule"),
    [("{ last = 0.5 }", Cosine(0.5)), ("{ factor = 0.5 }", Plateau(factor=0.5)), ("{}", Plateau())],
)
def test_a_schedule_is_told_by_its_keys(tmp_path, given, schedule):
    """It takes the place of the shipped one as a whole."""
    plan = read(tmp_path, f"[training.recipe]\nschedule = {given}")
    assert plan.training.recipe.schedule == schedule


def test_paths_are_relative_to_the_file(tmp_path):
    """Also those to start from, unless only slicewatch itself has them."""
    (tmp_path / "before").mkdir()
    text = '[training]\nstart_from = "before"\n[[annotated]]\nimages = "run"\nlabels = "/labels"'
    plan = read(tmp_path, text)
    assert plan.training.start_from == str(tmp_path / "before")
    assert plan.annotated[0].images == tmp_path / "run"
    assert str(plan.annotated[0].labels) == "/labels"
    shipped = read(tmp_path, '[training]\nstart_from = "models/zoo"')
    assert shipped.training.start_from == "models/zoo"


WRONG = {
    "unknown": ("[training]\nfiltres = 3", "training.filtres", "unknown key 'filtres'", "'filters'"),
    "unknown below": ("[training.recipe]\nbatches = 3", "training.recipe.batches", "unknown key", "'batch'"),
    "unknown table": ("[trainig]\n", "mine.toml: trainig", "unknown key", "'training'"),
    "schedule": ("[training.recipe]\nschedule = {lst = 1}", "recipe.schedule", "unknown key", "'last'"),
    "source": ("[[annotated]]\nimages='a'\nlabel='b'", "annotated.0.label", "unknown key", "'labels'"),
    "no labels": ("[[annotated]]\nimages='a'", "annotated.0", "labels", "examples/training.toml"),
    "text": ("[training.recipe]\nbatch = '4'", "training.recipe.batch", "valid integer", "given: '4'"),
    "fraction": ("[training]\nscenes = 1.5", "training.scenes", "valid integer", "given: 1.5"),
    "no table": ("[training]\nrecipe = 3", "training.recipe", "object", "given: 3"),
    "nan": ("[training.recipe]\nlearning_rate = nan", "learning_rate", "finite number", "Correct"),
    "zero": ("[training.recipe]\nepochs = 0", "training.recipe.epochs", "greater than or equal to 1", "0"),
    "no rate": ("[training.recipe]\nlearning_rate = 0.0", "learning_rate", "greater than 0", "0.0"),
    "even": ("[training]\nadjacent_slices = 4", "training]", "adjacent_slices is odd", "Correct"),
    "patch": ("[training]\npatch_px = 128", "training]", "patch_px is at most size.block_px", "Correct"),
    "stride": ("[training]\npatch_px = 60", "training.patch_px", "multiple of 8", "60"),
    "device": ("[training]\ndevice = 'gpu'", "training.device", "'cuda'", "gpu"),
    "percentiles": ("[training.normalisation]\nlow_percent = 99.5", "normalisation", "below", "Correct"),
    "voltages": ("[training]\nvoltages_kv = [3.0]", "the whole file", "held_out.voltages_kv", "Correct"),
    "channels": ("[[annotated]]\nimages='a'\nlabels='b'\nchannels=['x']", "file", "as many as", "Correct"),
    "TOML": ("[training\n", "mine.toml", "not TOML", "Correct that line"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_told_with_place_and_remedy(tmp_path, case):
    """Misspelt, of another type, or impossible: never taken for something else."""
    text, *said = case
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "mine.toml") in str(caught.value)
    for words in said:
        assert words in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    """With the example to begin with."""
    with pytest.raises(ConfigurationError, match=r"cannot be read.*examples/training\.toml"):
        fusion_plan(BASE, tmp_path / "none.toml")


def test_the_inpainting_network_has_a_file_of_its_own(tmp_path):
    """With its own keys and its own example."""
    base = InpaintingPlan(InpaintingSettings())
    plan = read(tmp_path, "[training.volumes]\nstructures = 9\n[training]\nfilters = 2", base)
    assert (plan.training.volumes.structures, plan.training.filters) == (9, 2)
    with pytest.raises(ConfigurationError, match=r"examples/inpainting-training\.toml"):
        read(tmp_path, "[training]\nvoltages_kv = [1.0]", base)
