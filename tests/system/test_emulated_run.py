"""An emulated run on a real disk: reproducible, paced, growing, with its truth out of the daemon's sight."""

import dataclasses
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from daemon.config import parse
from daemon.emulator import (
    FAULTS,
    EmulatorSettings,
    configuration_table,
    emulate,
    load_truth,
    parse_fault,
)
from daemon.errors import ConfigurationError, FolderError

SETTINGS = EmulatorSettings(slices=3, height=256, width=320, seed=5)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of three slices and its truth."""
    base = tmp_path_factory.mktemp("emulated")
    seen = []
    emulate(SETTINGS, base / "project", truth=base / "truth.npz", progress=lambda *step: seen.append(step))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    return base


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def image(folder: Path, position: str, number: int) -> Path:
    return folder / "Images" / position / f"{position} - SliceImage - {number:03d}.tif"


def test_a_project_has_the_layout_of_auto_slice_and_view(run):
    """A folder per voltage with the same numbers in each, ion images aside, project files on top."""
    names = set(contents(run / "project"))
    assert names == {
        "EMproject.emxml",
        "ProjectData.dat",
        "LogImages/Milling - 001.tif",
        "Images/FIB Image/FIB Image - SliceImage - 001.tif",
        *(
            f"Images/{folder}/{folder} - SliceImage - {number:03d}.tif"
            for folder in ("SEM Image", "SEM Image 2", "SEM Image 3")
            for number in (1, 2, 3)
        ),
    }


def test_the_first_folder_holds_the_reference_voltage(run):
    """Only the metadata tell the voltage; the ion image is told by its beam."""
    volts = []
    for folder in ("SEM Image", "SEM Image 2", "SEM Image 3", "FIB Image"):
        with tifffile.TiffFile(image(run / "project", folder, 1)) as file:
            volts.append((file.fei_metadata["Beam"]["Beam"], file.fei_metadata["Beam"]["HV"]))
    assert volts == [("EBeam", 2000), ("EBeam", 1000), ("EBeam", 4000), ("IBeam", 30000)]


def test_the_same_settings_give_the_same_bytes(run, tmp_path):
    """Every file of the project, time stamps included, and the truth's arrays; another seed gives others."""
    emulate(SETTINGS, tmp_path / "project", truth=tmp_path / "truth.npz")
    first, again = contents(run / "project"), contents(tmp_path / "project")
    assert first == again
    with np.load(run / "truth.npz") as one, np.load(tmp_path / "truth.npz") as two:
        assert all(
            np.array_equal(one[name], two[name], equal_nan=one[name].dtype.kind == "f") for name in one
        )


def test_project_data_lists_target_and_believed_thickness(run):
    """One entry a slice, in metres, "NaN" where the software does not know."""
    root = ElementTree.parse(run / "project" / "ProjectData.dat").getroot()  # noqa: S314 - our own file
    believed = [float(e.text or "") for e in root.iter("MeasuredThickness")]
    np.testing.assert_allclose(believed, load_truth(run / "truth.npz").reported_nm * 1e-9)
    assert [float(e.text or "") for e in root.iter("TargetThickness")] == [1e-8] * 3


def test_the_configuration_is_valid_and_fits_the_images(run, tmp_path):
    """What a user would write parses, and its boxes lie inside the picture."""
    table = configuration_table(SETTINGS, run / "project", tmp_path / "out")
    configuration = parse(table, where=tmp_path / "config.toml")
    assert configuration.channel_names == ("1kV", "2kV", "4kV")
    assert configuration.reference_channel == "2kV"
    assert configuration.run.expected_slices == 3
    assert configuration.ruler is not None
    assert len(configuration.ruler.marks) == 4
    for box in (configuration.geometry.roi, *configuration.fiducials):
        assert box.x + box.width <= 320
        assert box.y + box.height <= 256


def test_the_truth_describes_the_images(run):
    """Faces cut from the volume are the faces' labels, and gold is brighter than epoxy there."""
    truth = load_truth(run / "truth.npz")
    grid = truth.roi_grid
    cut = truth.volume_labels(truth.depths_nm[2:], grid.y_nm, grid.x_nm)[0]
    np.testing.assert_array_equal(cut, truth.face_labels(2))
    np.testing.assert_array_equal(truth.labels[2], cut)
    assert truth.labels.shape == (3, grid.height, grid.width)
    np.testing.assert_array_equal(truth.shifts_px[0, truth.channel_names.index("2kV")], [0.0, 0.0])
    shown = tifffile.imread(image(run / "project", "SEM Image", 1))
    x, y, width, height = truth.roi
    inside = shown[y : y + height, x : x + width].astype(float)
    labels = truth.face_labels(0)
    assert inside[labels == 1].mean() > inside[labels == 0].mean() + 50


def test_a_truth_inside_the_project_is_refused(tmp_path):
    """By any way of writing the path, before a single file is written."""
    for path in (tmp_path / "p" / "truth.npz", tmp_path / "p" / "x" / ".." / "truth.npz"):
        with pytest.raises(ConfigurationError, match="beside the project"):
            emulate(SETTINGS, tmp_path / "p", truth=path)
    assert not (tmp_path / "p").exists()


def test_a_folder_in_use_is_left_alone(run):
    """The emulator overwrites nothing."""
    with pytest.raises(FolderError, match="new folder"):
        emulate(SETTINGS, run / "project")


def test_a_file_that_is_no_truth_is_refused(run, tmp_path):
    """Missing, foreign, and contradicting itself: one clear error each."""
    (tmp_path / "foreign.npz").write_bytes(b"no archive")
    np.savez(tmp_path / "poor.npz", depths_nm=np.zeros(3))
    with np.load(run / "truth.npz") as arrays:
        np.savez(tmp_path / "bent.npz", **{**arrays, "shifts_px": np.zeros((2, 3, 2))})
    for name in ("absent.npz", "foreign.npz", "poor.npz", "bent.npz"):
        with pytest.raises(ConfigurationError, match="no truth"):
            load_truth(tmp_path / name)


class Waiting:
    """A clock that only sleeping advances, and what the disk held at every nap."""

    def __init__(self, watched: Path) -> None:
        self.time_s = 0.0
        self.watched = watched
        self.sizes: list[int] = []
        self.readable: list[bool] = []

    def sleep(self, seconds: float) -> None:
        self.time_s += seconds
        if self.watched.exists():
            self.sizes.append(self.watched.stat().st_size)
            self.readable.append(has_metadata(self.watched))


def has_metadata(path: Path) -> bool:
    """Does the file as it is now have pixels and the whole of its last tag?"""
    size = path.stat().st_size
    try:
        with tifffile.TiffFile(path) as file:
            tag = file.pages.first.tags[34683]
            return tag.valueoffset + tag.count <= size
    except (tifffile.TiffFileError, IndexError, KeyError, ValueError):
        return False


def test_files_grow_at_the_pace_that_was_asked_for(tmp_path):
    """Header, pixels and tags reach the disk one after the other; a slice takes its interval."""
    project = tmp_path / "project"
    watched = image(project, "SEM Image 2", 2)
    world = Waiting(watched)
    settings = dataclasses.replace(SETTINGS, slices=2, interval_s=12.0)
    emulate(settings, project, sleep=world.sleep, monotonic=lambda: world.time_s)
    assert world.time_s == pytest.approx(24.0)
    growing = list(dict.fromkeys(world.sizes))
    assert growing[0] == 8
    assert growing == sorted(growing)
    assert len(growing) >= 10
    complete = world.sizes.index(growing[-1])
    assert not any(world.readable[:complete])
    assert all(world.readable[complete:])


@pytest.fixture(scope="module")
def faulty(run, tmp_path_factory):
    """The same run with a fault of every kind that spoils files, and the order in which files appeared."""
    folder = tmp_path_factory.mktemp("faulty") / "project"
    orders = ("corrupt@1", "duplicate@2", "torn@3", "missing@4", "late@5", "lost@7")
    settings = dataclasses.replace(SETTINGS, slices=7, faults=tuple(parse_fault(text) for text in orders))
    emulate(settings, folder)
    return folder


def sem_images(folder: Path, number: int) -> list[Path]:
    return sorted(folder.glob(f"Images/SEM*/*{number:03d}.tif"))


def test_faults_spoil_what_they_say_and_nothing_else(faulty):
    """Of three images a slice: one garbage, one twice, one cut off, one absent, none lost in between."""
    counts = {number: len(sem_images(faulty, number)) for number in range(1, 8)}
    assert counts == {1: 3, 2: 4, 3: 3, 4: 2, 5: 3, 6: 3, 7: 0}
    readable = {n: sum(has_metadata(p) for p in sem_images(faulty, n)) for n in range(1, 8)}
    assert readable == {1: 2, 2: 4, 3: 2, 4: 2, 5: 3, 6: 3, 7: 0}


def test_a_late_image_comes_after_the_next_slice(faulty):
    """By the time stamps on disk."""
    late = max(path.stat().st_mtime_ns for path in sem_images(faulty, 5))
    assert late > max(path.stat().st_mtime_ns for path in sem_images(faulty, 6))


def test_faults_are_listed_and_misspelt_ones_explained():
    """The table names every kind with a line for people; a wrong one gets the nearest known."""
    assert {"corrupt", "torn", "missing", "drift", "duplicate", "late"} <= set(FAULTS)
    assert all(fault.description for fault in FAULTS.values())
    with pytest.raises(ConfigurationError, match="mean 'torn'"):
        parse_fault("tron@3")
    for text in ("torn", "torn@0", "@4", "torn@x"):
        with pytest.raises(ConfigurationError, match="KIND@SLICE"):
            parse_fault(text)
