"""Thickness sources side by side in the daemon: the ruler where it reads, the likeness of faces where not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from algorithms.face_patch import face_patch
from daemon.codec import pack, unpack
from daemon.config import Configuration, parse
from daemon.emulator import EmulatorSettings, configuration_table
from daemon.emulator.scene import build_scene, photograph
from daemon.errors import ConfigurationError
from daemon.geometry import face_geometry
from daemon.items import (
    ChannelShift,
    Frame,
    FrameMetadata,
    RegisteredSlice,
    Slice,
    Thickness,
    ThicknessSource,
)
from daemon.pipeline_state import begin_pipeline
from daemon.stages.measuring import MeasuringState, begin_measuring, measure

SETTINGS = EmulatorSettings(slices=26, seed=5, voltages_kv=(2.0,))


def configuration_of(settings: EmulatorSettings) -> Configuration:
    """A configuration for the emulated run."""
    return parse(configuration_table(settings, Path("a"), Path("b")), where=Path("c"))


@pytest.fixture(scope="module")
def registered() -> list[RegisteredSlice]:
    """A run of one voltage, registered as well as the truth."""
    scene = build_scene(SETTINGS)
    metadata = FrameMetadata("electron", 2.0, "TLD", 3.26, None, 52.0, False, None)
    slices: list[RegisteredSlice] = []
    for index in range(SETTINGS.slices):
        frame = Frame(Path(f"{index}.tif"), index + 1, photograph(scene, index, 0), metadata, "")
        dy, dx = scene.plan.shifts_px[index, 0]
        shift = ChannelShift(float(dy), float(dx), 0.02, 1.0, "fiducial")
        slices.append(RegisteredSlice(index + 1, {"2kV": frame}, {"2kV": shift}))
    return slices


def measured(slices: list[RegisteredSlice], configuration: Configuration, asv_nm: float) -> list[Thickness]:
    """All slices through the stage."""
    frame = slices[0].frames["2kV"]
    state, found = begin_measuring(configuration, face_geometry(configuration, frame)), []
    for slice_ in slices:
        state, thickness = measure(state, configuration, slice_, asv_nm)
        found.append(thickness)
    return found


def true_thickness(settings: EmulatorSettings) -> np.ndarray:
    """What was milled before each slice, NaN for the first."""
    return np.diff(build_scene(settings).plan.depths_nm, prepend=np.nan)


def test_every_source_is_told_beside_the_ruler(registered: list[RegisteredSlice]) -> None:
    """The ruler decides; what software and likeness say of the same slice is kept for comparison."""
    found = measured(registered, configuration_of(SETTINGS), 7.0)
    assert {t.source for t in found[1:]} == {ThicknessSource.RULER}
    assert [t.asv_nm for t in found] == [7.0] * len(found)
    similar = np.array([t.similarity_nm for t in found])
    truth = true_thickness(SETTINGS)
    known = np.isfinite(similar) & np.isfinite(truth)
    assert known[12:].all()
    error = (similar - truth)[known][5:]
    assert np.std(error) < 0.8 * np.std(truth[known])


def test_a_state_from_the_journal_tells_the_same_bytes(registered: list[RegisteredSlice]) -> None:
    """Stored and read again between two slices, it says of the next exactly what it would have said."""
    configuration = configuration_of(SETTINGS)
    state = begin_measuring(configuration, face_geometry(configuration, registered[0].frames["2kV"]))
    for slice_ in registered[:3]:
        _, kept_on = measure(state, configuration, slice_, 7.0)
        state, told = measure(unpack(MeasuringState, pack(state)), configuration, slice_, 7.0)
        assert pack(told) == pack(kept_on)


def test_slices_that_are_no_wedges_have_no_taper(registered: list[RegisteredSlice]) -> None:
    """From the third slice on both halves of the marks tell the same thickness, within what they claim."""
    found = measured(registered, configuration_of(SETTINGS), 7.0)
    pulls = np.array([t.taper_nm / t.taper_sigma_nm for t in found])
    assert np.isnan(pulls[:2]).all()
    assert np.isfinite(pulls[2:]).all()
    assert np.abs(pulls[2:]).max() < 4.5
    assert max(t.taper_sigma_nm for t in found[2:]) < 1.0


def test_a_wedge_is_told(registered: list[RegisteredSlice]) -> None:
    """The lower half of the ruler is that of the next face but one: its taper is what was milled between."""
    configuration = configuration_of(SETTINGS)
    ruler = configuration.ruler
    assert ruler is not None
    middle = int(ruler.marks[0].y + ruler.marks[0].height / 2)
    one, other = registered[10], registered[12]
    shift, later = one.shifts["2kV"], other.shifts["2kV"]
    moved = ndimage.shift(
        other.frames["2kV"].image.astype(float), (later.dy_px - shift.dy_px, later.dx_px - shift.dx_px)
    )
    image = one.frames["2kV"].image.copy()
    image[middle:] = moved[middle:].clip(0, 255).astype(image.dtype)
    wedge = replace(one, frames={"2kV": replace(one.frames["2kV"], image=image)})
    found = measured([*registered[:10], wedge], configuration, 7.0)
    expected = float(np.nansum(true_thickness(SETTINGS)[11:13]))
    assert found[-1].taper_nm == pytest.approx(expected, abs=4.0 * found[-1].taper_sigma_nm + 0.5)


def test_a_mark_outside_the_first_image_is_refused(registered: list[RegisteredSlice]) -> None:
    """The run does not begin with a ruler that no image can show; the mark is named, with the remedy."""
    table = configuration_table(SETTINGS, Path("a"), Path("b"))
    table["ruler"]["marks"][1]["x"] = 900.0
    with pytest.raises(ConfigurationError, match=r"ruler mark 2 leaves the image of 512 × 384 px"):
        begin_pipeline(parse(table, where=Path("c")), Slice(1, registered[0].frames))


def test_without_a_ruler_likeness_takes_over(registered: list[RegisteredSlice]) -> None:
    """When no ruler exists and the curve is learned, similarity serves and says so."""
    bare = configuration_of(SETTINGS).model_copy(update={"ruler": None})
    found = measured(registered, bare, float("nan"))
    assert found[1].source is ThicknessSource.TARGET
    assert found[-1].source is ThicknessSource.SIMILARITY
    assert found[-1].depth_nm > found[-2].depth_nm


def test_comparing_begins_anew_after_a_gap(registered: list[RegisteredSlice]) -> None:
    """Faces on both sides of a lost slice are not taken for neighbours."""
    kept = [s for s in registered if s.index not in (20, 21)]
    found = measured(kept, configuration_of(SETTINGS), float("nan"))
    after = next(t for t in found if t.index == 22)
    assert np.isnan(after.similarity_nm)


def test_a_lost_slice_is_not_compared(registered: list[RegisteredSlice]) -> None:
    """Where registration was lost, likeness would measure the wrong thing and stays silent."""
    lost = replace(registered[-1].shifts["2kV"], source="lost")
    slices = [*registered[:-1], replace(registered[-1], shifts={"2kV": lost})]
    assert np.isnan(measured(slices, configuration_of(SETTINGS), float("nan"))[-1].similarity_nm)


def test_the_patch_follows_the_shift() -> None:
    """An image moved by (dy, dx) gives the same patch as the one it was moved from, fractions too."""
    y, x = np.mgrid[0:90, 0:110].astype(np.float64)

    def scene(dy: float, dx: float) -> np.ndarray:
        return 100 + 40 * np.sin((y + dy) / 5.0) * np.cos((x + dx) / 6.0)

    region = (slice(10, 80), slice(12, 100))
    still = face_patch(scene(0.0, 0.0), (0.0, 0.0), region)
    moved = face_patch(scene(2.4, -3.7), (2.4, -3.7), region)
    assert still.shape == (35, 44)
    assert np.abs(still - moved).max() < 0.5
