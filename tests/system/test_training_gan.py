"""``slicewatch train gan`` and what its generators are for, ``slicewatch synthesize slices --method gan``."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

from daemon.cli import app
from daemon.errors import ConfigurationError
from daemon.stages.segmenting import ZOO
from models.image_generator import open_generator

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(300)]


def invoke(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A quick training of 1 kV."""
    out = tmp_path_factory.mktemp("generators")
    done = invoke("train", "gan", "--out", str(out), "--quick")
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def structure(tmp_path_factory) -> Path:
    """A small sample of voxels that the generator knows."""
    out = tmp_path_factory.mktemp("sample") / "structure"
    sizes = ["--size", "64", "72", "80", "--voxel", "2.5", "--ligament", "30", "--ligament", "10"]
    assert invoke("synthesize", "structure", str(out), *sizes).exit_code == 0
    return out / "structure.ome.zarr"


def slices(out: Path, structure: Path, generators: Path, *options: str):
    given = ["--structure", str(structure), "--method", "gan", "--generators", str(generators)]
    return invoke("synthesize", "slices", str(out), *given, "--slices", "2", *options)


def images(out: Path) -> np.ndarray:
    return np.asarray(zarr.open_array(str(out / "1kV.ome.zarr" / "0"), mode="r")[:])


def test_a_training_leaves_generator_card_curve_and_samples(trained: Path) -> None:
    """The card tells the file's checksum, how like Monte Carlo it is, and the settings; a start goes on."""
    spec = open_generator(trained / "gan_1kv.onnx").spec
    card = (trained / "gan_1kv.md").read_text(encoding="utf-8")
    assert spec.sha256 in card
    assert "| fast image |" in card
    assert "slicewatch train gan" in card
    assert (trained / "gan_curves.png").is_file()
    assert sorted(path.name for path in (trained / "samples").iterdir()) == [
        "gan_1kv_001.png",
        "gan_1kv_002.png",
    ]
    before = (trained / "gan_1kv.onnx").read_bytes()
    assert invoke("train", "gan", "--out", str(trained), "--quick").exit_code == 0
    assert (trained / "gan_1kv.onnx").read_bytes() == before


def test_slices_by_a_generator_are_counts_and_repeat_on_any_threads(trained, structure, tmp_path) -> None:
    """Of so many electrons, with their noise; gold is brighter; the same seed gives the same bytes."""
    common = ("--voltage", "1", "--electrons", "500", "--seed", "4")
    for name, threads in (("one", "1"), ("two", "2")):
        done = slices(tmp_path / name, structure, trained, *common, "--threads", threads)
        assert done.exit_code == 0, done.output
    counted = images(tmp_path / "one")
    np.testing.assert_array_equal(counted, images(tmp_path / "two"))
    phases = np.asarray(zarr.open_array(str(structure / "0"), mode="r")[0])
    gold, pore = (counted[0][phases == phase].mean() for phase in (1, 0))
    assert gold > 1.5 * pore
    assert counted.max() <= 500


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--voltage", "3"), "there is no generator for 3 kV"), (("--pixel", "5"), "a pixel a voxel")],
    ids=["voltage", "pixels"],
)
def test_what_no_generator_knows_is_refused(trained, structure, tmp_path, options, said) -> None:
    """With what to do."""
    done = slices(tmp_path / "out", structure, trained, *options)
    assert isinstance(done.exception, ConfigurationError)
    assert said in str(done.exception)


def test_voxels_of_another_size_are_refused(trained, tmp_path) -> None:
    """A generator knows a scale."""
    out = tmp_path / "coarse"
    sizes = ["--size", "40", "40", "40", "--voxel", "4", "--ligament", "40", "--ligament", "16"]
    assert invoke("synthesize", "structure", str(out), *sizes).exit_code == 0
    done = slices(tmp_path / "out", out / "structure.ome.zarr", trained, "--voltage", "1")
    assert "--voxel 2.5" in str(done.exception)


def test_a_generator_counts_by_what_its_file_says(structure, tmp_path) -> None:
    """Under the name of another voltage it is refused, beside a stray name it is found; another one in its
    place does not go on with what the first began."""
    mine = tmp_path / "mine"
    mine.mkdir()
    shutil.copy(ZOO / "gan_4kv.onnx", mine / "gan_1kv.onnx")
    shutil.copy(ZOO / "gan_2kv.onnx", mine / "gan_2kv.onnx")
    (mine / "gan_oldkv.onnx").write_bytes(b"")
    refused = slices(tmp_path / "out", structure, mine, "--voltage", "2", "--voltage", "1")
    assert "is one for 4 kV, whatever its name says" in str(refused.exception)
    assert not (tmp_path / "out").exists()
    assert slices(tmp_path / "out", structure, mine, "--voltage", "2").exit_code == 0
    with (mine / "gan_2kv.onnx").open("ab") as file:
        file.write(b"\x9a\x06\x00")
    other = slices(tmp_path / "out", structure, mine, "--voltage", "2")
    assert "slices of another kind" in str(other.exception)
