"""The emulated electrode: two detectors in one scan, in FEI's or Zeiss' words, with the truth beside it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.config import parse
from daemon.emulator import configuration_table, emulate, load_truth
from daemon.emulator.scene import build_scene, clean_signal
from daemon.emulator.settings import RecordingDesign, settings_of
from daemon.errors import ConfigurationError
from daemon.items import FileReady
from daemon.metadata.plain import Sidecar
from daemon.reader import read_frame
from daemon.sample_kind import SampleKind, Vendor

PATTERN = r"SliceImage - (?P<slice>\d+)\.tif$"
RUN = {"slices": 2, "height": 256, "width": 320, "seed": 4}


@pytest.fixture(scope="module", params=[Vendor.FEI, Vendor.ZEISS])
def project(request, tmp_path_factory):
    """A short run of either vendor: its folder, settings and truth."""
    folder = tmp_path_factory.mktemp(request.param)
    recording = RecordingDesign(vendor=request.param, fib_every=0)
    settings = settings_of(SampleKind.ELECTRODE, recording=recording, **RUN)
    emulate(settings, folder / "project", truth=folder / "truth.npz")
    return folder / "project", settings, load_truth(folder / "truth.npz")


def frames(folder):
    """All electron images as the daemon reads them, by detector and slice."""
    read = {}
    for path in sorted((folder / "Images").rglob("*.tif")):
        stat = path.stat()
        frame = read_frame(FileReady(path, stat.st_size, stat.st_mtime_ns), PATTERN, Sidecar(()))
        read[(frame.metadata.detector, frame.slice_index)] = frame
    return read


def test_both_detectors_of_a_slice_are_of_one_scan(project):
    """One moment, one voltage, one shift; the images themselves differ."""
    folder, _, truth = project
    read = frames(folder)
    assert set(read) == {(name, number) for name in ("SE2", "InLens") for number in (1, 2)}
    for number in (1, 2):
        one, two = read[("SE2", number)], read[("InLens", number)]
        assert one.metadata.acquired_at == two.metadata.acquired_at is not None
        assert one.metadata.voltage_kv == two.metadata.voltage_kv == 1.5
        assert one.metadata.pixel_size_nm == pytest.approx(10.0)
        assert one.metadata.tilt_correction is False
        assert not np.array_equal(one.image, two.image)
    np.testing.assert_array_equal(truth.shifts_px[:, 0], truth.shifts_px[:, 1])


def test_the_files_speak_the_vendors_words(project):
    """Tag 34118 alone, or 34682 and 34683, in ascending order among the others."""
    folder, settings, _ = project
    wanted = {Vendor.ZEISS: {34118}, Vendor.FEI: {34682, 34683}}[settings.recording.vendor]
    path = next((folder / "Images").rglob("*.tif"))
    with tifffile.TiffFile(path) as file:
        codes = [tag.code for tag in file.pages[0].tags]
    assert set(codes) & {34118, 34682, 34683} == wanted
    assert codes == sorted(codes)


def test_the_configuration_tells_channels_by_detector(project):
    """No voltage is needed; the first detector is the reference, voxels are half a slice."""
    folder, settings, _ = project
    configuration = parse(
        configuration_table(settings, folder, folder.parent / "out"), where=Path("run.toml")
    )
    told = [(c.name, c.detector, c.voltage_kv, c.reference) for c in configuration.channels]
    assert told == [("SE2", "SE2", 0.0, True), ("InLens", "InLens", 0.0, False)]
    assert configuration.volume.grid_nm == 5.0


def test_the_truth_holds_three_phases(project):
    """The file gives back the structure that was photographed: active material is bright in the lens."""
    folder, _, truth = project
    labels = truth.face_labels(0)
    assert truth.phases == 3
    assert set(np.unique(labels)) == {0, 1, 2}
    x, y, width, height = truth.roi
    lens = frames(folder)[("InLens", 1)].image[y : y + height, x : x + width]
    pore, active, binder = (float(np.median(lens[labels == phase])) for phase in range(3))
    assert active > binder > pore


def test_what_is_milled_away_changes_the_picture():
    """The same depth gives the same picture; the next one another, without any shift."""
    scene = build_scene(settings_of(SampleKind.ELECTRODE, **RUN))
    still = dataclasses.replace(scene.plan, shifts_px=np.zeros_like(scene.plan.shifts_px))
    scene = dataclasses.replace(scene, plan=still)
    first, second = (clean_signal(scene, index, 0) for index in (0, 1))
    np.testing.assert_array_equal(first, clean_signal(scene, 0, 0))
    x, y, width, height = scene.layout.roi
    box = np.s_[y : y + height, x : x + width]
    assert np.abs(first - second)[box].mean() > 0.005


def test_an_electrode_wants_its_detectors():
    """One that no model of the sample knows is refused with those it knows."""
    settings = settings_of(SampleKind.ELECTRODE, **RUN)
    with pytest.raises(ConfigurationError, match="SE2, InLens"):
        dataclasses.replace(settings, detectors=("SE2", "ESB"))
    with pytest.raises(ConfigurationError, match="one for each"):
        dataclasses.replace(settings, detectors=("SE2",))
