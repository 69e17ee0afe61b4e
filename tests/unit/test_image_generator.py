"""The generator in ONNX Runtime: what it computes, seams, sizes, and files that are something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from models.errors import ModelFileCorruptError, ModelFileMissingError, ModelMetadataInvalidError
from models.gan_images import CARD_SEEDS, FaceDesign, fast_face
from models.gan_shipping import export_generator
from models.gan_training import GanSettings, TrainedGenerator, from_contrast, to_network
from models.image_generator import generator_path, known_voltages_kv, open_generator
from models.stated import PREFIX
from models.translation_networks import REACH_PX, ImageCycle

ZOO = Path(__file__).parents[2] / "models" / "zoo"
SETTINGS = GanSettings(filters=4, discriminator_filters=4)


@pytest.fixture(scope="module")
def cycle() -> ImageCycle:
    """Random weights: what it computes does not matter here."""
    torch.manual_seed(0)
    return ImageCycle(4, 4).eval()


@pytest.fixture(scope="module")
def exported(cycle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 2 kV."""
    path = generator_path(tmp_path_factory.mktemp("generators"), 2.0)
    export_generator(TrainedGenerator(cycle, (), "0" * 64), SETTINGS, 2.0, path)
    return path


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return fast_face(FaceDesign(side_px=203), 2.0, CARD_SEEDS[5])[:, :171]


def test_the_file_says_what_it_is_and_nothing_of_the_machine(exported: Path) -> None:
    """Voltage, voxel, electrons, reach; found by its voltage."""
    spec = open_generator(exported).spec
    assert (spec.voltage_kv, spec.voxel_nm, spec.electrons, spec.reach_px) == (2.0, 2.5, 60, REACH_PX)
    assert spec.torch_difference <= 1e-4
    assert known_voltages_kv(exported.parent) == (2.0,)
    content = exported.read_bytes()
    for trace in (b"site-packages", b"python3", b"stack_trace", b'File "', b"/home/", b"/root/"):
        assert trace not in content


def test_it_makes_of_any_face_what_torch_makes(exported: Path, cycle, face: np.ndarray) -> None:
    """Sides that are no multiple of the stride; inside, where no edge is repeated, to 1e-4; shares only."""
    made = open_generator(exported)(face)
    assert made.shape == face.shape
    assert 0 <= made.min() <= made.max() <= 1
    even = np.ascontiguousarray(face[:200, :168])
    with torch.inference_mode():
        expected = from_contrast(cycle.there(to_network(even[None])))[0, 0].clamp(0, 1).numpy()
    inside = slice(0, 168 - REACH_PX), slice(0, 168 - REACH_PX)
    np.testing.assert_allclose(made[inside], expected[inside], atol=1e-4)


@pytest.mark.parametrize("threads", [1, 2])
def test_tiles_and_threads_leave_no_seam(exported: Path, face: np.ndarray, threads: int) -> None:
    """Cut into tiles of the smallest size, the image is the same."""
    whole = open_generator(exported)(face)
    cut = open_generator(exported, largest_tile_px=2 * REACH_PX + 16, threads=threads)(face)
    np.testing.assert_allclose(cut, whole, atol=1e-6)


def test_what_is_no_generator_is_refused(exported: Path, tmp_path: Path) -> None:
    """Another network, one that lies about itself, a damaged file, none."""
    with pytest.raises(ModelMetadataInvalidError, match="slicewatch train gan"):
        open_generator(ZOO / "inpainting.onnx")
    for key, lie, said in (
        ("voxel_nm", "-1", "voxel_nm"),
        ("reach_px", "0", "sees farther than its reach_px 0"),
    ):
        model = onnx.load(exported)
        for entry in model.metadata_props:
            if entry.key == f"{PREFIX}{key}":
                entry.value = lie
        onnx.save(model, tmp_path / "gan_2kv.onnx")
        with pytest.raises(ModelMetadataInvalidError, match=said):
            open_generator(tmp_path / "gan_2kv.onnx")
    damaged = tmp_path / "gan_4kv.onnx"
    damaged.write_bytes(exported.read_bytes()[:-10])
    with pytest.raises(ModelFileCorruptError):
        open_generator(damaged)
    with pytest.raises(ModelFileMissingError):
        open_generator(tmp_path / "gan_1kv.onnx")
