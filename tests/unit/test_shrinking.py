"""Scenes are shared by those who want the same ones, and by nobody else; what cannot shrink is refused."""

import numpy as np
import pytest

from daemon.shrinking import shrink_network
from daemon.stages.segmenting import ZOO
from models.datasets import prepare_scenes, scene_name
from models.errors import CheckpointDamagedError, ModelMismatchError
from models.normalisation import Normalisation
from models.scenes import VALIDATION_SEEDS, SceneSize, render_scene

SEED = VALIDATION_SEEDS[0]
SIZE = SceneSize(blocks=1, block_px=32, slices=2)
OTHERS = {
    "another voltage": ((2.0,), SIZE),
    "a voltage more": ((1.0, 2.0), SIZE),
    "another order": ((4.0, 1.0), SIZE),
    "another size": ((1.0,), SceneSize(blocks=1, block_px=40, slices=2)),
}


def unheard(*_):
    """Nobody waits for a scene of this size."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """In which scenes of 1 kV, and of 1 and 4 kV, are kept already."""
    kept = tmp_path_factory.mktemp("scenes")
    for voltages_kv in ((1.0,), (1.0, 4.0)):
        write_scene(kept, voltages_kv, SIZE)
    return kept


def write_scene(kept, voltages_kv, size):
    scene = render_scene(SEED, voltages_kv, size)
    np.savez_compressed(
        kept / scene_name(SEED, voltages_kv, size),
        images=scene.images,
        labels=scene.labels,
        block_px=scene.block_px,
        square_pixels=scene.square_pixels,
    )


@pytest.mark.parametrize("case", OTHERS)
def test_scenes_of_other_voltages_or_sizes_are_not_taken_for_these(folder, case):
    """The seed alone does not say what a scene shows."""
    voltages_kv, size = OTHERS[case]
    assert not (folder / scene_name(SEED, voltages_kv, size)).exists()
    write_scene(folder, voltages_kv, size)
    (found,) = prepare_scenes(folder, [SEED], voltages_kv, size, Normalisation(), unheard)
    np.testing.assert_array_equal(found.scene.images, render_scene(SEED, voltages_kv, size).images)
    assert found.scene.images.shape[1] == len(voltages_kv)


def test_scenes_that_are_there_are_read(folder):
    """Whole numbers are voltages as well."""
    (found,) = prepare_scenes(folder, [SEED], (1,), SIZE, Normalisation(), pytest.fail)
    np.testing.assert_array_equal(found.scene.images, render_scene(SEED, (1.0,), SIZE).images)


@pytest.mark.parametrize("length", [0, 100, 1000])
def test_a_damaged_scene_is_told_with_the_remedy(tmp_path, length):
    """Cut anywhere."""
    write_scene(tmp_path, (1.0,), SIZE)
    path = tmp_path / scene_name(SEED, (1.0,), SIZE)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointDamagedError, match=r"damaged.*scene_20000_.*Remove this file"):
        prepare_scenes(tmp_path, [SEED], (1.0,), SIZE, Normalisation(), unheard)


NOT_TO_SHRINK = {
    "electrode_forest.onnx": r"a forest has no weights.*fewer trees",
    "unet_1kv.int8.onnx": r"a variant already: int8.*Give the network",
    "late_fusion.fp16.onnx": r"a variant already: fp16.*Give the network",
}


@pytest.mark.parametrize("name", NOT_TO_SHRINK)
def test_what_cannot_shrink_is_refused_before_anything_is_rendered(tmp_path, name):
    """With the remedy; no file appears."""
    path = tmp_path / name
    path.write_bytes((ZOO / name).read_bytes())
    with pytest.raises(ModelMismatchError, match=NOT_TO_SHRINK[name]):
        shrink_network(path, tmp_path / "scenes", pytest.fail)
    assert [file.name for file in tmp_path.iterdir()] == [name]
