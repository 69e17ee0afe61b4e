"""What ``slicewatch adapt`` reads, and what it says of what it cannot read."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon.adapt.adapting import READ_FROM, adapt_to, faces_of
from daemon.adapt.faces import Faces, acquired_faces
from daemon.adapt.source import configuration_of
from daemon.config import load
from daemon.emulator import EmulatorSettings, configuration_table, emulate
from daemon.emulator.settings import RecordingDesign
from daemon.errors import ConfigurationError, FolderError
from daemon.toml_text import toml_text
from models.errors import ModelMismatchError

SETTINGS = EmulatorSettings(
    slices=3, height=288, width=400, seed=5, voltages_kv=(2.0,), recording=RecordingDesign(fib_every=0)
)
FACES = Faces(wanted=3, fewest=2)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Three slices of 2 kV."""
    folder = tmp_path_factory.mktemp("acquisition") / "project"
    emulate(SETTINGS, folder, sleep=lambda _s: None)
    return folder


@pytest.fixture
def configured(project: Path, tmp_path: Path):
    """Writes a configuration of the project, tables changed by keyword; where it lies."""

    def write(**tables: dict[str, Any]) -> Path:
        table = configuration_table(SETTINGS, project, tmp_path / "output")
        for name, keys in tables.items():
            table[name] = {**table.get(name, {}), **keys}
        path = tmp_path / "run.toml"
        path.write_text(toml_text(table), encoding="utf-8")
        return path

    return write


def read(config: Path, faces: Faces = FACES):
    told: list[str] = []
    return acquired_faces(load(config), faces, told.append), told


def test_faces_are_read_and_registered_as_a_run_does_it(project: Path, configured) -> None:
    """The region of interest of every slice, its pixels as the tilt shows them; neighbours look alike."""
    acquired, told = read(configured())
    roi = load(configured()).geometry.roi
    assert acquired.images.shape == (3, 1, roi.height, roi.width)
    assert acquired.images.dtype == np.uint8
    assert acquired.voltages_kv == (2.0,)
    assert acquired.pixel_nm == pytest.approx((3.26 / np.sin(np.radians(52)), 3.26))
    assert acquired.thickness_nm[0] == pytest.approx(10, rel=0.5)
    first, second = (image.astype(float).ravel() for image in acquired.images[:2, 0])
    assert np.corrcoef(first, second)[0, 1] > 0.5
    assert len(told) == 3


def test_only_as_many_slices_are_read_as_are_wanted(configured) -> None:
    """From the first one on."""
    acquired, told = read(configured(), Faces(wanted=2, fewest=2))
    assert len(acquired.images) == len(told) == 2


def test_a_slice_that_is_damaged_is_passed_over(project: Path, configured, tmp_path) -> None:
    """As a gap; the slices behind it are read."""
    damaged = tmp_path / "damaged"
    shutil.copytree(project, damaged)
    (second,) = damaged.glob("Images/SEM Image/*002.tif")
    second.write_bytes(second.read_bytes()[:5000])
    config = configured(run={"folder": str(damaged)})
    with pytest.raises(FolderError, match=r"2 whole slices"):
        read(config, Faces(wanted=3, fewest=3))


SMALL_ROI = {"roi": {"x": 10, "y": 92, "width": 100, "height": 100}}


@pytest.mark.parametrize(
    ("tables", "faces", "error", "said"),
    [
        ({}, Faces(9, 8), FolderError, "3 whole slices.*8 are needed.*Wait"),
        ({"geometry": {"pixel_size_nm": 20.0}}, FACES, ConfigurationError, "20 nm wide; .*pixel_size_nm"),
        ({"geometry": SMALL_ROI}, FACES, ConfigurationError, "100 × 100 px; .*larger geometry.roi"),
        ({"run": {"file_pattern": "nothing(?P<slice>\\d+)"}}, FACES, FolderError, "0 whole slices"),
    ],
    ids=["too few", "other pixels", "small region", "no image"],
)
def test_what_cannot_be_adapted_to_is_refused(configured, tables, faces, error, said) -> None:
    """With what to do."""
    with pytest.raises(error, match=said):
        read(configured(**tables), faces)


def test_faces_are_read_once_and_never_taken_for_others(project: Path, configured, tmp_path) -> None:
    """A later start takes what the first one read, if it asks for the same: folder, sections, slices."""
    out, told = tmp_path / "adapted", list[str]()
    out.mkdir()

    def faces(wanted: Faces = FACES, **tables: dict[str, Any]):
        return faces_of(load(configured(**tables)), wanted, out, told.append)

    first = faces()
    again = faces(publish={"events": "tcp://127.0.0.1:7001"})
    assert np.array_equal(again.images, first.images)
    assert told[-1].startswith("3 faces were read before")
    with pytest.raises(ConfigurationError, match="of another slices"):
        faces(Faces(wanted=2, fewest=2))
    with pytest.raises(ConfigurationError, match=r"of another geometry.*another --out"):
        faces(geometry=SMALL_ROI)
    moved = tmp_path / "moved"
    shutil.copytree(project, moved)
    with pytest.raises(ConfigurationError, match="of another folder"):
        faces(run={"folder": str(moved)})
    for damaged in ('{"folder": ', "[]"):
        (out / READ_FROM).write_text(damaged, encoding="utf-8")
        with pytest.raises(ConfigurationError, match="of another folder, file_pattern"):
            faces()
    (out / READ_FROM).unlink()
    with pytest.raises(ConfigurationError, match="of another folder, file_pattern"):
        faces()


def test_a_network_that_cannot_learn_is_refused_before_anything_is_read(project: Path, configured) -> None:
    """A forest, say."""
    forest = Path(__file__).parents[2] / "models" / "zoo" / "electrode_forest.onnx"
    with pytest.raises(ModelMismatchError, match="cannot be fine-tuned"):
        adapt_to(project, project.parent / "out", configured(), forest, 24, quick=True)


def test_a_channel_without_a_voltage_is_refused(configured) -> None:
    """Nothing can be rendered like it."""
    path = configured()
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("voltage_kv = 2.0", 'detector = "TLD"'), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"told apart by their detectors.*train forest"):
        read(path)


def test_a_folder_that_is_not_there_is_told(tmp_path) -> None:
    """Before anything is read."""
    with pytest.raises(FolderError, match=r"no such folder.*mount the share"):
        adapt_to(tmp_path / "nowhere", tmp_path / "out", None, None, 24, quick=True)


def test_an_acquisition_without_a_configuration_is_refused(project: Path) -> None:
    """Nobody knows its channels and fiducials; ``calibrate`` finds them."""
    with pytest.raises(ConfigurationError, match="--config; `slicewatch calibrate`"):
        configuration_of(project, None)


def test_an_acquisition_that_was_moved_is_read_where_it_is_now(project: Path, configured, tmp_path) -> None:
    """The folder of the command line counts, not the configured one."""
    moved = tmp_path / "moved"
    shutil.copytree(project, moved)
    config = configured(run={"folder": str(tmp_path / "before")})
    assert configuration_of(moved, config).run.folder == moved


def test_the_adapted_network_does_not_go_into_the_acquisition(project: Path, configured) -> None:
    """Its files are not ours to add to."""
    with pytest.raises(ConfigurationError, match="inside the acquisition folder"):
        adapt_to(project, project / "adapted", configured(), None, 24, quick=True)


def test_two_voltages_without_a_network_of_both_need_a_choice(tmp_path) -> None:
    """A run uses a network for each; which of them is to be adapted is said by a person."""
    both = replace(SETTINGS, voltages_kv=(1.0, 2.0))
    table = configuration_table(both, tmp_path / "project", tmp_path / "output")
    (tmp_path / "project").mkdir()
    (tmp_path / "run.toml").write_text(toml_text(table), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"2 networks together.*--model"):
        adapt_to(tmp_path / "project", tmp_path / "out", tmp_path / "run.toml", None, 24, quick=True)
