"""Any face can be seen again: the image as it was registered, and nothing that was not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.certainty import coarse_certainty, read_certainty
from daemon.config import Configuration, parse
from daemon.emulator import EmulatorSettings, configuration_table, emulate
from daemon.errors import JournalError, WireError
from daemon.faces import SeenFaces, SeenImage
from daemon.frame_shelf import open_shelf
from daemon.geometry import FaceGeometry
from daemon.growing_array import open_growing_array
from daemon.items import FileReady
from daemon.outputs import Outputs, open_faces
from daemon.reader import read_frame
from daemon.requests import ReadFace

SETTINGS = EmulatorSettings(slices=1, height=256, width=320, seed=4)
SHIFT_PX = (3.0, -2.0)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One emulated slice."""
    folder = tmp_path_factory.mktemp("faces") / "project"
    emulate(SETTINGS, folder, sleep=lambda _s: None)
    return folder


@pytest.fixture
def configuration(project: Path, tmp_path: Path) -> Configuration:
    """A run of it."""
    table = configuration_table(SETTINGS, project, tmp_path / "output")
    return parse(table, where=tmp_path / "run.toml")


@pytest.fixture
def faces(configuration: Configuration) -> SeenFaces:
    """The faces of the run, none seen yet."""
    faces = SeenFaces(configuration, Outputs(configuration.run.output), open_shelf(configuration))
    faces.geometry = FaceGeometry(3.26, 4.137, 0.2)
    return faces


def _image(project: Path) -> Path:
    return next(path for path in sorted(project.glob("Images/SEM Image/*.tif")))


def _seen(faces: SeenFaces, configuration: Configuration, path: Path) -> None:
    stat = path.stat()
    shelf = open_shelf(configuration)
    frame = read_frame(FileReady(path, stat.st_size, stat.st_mtime_ns), shelf.pattern, shelf.sidecar)
    faces.add(1, {"1kV": SeenImage(str(path), frame.sha256, *SHIFT_PX)})


def test_an_image_comes_back_moved_as_it_was(
    faces: SeenFaces, configuration: Configuration, project: Path
) -> None:
    """Pixel for pixel where the shift is whole; any block of it, with its place in the frame."""
    _seen(faces, configuration, _image(project))
    raw = tifffile.imread(_image(project))
    block = faces.read(ReadFace(slice=1, layer="image/1kV", y=20, x=30, height=40, width=50))
    np.testing.assert_array_equal(block.pixels, raw[17:57, 32:82])
    assert (block.layer_shape, block.origin_px, block.pixel_nm) == (raw.shape, (0, 0), (4.137, 3.26))


def test_a_coarse_image_is_the_mean_of_its_blocks(
    faces: SeenFaces, configuration: Configuration, project: Path
) -> None:
    """A step averages, so that noise falls as it does for the eye."""
    _seen(faces, configuration, _image(project))
    fine = faces.read(ReadFace(slice=1, layer="image/1kV")).pixels.astype(float)
    coarse = faces.read(ReadFace(slice=1, layer="image/1kV", step=4)).pixels
    expected = fine.reshape(64, 4, 80, 4).mean(axis=(1, 3))
    assert np.abs(coarse - expected).max() <= 0.5


def test_final_labels_come_from_the_store(faces: SeenFaces, configuration: Configuration) -> None:
    """The labels of the region of interest, with where it begins."""
    roi = configuration.geometry.roi
    labels = np.random.default_rng(0).integers(0, 2, (roi.height, roi.width), dtype=np.uint8)
    open_faces(Outputs(configuration.run.output), labels.shape).write(0, labels[None])
    faces.settle(7, 0)
    block = faces.read(ReadFace(slice=7, layer="labels"))
    np.testing.assert_array_equal(block.pixels, labels)
    assert block.origin_px == (roi.y, roi.x)


def test_how_sure_the_network_was_comes_back_of_any_final_face(
    faces: SeenFaces, configuration: Configuration
) -> None:
    """To one part in 28, at full size and in a part of the face; what was not kept is refused."""
    roi = configuration.geometry.roi
    solid = np.random.default_rng(1).random((roi.height, roi.width), dtype=np.float32)
    outputs = Outputs(configuration.run.output)
    kept = coarse_certainty(solid)
    open_growing_array(outputs.certainty / "0", kept.shape).write(1, kept[None])
    for order, index in enumerate((7, 8, 9)):
        faces.settle(index, order)
    block = faces.read(ReadFace(slice=8, layer="solid", y=4, x=6, height=20, width=30))
    assert block.layer_shape == solid.shape
    assert block.origin_px == (roi.y, roi.x)
    assert np.abs(block.pixels / 255.0 - solid[4:24, 6:36]).max() <= 0.5 / 14 + 1 / 255
    for index in (7, 9):
        with pytest.raises(WireError, match="has no 'solid'"):
            faces.read(ReadFace(slice=index, layer="solid"))


def test_a_large_face_is_kept_no_larger_than_a_screen(tmp_path: Path) -> None:
    """Blocks are averaged, the right block comes back to every pixel, and a margin takes its neighbour's."""
    solid = np.zeros((1000, 1601), np.float32)
    solid[:, 900:] = 1.0
    kept = coarse_certainty(solid)
    assert kept.shape == (333, 533)
    assert set(np.unique(kept)) == {1, 15}
    open_growing_array(tmp_path / "0", kept.shape).write(0, kept[None])
    back = read_certainty(tmp_path, 0, solid.shape)
    assert back is not None
    np.testing.assert_array_equal(back, 255 * solid)


@pytest.mark.parametrize("layer", ["image/1kV", "image/9kV", "labels", "solid", "nonsense"])
def test_what_was_never_seen_is_refused(faces: SeenFaces, layer: str) -> None:
    """A slice or layer that is not there is an error that says so, not a black picture."""
    with pytest.raises(WireError, match="slice 99 has no"):
        faces.read(ReadFace(slice=99, layer=layer))


def test_a_file_that_has_changed_is_not_shown(
    faces: SeenFaces, configuration: Configuration, project: Path, tmp_path: Path
) -> None:
    """What is shown is what was measured, or nothing."""
    copy = tmp_path / _image(project).name
    copy.write_bytes(_image(project).read_bytes())
    _seen(faces, configuration, copy)
    pixels = tifffile.imread(copy)
    tifffile.imwrite(copy, pixels + np.uint8(1))
    with pytest.raises(JournalError):
        faces.read(ReadFace(slice=1, layer="image/1kV"))


def test_a_block_outside_is_refused(faces: SeenFaces, configuration: Configuration, project: Path) -> None:
    """No empty pictures."""
    _seen(faces, configuration, _image(project))
    with pytest.raises(WireError, match="outside"):
        faces.read(ReadFace(slice=1, layer="image/1kV", y=5000))
