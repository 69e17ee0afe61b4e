"""The training command's way from settings to files that ship, on a scale of seconds."""

from dataclasses import replace

import pytest
import torch

from models.evaluation import HeldOut
from models.fitting import Recipe
from models.material import TrainingSettings
from models.model_file import checksum_path
from models.origin import Origin
from models.scenes import SceneSize
from models.session import open_segmenter
from models.shipping import train_and_ship
from models.training import train_early_fusion, train_intermediate_fusion, train_late_fusion

RECIPE = Recipe(batch=4, steps=3, epochs=2, learning_rate=0.01, seed=3)
SETTINGS = TrainingSettings(
    voltages_kv=(1.0, 4.0),
    adjacent_slices=3,
    filters=2,
    patch_px=16,
    scenes=3,
    validation_scenes=1,
    ensemble_scenes=2,
    size=SceneSize(blocks=1, block_px=40, slices=4),
    recipe=RECIPE,
    joint_recipe=RECIPE,
    fusion_recipe=RECIPE,
    volume_filters=2,
    threads=1,
)
HELD_OUT = HeldOut(runs=1, height=32, width=40, slices=2, voltages_kv=(1.0, 4.0))


@pytest.fixture
def folder(tmp_path):
    """Torch's number of threads is the process's: it is put back."""
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_training_ships_networks_and_everything_about_them(folder):
    """Networks, checksums, cards and curves appear, and the progress of every stage is told."""
    lines: list[str] = []
    command = "slicewatch train late-fusion"
    origin = Origin(command, "2026-11-20")
    specs = train_and_ship(train_late_fusion, SETTINGS, HELD_OUT, folder, origin, lines.append)
    assert list(specs) == ["late_fusion", "unet_1kv", "unet_4kv"]
    for name, spec in specs.items():
        path = folder / f"{name}.onnx"
        assert checksum_path(path).is_file()
        assert open_segmenter(path).spec == spec
        card = (folder / f"{name}.md").read_text()
        assert all(said in card for said in (spec.sha256, command, "kmeans_4kv", "2026-11-20"))
        assert "late_fusion_curves.png" in card
    for picture in ("late_fusion_curves.png", "late_fusion_reliability.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    assert any(line.startswith("branch_4kV: epoch 2/2") for line in lines)
    assert any(line.startswith("ensemble: epoch 1/2") for line in lines)
    assert any(line.startswith("together: epoch 2/2") for line in lines)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "train"),
    [("early_fusion", train_early_fusion), ("intermediate_fusion", train_intermediate_fusion)],
)
def test_a_fusion_is_trained_whole_and_shipped(folder, name, train):
    """One network of all voltages, which the session opens and the card names."""
    specs = train_and_ship(train, SETTINGS, HELD_OUT, folder, Origin("it", "2026-11-27"), lambda _line: None)
    spec = open_segmenter(folder / f"{name}.onnx").spec
    assert specs == {name: spec}
    assert spec.voltages_kv == (1.0, 4.0)
    assert f"**{name}**" in (folder / f"{name}.md").read_text()


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_training_starts_from_exported_networks(folder):
    """Branches of a late fusion, and the outer blocks of an intermediate one, begin as the networks of an
    earlier training; the cards name these by checksum."""
    first, origin = folder / "first", Origin("it", "2026-11-27")
    specs = train_and_ship(train_late_fusion, SETTINGS, HELD_OUT, first, origin, lambda _line: None)
    settings = replace(SETTINGS, start_from=str(first))
    for number, train in enumerate((train_late_fusion, train_intermediate_fusion)):
        trained = train(settings, folder / str(number), lambda _line: None)
        assert trained.started_from == {name: specs[name].sha256 for name in ("unet_1kv", "unet_4kv")}


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_same_settings_train_the_same_network(folder):
    """Two trainings from scratch end with the same weights, to the last bit, on the same scenes."""
    first, second = (train_late_fusion(SETTINGS, folder / name, str) for name in ("first", "second"))
    assert first.training_data_sha256 == second.training_data_sha256
    weights, again = (trained.networks["late_fusion"][0].state_dict() for trained in (first, second))
    assert all(torch.equal(weights[key], again[key]) for key in weights)
