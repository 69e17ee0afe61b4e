"""A copy of an exported network, fine-tuned: which can be, and that it starts where the file is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.acquired import Acquired
from models.adapted_scenes import prepared_scenes, synthetic_scenes
from models.errors import ModelMismatchError
from models.fine_tuning import fine_tune, tunable
from models.fitting import Recipe
from models.fusion import LateFusion
from models.material import Material, TrainingSettings, blocks_of
from models.normalisation import Normalisation
from models.scenes import SceneSize
from models.session import open_segmenter

ZOO = Path(__file__).parents[2] / "models" / "zoo"
SIZE = SceneSize(blocks=1, block_px=64, slices=7)
LIKE = Acquired(np.zeros((1, 1, 8, 8), np.uint8), (2.0,), (3.26, 3.26), (10.0, 2.0))


@pytest.mark.parametrize(
    ("name", "voltages_kv"), [("late_fusion", (1.0, 2.0, 4.0)), ("unet_4kv", (4.0,))], ids=["late", "single"]
)
def test_shipped_networks_of_these_kinds_can_be_tuned(name: str, voltages_kv: tuple[float, ...]) -> None:
    """The architecture is read off the file."""
    network, spec = tunable(ZOO / f"{name}.onnx")
    assert spec.voltages_kv == voltages_kv
    assert isinstance(network, LateFusion) is (len(voltages_kv) > 1)


@pytest.mark.parametrize(
    "name", ["early_fusion", "intermediate_fusion", "electrode_forest", "late_fusion.int8", "unet_1kv.fp16"]
)
def test_other_networks_are_refused(name: str) -> None:
    """With what to give instead."""
    with pytest.raises(ModelMismatchError, match=r"cannot be fine-tuned.*late_fusion\.onnx"):
        tunable(ZOO / f"{name}.onnx")


def test_a_copy_that_learns_nothing_labels_as_the_file_does(tmp_path) -> None:
    """At a rate of almost nothing; only its calibration may change, which is taken back here."""
    path = ZOO / "unet_2kv.onnx"
    scenes = prepared_scenes(
        synthetic_scenes(range(70_010, 70_012), LIKE, SIZE, lambda _line: None), Normalisation()
    )
    settings = TrainingSettings(
        voltages_kv=(2.0,),
        patch_px=32,
        size=SIZE,
        recipe=Recipe(batch=8, steps=1, epochs=1, learning_rate=1e-9),
        threads=1,
        device="cpu",
    )
    told: list[str] = []
    tuned = fine_tune(path, settings, Material(scenes, scenes, []), tmp_path, told.append)
    inputs, _ = blocks_of(settings, scenes, [0])
    with torch.inference_mode():
        added = torch.tensor(tuned.calibration.offsets)[:, None, None]
        found = (tuned.network.logits(inputs) - added).argmax(dim=1).numpy()
    expected = open_segmenter(path).runner.run(inputs.numpy()[:, None]).argmax(axis=1)
    assert (found == expected).mean() > 0.97  # statistics of normalisations are those of one batch
    assert 0.2 <= tuned.calibration.temperature <= 5.0
    assert len(told) == len(tuned.history) == 1
