"""What a network knows, on disk beside it: whole, the network's own, shared by its variants, or refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from daemon.cli import app
from models.domain import domain_path, read_domain
from models.errors import ModelFileCorruptError, ModelMismatchError
from models.normalisation import Normalisation

ZOO = Path(__file__).parents[2] / "models" / "zoo"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A network of one voltage with what it knows, to be damaged."""
    for name in ("unet_1kv.onnx", "unet_1kv.onnx.sha256", "unet_1kv.domain.json"):
        shutil.copy(ZOO / name, tmp_path / name)
    return tmp_path / "unet_1kv.onnx"


@pytest.mark.parametrize(
    "name", sorted(path.name for kind in ("unet_*", "*_fusion*") for path in ZOO.glob(f"{kind}.onnx"))
)
def test_every_shipped_segmenter_knows_the_images_of_its_channels(name: str) -> None:
    """Its variants too, by the same file; limits a few standard deviations away."""
    channels = read_domain(ZOO / name)
    assert channels
    assert all(1.5 < channel.limit < 5 for channel in channels)


def test_a_network_that_nobody_has_asked_knows_nothing(network: Path) -> None:
    """No file, no comparison."""
    domain_path(network).unlink()
    assert read_domain(network) == ()


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields), encoding="utf-8")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"task": "inpainting"}, ModelFileCorruptError),
        ({"format": 2}, ModelFileCorruptError),
        ({"channels": []}, ModelMismatchError),
        ({"training_data_sha256": "0" * 64}, ModelMismatchError),
        (
            {"channels": [{"voltage_kv": 1.0, "limit": 2.0, "mean": [1.0], "whitening": [[1.0]]}]},
            ModelFileCorruptError,
        ),
    ],
    ids=["task", "format", "channels", "another training", "another shape"],
)
def test_a_file_that_is_another_is_refused_with_the_remedy(network: Path, fields: dict, error: type) -> None:
    """And so is one that is no JSON."""
    change(domain_path(network), **fields)
    with pytest.raises(error, match=r"slicewatch domain unet_1kv\.onnx"):
        read_domain(network)
    domain_path(network).write_bytes(b"\x00{")
    with pytest.raises(ModelFileCorruptError, match="or remove it"):
        read_domain(network)


def test_the_command_learns_it_anew(network: Path) -> None:
    """From other images than the shipped one: nearly the same figures, a limit of the same size."""
    shipped = read_domain(network)[0]
    done = CliRunner().invoke(app, ["domain", str(network), "--images", "96"])
    assert done.exit_code == 0, done.output
    (channel,) = read_domain(network)
    assert channel.normalisation == Normalisation()
    assert channel.limit == pytest.approx(shipped.limit, rel=0.5)
    np.testing.assert_allclose(channel.domain.mean, shipped.domain.mean, atol=0.3)


def test_what_cannot_be_rendered_is_refused() -> None:
    """A forest of electrodes."""
    done = CliRunner().invoke(app, ["domain", str(ZOO / "electrode_forest.onnx")])
    assert isinstance(done.exception, ModelMismatchError)
