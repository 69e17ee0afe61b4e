"""The training command's way from settings to files that ship, on a scale of seconds."""

import pytest
import torch

from models.evaluation import HeldOut
from models.fitting import Recipe
from models.model_file import checksum_path
from models.scenes import SceneSize
from models.session import open_segmenter
from models.shipping import train_and_ship
from models.training import TrainingSettings, train_late_fusion

SETTINGS = TrainingSettings(
    voltages_kv=(1.0, 4.0),
    adjacent_slices=3,
    filters=2,
    patch_px=16,
    scenes=3,
    validation_scenes=1,
    ensemble_scenes=2,
    size=SceneSize(blocks=1, block_px=40, slices=4),
    recipe=Recipe(batch=4, steps=3, epochs=2, learning_rate=0.01, seed=3),
    threads=1,
)
HELD_OUT = HeldOut(runs=1, height=32, width=40, slices=2, voltages_kv=(1.0, 4.0))


@pytest.fixture
def folder(tmp_path):
    """Torch's number of threads is the process's: it is put back."""
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_training_ships_networks_and_everything_about_them(folder):
    """Networks, checksums, cards and curves appear, and the progress of every stage is told."""
    lines: list[str] = []
    command = "slicewatch train late-fusion"
    specs = train_and_ship(SETTINGS, HELD_OUT, folder, command, "2026-11-20", lines.append)
    assert list(specs) == ["late_fusion", "unet_1kv", "unet_4kv"]
    for name, spec in specs.items():
        path = folder / f"{name}.onnx"
        assert checksum_path(path).is_file()
        assert open_segmenter(path).spec == spec
        card = (folder / f"{name}.md").read_text()
        assert all(said in card for said in (spec.sha256, command, "kmeans_4kv", "2026-11-20"))
    assert (folder / "learning_curves.png").read_bytes().startswith(b"\x89PNG")
    assert any(line.startswith("branch_4kV: epoch 2/2") for line in lines)
    assert any(line.startswith("ensemble: epoch 1/2") for line in lines)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_same_settings_train_the_same_network(folder):
    """Two trainings from scratch end with the same weights, to the last bit, on the same scenes."""
    first, second = (train_late_fusion(SETTINGS, folder / name, str) for name in ("first", "second"))
    assert first.training_data_sha256 == second.training_data_sha256
    weights, again = first.network.state_dict(), second.network.state_dict()
    assert all(torch.equal(weights[key], again[key]) for key in weights)
