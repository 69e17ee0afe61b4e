"""The inpainting network in ONNX Runtime: seams, sizes, and files that are something else."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from algorithms.plane_inpainting import MAPS, plane_inpainting
from daemon.config import parse
from daemon.stages.filling import Filling, open_filling
from models.architectures import REACH_PX
from models.errors import (
    ModelError,
    ModelFileCorruptError,
    ModelFileMissingError,
    ModelMetadataInvalidError,
)
from models.fitting import Recipe
from models.inpainter import open_inpainter
from models.inpainting import PlaneInpainter
from models.inpainting_shipping import export_inpainter, ship_inpainting
from models.inpainting_training import InpaintingSettings, TrainedInpainter
from models.mimicking import MimickingSettings
from models.mimicking_sets import Scale
from models.origin import Origin
from models.session import open_segmenter
from models.stated import PREFIX

ZOO = Path(__file__).parents[2] / "models" / "zoo"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow network with random weights: what it computes does not matter here."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("net") / "inpainting.onnx"
    trained = TrainedInpainter(PlaneInpainter(filters=4).eval(), (), "0" * 64)
    export_inpainter(trained, InpaintingSettings(filters=4), path)
    return path


def test_tiles_leave_no_seams(exported: Path) -> None:
    """Cut into tiles or whole, sides that fit the stride or not: the same probabilities."""
    maps = np.random.default_rng(0).normal(size=(MAPS, 203, 331)).astype(np.float32)
    whole = open_inpainter(exported, largest_tile_px=512)(maps)
    tiled = open_inpainter(exported, largest_tile_px=2 * REACH_PX + 48)(maps)
    assert whole.shape == (2, 203, 331)
    np.testing.assert_allclose(whole.sum(axis=0), 1.0, atol=1e-5)
    np.testing.assert_allclose(tiled, whole, atol=2e-6)


def test_a_plane_smaller_than_the_stride_is_painted(exported: Path) -> None:
    """A region of interest may be tiny."""
    assert open_inpainter(exported)(np.zeros((MAPS, 3, 5), dtype=np.float32)).shape == (2, 3, 5)


def test_a_segmenter_is_no_inpainter_nor_the_other_way_round() -> None:
    """Each refuses the other's file and says what to use."""
    with pytest.raises(ModelMetadataInvalidError, match=r"inpainting\.onnx"):
        open_inpainter(ZOO / "unet_1kv.onnx")
    with pytest.raises(ModelMetadataInvalidError, match="models/zoo"):
        open_segmenter(ZOO / "inpainting.onnx")


LIES = {
    "stride 0": ({"stride_px": "0"}, "stride_px: Input should be greater than or equal to 1"),
    "half of the stride": ({"stride_px": "4"}, "cannot be run on tiles"),
    "a reach beyond every tile": ({"reach_px": "8000"}, "768 px are too small"),
    "text for the grid": ({"grid_nm": '"fine"'}, "grid_nm: Input should be a valid number"),
    "other maps": ({"maps": "3"}, "and not 14 maps"),
}


@pytest.mark.parametrize("case", LIES)
def test_a_network_that_is_not_what_it_says_is_refused(tmp_path: Path, case: str) -> None:
    """What it says is checked, and tried out."""
    lies, said = LIES[case]
    model, path = onnx.load(ZOO / "inpainting.onnx"), tmp_path / "lie.onnx"
    for entry in model.metadata_props:
        entry.value = lies.get(entry.key.removeprefix(PREFIX), entry.value)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=rf"{said}.*lie\.onnx.*models/zoo"):
        open_inpainter(path)


def test_a_damaged_file_is_refused(exported: Path, tmp_path: Path) -> None:
    """Its checksum tells."""
    damaged = tmp_path / exported.name
    content = bytearray(exported.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    (tmp_path / f"{exported.name}.sha256").write_bytes(
        exported.with_name(f"{exported.name}.sha256").read_bytes()
    )
    with pytest.raises(ModelFileCorruptError):
        open_inpainter(damaged)


def test_the_configuration_opens_its_network(exported: Path, tmp_path: Path) -> None:
    """``interpolation = "inpaint"`` fills with the configured file and says which; another kind of network is
    refused, a missing one by its path."""
    table = {
        "run": {"folder": str(tmp_path), "output": str(tmp_path / "out")},
        "channels": [{"name": "1kV", "voltage_kv": 1.0}],
        "segmentation": {"providers": ["CPUExecutionProvider"]},
    }

    def filling(model: Path) -> Filling:
        volume = {"interpolation": "inpaint", "inpainting_model": str(model)}
        return open_filling(parse({**table, "volume": volume}, where=tmp_path / "c.toml"), cores=1)

    slices = np.arange(6, dtype=np.int64) * 4
    labels = np.random.default_rng(0).integers(0, 2, (6, 20, 30)).astype(np.uint8)
    opened, planes = filling(exported), np.asarray([9, 10, 11])
    assert opened.sha256 == open_inpainter(exported).spec.sha256
    (expected,) = plane_inpainting(open_inpainter(exported)).fill(slices, labels, planes)
    (filled,) = opened.interpolation.fill(slices, labels, planes)
    np.testing.assert_array_equal(filled, expected)
    with pytest.raises(ModelMetadataInvalidError, match="its task is not 'inpainting'"):
        filling(ZOO / "unet_1kv.onnx")
    with pytest.raises(ModelFileMissingError, match=r"nowhere\.onnx"):
        filling(tmp_path / "nowhere.onnx")


@pytest.mark.long
@pytest.mark.slow
def test_a_short_training_learns_and_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From nothing to a file that opens: the loss on structures it never saw falls, the card names the file's
    checksum, and a second start trains no more and exports the same network."""
    monkeypatch.setattr("models.inpainting_shipping.CARD_SCALE", Scale(1, 1, 8, 64))
    settings = InpaintingSettings(
        volumes=MimickingSettings(structures=2, blocks=1, side_voxels=72),
        filters=4,
        patch_px=32,
        validation_patches=32,
        recipe=Recipe(batch=16, steps=15, epochs=3, learning_rate=3e-3, cross_entropy_weight=1.0),
    )
    told: list[str] = []
    spec = ship_inpainting(settings, tmp_path, Origin("test", "2026-11-20"), told.append)
    assert spec == open_inpainter(tmp_path / "inpainting.onnx").spec
    assert spec.sha256 in (tmp_path / "inpainting.md").read_text(encoding="utf-8")
    losses = [float(line.split("validation ")[1].split(" ")[0]) for line in told if "validation " in line]
    assert losses[-1] < losses[0]
    assert ship_inpainting(settings, tmp_path, Origin("test", "2026-11-20"), told.append) == spec
