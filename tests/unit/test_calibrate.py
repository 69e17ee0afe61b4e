"""``slicewatch calibrate`` finds what a person would draw, and says plainly when it cannot."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.calibrate import SLICES, Case, look, photographs, wrong_regions
from daemon.calibrate import calibrate, print_proposal
from daemon.calibrate.first_images import first_images
from daemon.config import load
from daemon.emulator import EmulatorSettings, emulate
from daemon.emulator.settings import RecordingDesign, RulerDesign, SampleDesign
from daemon.errors import CalibrationError, ConfigurationError, FolderError, StoreError


@pytest.mark.parametrize(
    "seed", [1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)]
)
def test_finds_every_region_of_an_emulated_project(seed: int) -> None:
    """Marks, kinds, directions, polarity, fiducials, their surface and the region of interest are right."""
    settings = Case(seed).settings
    assert wrong_regions(settings, look(settings, photographs(settings))) == []


def test_the_recession_of_the_face_tells_the_angle() -> None:
    """A mark on the surface measures depth without the target: the angle is right to half a degree."""
    settings = EmulatorSettings(
        slices=SLICES, seed=5, ruler=RulerDesign(angle_deg=33.0), sample=SampleDesign(surface_fiducial=True)
    )
    proposal = look(settings, photographs(settings))
    assert proposal.ruler is not None
    assert proposal.ruler.angle.source == "recession"
    assert proposal.ruler.angle.degrees == pytest.approx(33.0, abs=0.5)


def test_an_angle_from_the_target_warns_of_what_depends_on_it() -> None:
    """Without a surface mark a flat ruler's angle rests on the target thickness, and the words say so."""
    settings = EmulatorSettings(slices=SLICES, seed=4, ruler=RulerDesign(angle_deg=20.0))
    proposal = look(settings, photographs(settings))
    assert proposal.ruler is not None
    assert abs(proposal.ruler.angle.degrees - 20.0) < 4.0 * proposal.ruler.angle.sigma_deg
    assert any("EVERY thickness scales with it" in words for words in proposal.found)


GAPS = {"every second": range(0, 12, 2), "a hole": (0, 1, 2, 7, 8, 9, 10, 11), "late": (4, 5, 9, 11)}
"""Slices, from 0, whose images are there."""


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("angle_deg", [20.0, 45.0])
def test_missing_slices_are_milled_all_the_same(gap: str, angle_deg: float) -> None:
    """The marks have travelled for the slices whose images are missing too: the angle does not change with
    them, neither to another one nor to the nominal one, and the gap is said."""
    settings = EmulatorSettings(slices=12, seed=5, ruler=RulerDesign(angle_deg=angle_deg))
    images, kept = photographs(settings, 12), GAPS[gap]
    proposal = look(settings, [images[n] for n in kept], [n + 1 for n in kept])
    assert proposal.ruler is not None
    angle = proposal.ruler.angle
    assert abs(angle.degrees - angle_deg) < 3.0 * angle.sigma_deg
    assert (angle.source == "assumed") == (angle_deg == 45.0)
    assert f"in {len(kept)} of {kept[0] + 1} to {kept[-1] + 1} slices" in proposal.found[0]


def test_files_that_give_no_image_are_named(tmp_path: Path) -> None:
    """A torn image is none of the proposal's, and a person hears of it."""
    emulate(EmulatorSettings(slices=5, seed=8), tmp_path / "project", sleep=lambda _: None)
    torn = sorted((tmp_path / "project" / "Images" / "SEM Image").iterdir())[1]
    torn.write_bytes(torn.read_bytes()[:4000])
    proposal = calibrate(tmp_path / "project")
    assert any(
        f"1 of the first files cannot be read: SEM Image/{torn.name}" in p.what for p in proposal.lacks
    )
    assert proposal.ruler is not None


def test_no_ruler_is_said_and_not_invented() -> None:
    """A project without a ruler gets none, with the reason; its fiducial is found all the same."""
    settings = EmulatorSettings(slices=4, seed=6, ruler=None)
    proposal = look(settings, photographs(settings, 4))
    assert proposal.ruler is None
    assert "ruler" not in proposal.table
    assert any(lack.what.startswith("no ruler") and lack.remedy for lack in proposal.lacks)
    assert len(proposal.fiducials) == 1


def test_a_single_fiducial_is_enough_and_said() -> None:
    """One cross on the unmilled surface: found as what it is, with nothing missing but what is not there."""
    sample = SampleDesign(face_fiducial=False, surface_fiducial=True)
    settings = EmulatorSettings(slices=SLICES, seed=11, sample=sample)
    proposal = look(settings, photographs(settings))
    assert [fiducial.region.surface for fiducial in proposal.fiducials] == [True]
    assert proposal.ruler is not None
    assert not any("no fiducial" in lack.what for lack in proposal.lacks)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_images_give_nothing_and_say_all_that_is_missing(level: int) -> None:
    """A blanked or saturated beam: no marks, no region of interest, a remedy for each, and no crash."""
    settings = EmulatorSettings(slices=4, seed=12)
    proposal = look(settings, [np.full((256, 320), level, np.uint8)] * 4)
    assert (proposal.ruler, proposal.fiducials, proposal.roi) == (None, (), None)
    said = " ".join(lack.what for lack in proposal.lacks if lack.remedy)
    assert all(words in said for words in ("no fiducial", "no ruler", "no region of interest"))


def test_files_that_are_no_images_are_told_from_images_without_metadata(tmp_path: Path) -> None:
    """A torn first file is not answered with advice on images that do not tell their voltage."""
    (tmp_path / "SliceImage - 001.tif").write_text("no image")
    with pytest.raises(FolderError, match="no whole image among the first 1 files"):
        first_images(tmp_path)


def test_bars_that_nobody_saw_moving_are_no_ruler(capsys: pytest.CaptureFixture[str]) -> None:
    """From a single slice inclined marks cannot be told from parallel ones, and none is guessed."""
    settings = EmulatorSettings(slices=2, seed=7)
    proposal = look(settings, photographs(settings, 1))
    assert proposal.ruler is None
    assert any("slices do not show which of them move" in lack.what for lack in proposal.lacks)
    print_proposal(proposal, with_table=False)
    assert "[ruler]" in capsys.readouterr().out, "the table's name is no markup"


def test_writes_a_configuration_that_loads_and_a_picture(tmp_path: Path) -> None:
    """The files of a real (emulated) folder give channels by voltage, a TOML that loads, and a PNG."""
    settings = EmulatorSettings(slices=5, seed=8, recording=RecordingDesign(fib_every=2))
    emulate(settings, tmp_path / "project", sleep=lambda _: None)
    calibrate(tmp_path / "project", picture=tmp_path / "a.png", config=tmp_path / "run.toml")
    configuration = load(tmp_path / "run.toml")
    assert configuration.channel_names == ("1kV", "2kV", "4kV")
    assert configuration.reference_channel == "2kV"
    assert configuration.ruler is not None
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_an_existing_configuration_is_not_overwritten(tmp_path: Path) -> None:
    """Refused before anything is searched or drawn, with what to do; the file stays as it is."""
    emulate(EmulatorSettings(slices=2, seed=9), tmp_path / "project", sleep=lambda _: None)
    config = tmp_path / "run.toml"
    config.write_text("# by hand\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"not overwritten.*another name"):
        calibrate(tmp_path / "project", picture=tmp_path / "a.png", config=config)
    assert config.read_text(encoding="utf-8") == "# by hand\n"
    assert not (tmp_path / "a.png").exists()


def test_a_configuration_that_cannot_be_written_is_said_in_words_of_its_own(tmp_path: Path) -> None:
    """The remedy speaks of --config: there is no run.output yet."""
    emulate(EmulatorSettings(slices=5, seed=8), tmp_path / "project", sleep=lambda _: None)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="--config") as failed:
        calibrate(tmp_path / "project", config=tmp_path / "file" / "run.toml")
    assert "run.output" not in str(failed.value)


def test_a_chosen_reference_is_obeyed_and_a_wrong_one_refused(tmp_path: Path) -> None:
    """``--reference`` names a voltage that is there; another one is answered with those that are."""
    emulate(EmulatorSettings(slices=2, seed=9), tmp_path / "project", sleep=lambda _: None)
    calibrate(tmp_path / "project", config=tmp_path / "run.toml", reference_kv=4.0)
    channels = tomllib.loads((tmp_path / "run.toml").read_text())["channels"]
    assert [c["name"] for c in channels if c.get("reference")] == ["4kV"]
    with pytest.raises(Exception, match="1, 2, 4 kV"):
        calibrate(tmp_path / "project", reference_kv=3.0)


def test_nothing_found_is_an_error_with_a_remedy_and_a_picture(tmp_path: Path) -> None:
    """Neither ruler nor fiducial: the error says so and what to do, and the picture shows the image."""
    bare = replace(EmulatorSettings(slices=2, seed=10, ruler=None), sample=SampleDesign(face_fiducial=False))
    emulate(bare, tmp_path / "project", sleep=lambda _: None)
    with pytest.raises(CalibrationError, match=r"no fiducial.*no ruler.*\[\[fiducials\]\] by hand"):
        calibrate(tmp_path / "project", picture=tmp_path / "a.png", config=tmp_path / "run.toml")
    assert (tmp_path / "a.png").exists()
    assert not (tmp_path / "run.toml").exists()


def test_an_empty_folder_is_told_from_one_without_marks(tmp_path: Path) -> None:
    """No images at all is a wrong folder, not a failed search."""
    with pytest.raises(FolderError, match="no image matches"):
        calibrate(tmp_path)


def test_noise_shows_no_marks() -> None:
    """Pure noise yields neither bars nor crosses."""
    from algorithms.calibration_bars import find_bars
    from algorithms.calibration_crosses import find_crosses

    noise = np.random.default_rng(1).integers(0, 255, (256, 320), np.uint8)
    assert find_bars(noise) == ()
    assert find_crosses(noise) == ()
