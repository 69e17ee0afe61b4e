"""``slicewatch calibrate`` finds what a person would draw, and says plainly when it cannot."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon.calibrate import calibrate
from daemon.calibrate.first_images import ChannelKey
from daemon.calibrate.proposal import Proposal, propose
from daemon.config import load, parse
from daemon.emulator import EmulatorSettings, configuration_table, emulate
from daemon.emulator.scene import build_scene, photograph
from daemon.emulator.settings import RecordingDesign, RulerDesign, SampleDesign
from daemon.errors import CalibrationError, FolderError
from daemon.items import Frame, FrameMetadata

SIZES = ((384, 512), (256, 320), (512, 640), (512, 768))
RULERS = (
    RulerDesign(),
    RulerDesign(polarity="dark"),
    RulerDesign(directions=(0, 1)),
    RulerDesign(directions=(0, 1, 0, -1, 0), angle_deg=30.0),
    RulerDesign(angle_deg=20.0, mark_width_nm=70.0),
    RulerDesign(directions=(-1, 0, 1), polarity="dark"),
)
SLICES = 9


@dataclass(frozen=True)
class Case:
    """A run to calibrate on; the seed decides size, ruler, tilt correction and marks."""

    seed: int
    settings: EmulatorSettings = field(init=False)

    def __post_init__(self) -> None:
        height, width = SIZES[self.seed % len(SIZES)]
        settings = EmulatorSettings(
            slices=SLICES,
            seed=self.seed,
            height=height,
            width=width,
            ruler=RULERS[self.seed % len(RULERS)],
            tilt_correction=self.seed % 3 == 0,
            sample=SampleDesign(surface_fiducial=self.seed % 4 == 3, face_fiducial=self.seed % 5 != 4),
        )
        object.__setattr__(self, "settings", settings)


def look(settings: EmulatorSettings, slices: int = SLICES) -> Proposal:
    """What is proposed for a run, from its reference images alone."""
    scene = build_scene(settings)
    metadata = FrameMetadata(
        "electron",
        settings.reference_kv,
        "TLD",
        settings.pixel_size_nm,
        None,
        settings.tilt_deg,
        settings.tilt_correction,
        None,
    )
    frames = {
        n + 1: Frame(
            Path(f"{n + 1}.tif"), n + 1, photograph(scene, n, settings.reference_channel), metadata, ""
        )
        for n in range(slices)
    }
    folder = Path(__file__).parent
    key = ChannelKey(settings.reference_kv, "TLD")
    return propose(folder, folder / "out", {key: frames}, None, settings.milling.target_nm)


def wrong_regions(settings: EmulatorSettings, proposal: Proposal) -> list[str]:
    """What differs from the configuration that knows the sample; an empty list when all is found."""
    known = parse(configuration_table(settings, Path("a"), Path("b")), where=Path("c"))
    found = parse(dict(proposal.table), where=Path("c"))
    wrong: list[str] = []
    if known.ruler is not None:
        wrong += _wrong_marks(known.ruler, found.ruler)
    wrong += _wrong_fiducials(known.fiducials, found.fiducials)
    a, b = known.geometry.roi, found.geometry.roi
    outside = b.y < a.y - 5 or b.x + b.width > a.x + a.width + 5
    if not b.width or outside or b.width * b.height < 0.8 * a.width * a.height:
        wrong.append(f"roi {b} instead of {a}")
    return wrong


def _wrong_marks(known: Any, found: Any) -> list[str]:
    if found is None or len(found.marks) != len(known.marks):
        return ["ruler not found"]
    wrong = [] if found.polarity == known.polarity else ["polarity"]
    wrong += [] if abs(found.mark_width_nm - known.mark_width_nm) < 3.0 else ["mark width"]
    for number, (a, b) in enumerate(zip(known.marks, found.marks, strict=True)):
        if (a.kind, a.direction) != (b.kind, b.direction):
            wrong.append(f"mark {number} is {b.kind} {b.direction}")
        if abs(a.x - b.x) > 1.0 or abs(a.y - b.y) > 2 or abs(a.height - b.height) > 3:
            wrong.append(f"mark {number} at {b} instead of {a}")
    return wrong


def _wrong_fiducials(known: Any, found: Any) -> list[str]:
    if len(known) != len(found):
        return [f"{len(found)} fiducials instead of {len(known)}"]
    pairs = zip(sorted(known, key=lambda f: f.y), sorted(found, key=lambda f: f.y), strict=True)
    return [
        f"fiducial {b} instead of {a}"
        for a, b in pairs
        if a.on != b.on
        or abs(a.x + a.width / 2 - b.x - b.width / 2) > 2.5
        or abs(a.y + a.height / 2 - b.y - b.height / 2) > 2.5
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_finds_every_region_of_an_emulated_project(seed: int) -> None:
    """Marks, kinds, directions, polarity, fiducials, their surface and the region of interest are right."""
    settings = Case(seed).settings
    assert wrong_regions(settings, look(settings)) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_finds_every_region_of_twenty_projects() -> None:
    """Twenty seeds of all sizes, rulers, polarities and angles: nothing is missing, nothing is wrong."""
    cases = {seed: Case(seed).settings for seed in range(20)}
    wrong = {seed: wrong_regions(settings, look(settings)) for seed, settings in cases.items()}
    assert {seed: words for seed, words in wrong.items() if words} == {}


def test_the_recession_of_the_face_tells_the_angle() -> None:
    """A mark on the surface measures depth without the target: the angle is right to half a degree."""
    settings = EmulatorSettings(
        slices=SLICES, seed=5, ruler=RulerDesign(angle_deg=33.0), sample=SampleDesign(surface_fiducial=True)
    )
    proposal = look(settings)
    assert proposal.ruler is not None
    assert proposal.ruler.angle.source == "recession"
    assert proposal.ruler.angle.degrees == pytest.approx(33.0, abs=0.5)


def test_an_angle_from_the_target_warns_of_what_depends_on_it() -> None:
    """Without a surface mark a flat ruler's angle rests on the target thickness, and the words say so."""
    proposal = look(EmulatorSettings(slices=SLICES, seed=4, ruler=RulerDesign(angle_deg=20.0)))
    assert proposal.ruler is not None
    assert abs(proposal.ruler.angle.degrees - 20.0) < 4.0 * proposal.ruler.angle.sigma_deg
    assert any("EVERY thickness scales with it" in words for words in proposal.found)


def test_no_ruler_is_said_and_not_invented() -> None:
    """A project without a ruler gets none, with the reason; its fiducial is found all the same."""
    proposal = look(EmulatorSettings(slices=4, seed=6, ruler=None), slices=4)
    assert proposal.ruler is None
    assert "ruler" not in proposal.table
    assert any(lack.what.startswith("no ruler") and lack.remedy for lack in proposal.lacks)
    assert len(proposal.fiducials) == 1


def test_bars_that_nobody_saw_moving_are_no_ruler() -> None:
    """From a single slice inclined marks cannot be told from parallel ones, and none is guessed."""
    proposal = look(EmulatorSettings(slices=2, seed=7), slices=1)
    assert proposal.ruler is None
    assert any("slices do not show which of them move" in lack.what for lack in proposal.lacks)


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
