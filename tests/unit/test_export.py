"""What is exported opens elsewhere with the right voxels, sizes and units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from daemon.cli import app
from daemon.errors import ConfigurationError, FolderError
from daemon.export import export
from daemon.volume_store import halved, open_volume


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """An output folder with a volume of 70 planes, more than a slab, and its labels."""
    labels = (np.random.default_rng(2).random((70, 30, 300)) < 0.2).astype(np.uint8)
    store = open_volume(tmp_path / "volume.ome.zarr", (30, 300), 2.5, 2, {})
    store.append(0, labels)
    store.close()
    return tmp_path, labels


def test_the_stack_is_imagejs_and_calibrated(stored, tmp_path):
    """Planes, voxel size in all three directions and the unit are those of the volume."""
    output, labels = stored
    export(output, tiff=tmp_path / "v.tif", mesh=None, level=0)
    with tifffile.TiffFile(tmp_path / "v.tif") as file:
        assert file.is_imagej
        told = file.imagej_metadata
        assert told is not None
        assert (told["slices"], told["spacing"], told["unit"]) == (70, 2.5, "nm")
        assert file.series[0].axes == "ZYX"
        numerator, denominator = file.pages[0].tags["XResolution"].value
        assert denominator / numerator == pytest.approx(2.5)
        np.testing.assert_array_equal(file.asarray(), labels)


def test_a_coarser_level_has_its_own_voxels(stored, tmp_path):
    """Level 1 has half the planes and twice the voxel."""
    output, labels = stored
    export(output, tiff=tmp_path / "v.tif", mesh=None, level=1)
    with tifffile.TiffFile(tmp_path / "v.tif") as file:
        assert file.imagej_metadata is not None
        assert file.imagej_metadata["spacing"] == 5.0
        np.testing.assert_array_equal(file.asarray(), halved(labels, 2))


@pytest.mark.parametrize("ending", ["stl", "PLY"])
def test_the_command_writes_a_mesh(stored, tmp_path, ending):
    """``slicewatch export --mesh`` says how many triangles it wrote; the file is not empty."""
    target = tmp_path / f"s.{ending}"
    result = CliRunner().invoke(app, ["export", str(stored[0]), "--mesh", str(target), "--level", "1"])
    assert result.exit_code == 0
    assert "triangles, lengths in nm" in result.stdout
    assert target.stat().st_size > 10_000


def test_a_mesh_of_a_coarser_level_lies_where_the_fine_one_does(tmp_path):
    """A ball has its centre at the same place in nm, whatever level its surface is made of."""
    z, y, x = np.ogrid[:40, :40, :300]
    labels = ((z - 19.5) ** 2 + (y - 19.5) ** 2 + (x - 19.5) ** 2 <= 15.0**2).astype(np.uint8)
    store = open_volume(tmp_path / "volume.ome.zarr", (40, 300), 2.5, 2, {})
    store.append(0, labels)
    store.close()
    for level in (0, 1):
        export(tmp_path, tiff=None, mesh=tmp_path / "s.stl", level=level)
        facet = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
        corners = np.fromfile(tmp_path / "s.stl", facet, offset=84)["corners"].reshape(-1, 3)
        middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
        np.testing.assert_allclose(middle, 19.5 * 2.5, atol=1e-3)


def test_what_cannot_be_exported_is_said(stored, tmp_path):
    """No volume, no such level, no target and an unknown format are told apart."""
    output, _ = stored
    with pytest.raises(FolderError, match="no volume with level 0"):
        export(tmp_path / "elsewhere", tiff=tmp_path / "v.tif", mesh=None, level=0)
    with pytest.raises(FolderError, match="level 7"):
        export(output, tiff=tmp_path / "v.tif", mesh=None, level=7)
    with pytest.raises(ConfigurationError, match="nothing to export"):
        export(output, tiff=None, mesh=None, level=0)
    with pytest.raises(ConfigurationError, match=r"not '\.obj'"):
        export(output, tiff=None, mesh=tmp_path / "s.obj", level=0)
