"""``slicewatch calibrate`` on emulated projects of all kinds: how many come out as the emulator made them.

The seed of a project decides its size, ruler (marks, angle, width, polarity), tilt correction and fiducials.
A project counts as found when every mark, fiducial and the region of interest is where it is, and what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.table import Table

from daemon.calibrate.first_images import ChannelKey
from daemon.calibrate.proposal import Proposal, propose
from daemon.config import FiducialSection, RulerSection, parse
from daemon.emulator import EmulatorSettings, configuration_table
from daemon.emulator.scene import build_scene, photograph
from daemon.emulator.settings import RulerDesign, SampleDesign
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


def photographs(settings: EmulatorSettings, slices: int = SLICES) -> list[Any]:
    """The reference images (h, w) of the first slices."""
    scene = build_scene(settings)
    return [photograph(scene, n, settings.reference_channel) for n in range(slices)]


def look(settings: EmulatorSettings, images: list[Any], numbers: Sequence[int] = ()) -> Proposal:
    """What is proposed for a run, from its reference images alone; ``numbers`` of their slices, else all."""
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
    slices = numbers or range(1, len(images) + 1)
    frames = {
        n: Frame(Path(f"{n}.tif"), n, image, metadata, "") for n, image in zip(slices, images, strict=True)
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


def _wrong_marks(known: RulerSection, found: RulerSection | None) -> list[str]:
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


def _wrong_fiducials(known: tuple[FiducialSection, ...], found: tuple[FiducialSection, ...]) -> list[str]:
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


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Projects tried, projects of which every region was found and right, and the seconds for each."""
    cases = {seed: Case(seed).settings for seed in range(4 if quick else 20)}
    table = Table("seed", "image", "ruler", "what is wrong", title="slicewatch calibrate")
    found, seconds = 0, list[float]()
    for seed, settings in cases.items():
        images = photographs(settings)
        begun = perf_counter()
        wrong = wrong_regions(settings, look(settings, images))
        seconds.append(perf_counter() - begun)
        found += not wrong
        marks = settings.ruler.directions if settings.ruler else ()
        size = f"{settings.height}×{settings.width}"
        table.add_row(str(seed), size, " ".join(map(str, marks)), "; ".join(wrong) or "nothing")
    mean_s = sum(seconds) / len(seconds)
    return table, {"projects": len(cases), "found": found, "seconds_per_project": mean_s}
