"""Every knob of the emulated microscope: frozen records, checked when they are made.

Lengths are in nm or px as named, shares are of the image's height or width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from algorithms.electrode_imaging import FILM, INSTRUMENTS
from algorithms.instrument import Instrument, default_instrument
from daemon.errors import ConfigurationError
from daemon.picture import Picture
from daemon.sample_kind import SampleKind, Vendor

SMALLEST_PX = (256, 320)
"""Below this height and width there is no room for a ruler, a fiducial and a region of interest."""


@dataclass(frozen=True, slots=True)
class FaultOrder:
    """A fault ordered for one slice, counted from 1; ``amount`` None: as usual for its kind."""

    kind: str
    slice_number: int
    amount: float | None = None


@dataclass(frozen=True, slots=True)
class RulerDesign:
    """The ruler: one direction per mark from left to right (0 parallel, ±1 inclined).

    ``mark_width_nm`` is a mark's width in the face. A width or angle of None is 100 nm and 45° where they
    fit the image for the whole run, else as much as fits, down to 50 nm and 15°. Where even these do not fit,
    inclined marks follow one another, each in its lane; marks of a given angle leave the sample instead.
    """

    directions: tuple[int, ...] = (0, 1, -1, 0)
    mark_width_nm: float | None = None
    angle_deg: float | None = None
    polarity: Literal["bright", "dark"] = "bright"
    mark_height_share: float = 0.75
    """Height of the marks over the height of the protective layer."""


@dataclass(frozen=True, slots=True)
class SampleDesign:
    """What stands before the beam: shares of the image for its parts, and the porous structure.

    ``solid_fraction`` and ligaments are those of gold; an electrode is that of the published design.
    """

    kind: SampleKind = SampleKind.GOLD
    surface_share: float = 0.07
    layer_share: float = 0.2
    pad_share: float = 0.21
    face_fiducial: bool = True
    surface_fiducial: bool = False
    solid_fraction: float = 0.125
    coarse_ligament_nm: float = 110.0
    fine_ligament_nm: float = 15.0
    redeposition: float = 0.0
    """Share of the signal at the face's lower edge that comes from a film of milled material."""


@dataclass(frozen=True, slots=True)
class Signals:
    """Backscattered electrons per incident electron of the parts that no structure model covers."""

    carbon: float = 0.09
    deposit: float = 0.36
    platinum: float = 0.40
    trench: float = 0.05
    wall: float = 0.17
    surface: float = 0.25
    grain: float = 0.03
    """Rms relative texture of deposits, wall and surface."""


@dataclass(frozen=True, slots=True)
class MillingDesign:
    """Thickness of the slices, and what the microscope's software believes about it."""

    target_nm: float = 10.0
    mean_nm: float = 10.16
    sigma_nm: float = 3.12
    grid_nm: float = 0.0
    """Thicknesses are whole multiples of it, one at least (a mimicking series); 0: any."""
    drift_shift_sigma: float = 2.0
    """By how many σ the fault ``drift`` raises the mean thickness."""
    blind_share: float = 0.35
    """Share of slices for which the software reports 1 nm or less."""
    nan_share: float = 0.05
    guess_sigma_nm: float = 4.0
    """Error of its other reports."""


@dataclass(frozen=True, slots=True)
class StageDesign:
    """How the picture wanders, px along each axis (σ of normal distributions)."""

    walk_px: float = 0.3
    """Step of the stage's random walk from slice to slice."""
    jitter_px: float = 0.3
    """Of each slice, forgotten at the next."""
    channel_offset_px: float = 2.0
    """Constant offset between the voltages."""
    channel_jitter_px: float = 0.25
    """Of each image."""
    recession_tracked: float = 1.0
    """Share of the face's recession that the beam shift follows: 1 holds the face, 0 holds the surface."""


@dataclass(frozen=True, slots=True)
class RecordingDesign:
    """How images become files."""

    pieces: int = 8
    """Flushes in which the pixels of an image reach the disk."""
    fib_every: int = 10
    """An ion-beam image every so many slices; 0: none."""
    full_scan_px: tuple[int, int] = (2048, 3072)
    """Height and width of the full scan of which smaller images are a reduced area."""
    dwell_s: float = 30e-6
    beam_current_a: float = 50e-12
    detector: str = "TLD"
    """Of all images, unless the run has several."""
    vendor: Vendor = Vendor.FEI
    simulated_electrons: int = 100
    """Per pixel of a Monte Carlo picture. Their noise comes on top of the instrument's."""
    instruments: tuple[Instrument, ...] | None = None
    """One per voltage; None: each voltage's default."""


@dataclass(frozen=True, slots=True)
class EmulatorSettings:
    """One emulated run.

    ``folder_voltages_kv`` gives the voltages in the order of acquisition and of the folders "SEM Image",
    "SEM Image 2", …; None puts the reference voltage first and the others after it. ``picture`` is how the
    beam sees the sample (docs/decisions/fast-image.md). ``detectors``, where given, is that of every voltage:
    the channels are named after them, and several may have one voltage, recorded in one scan.

    Raises
    ------
    ConfigurationError
        A knob is out of its range.
    """

    slices: int = 40
    height: int = 384
    width: int = 512
    seed: int = 0
    interval_s: float = 0.0
    faults: tuple[FaultOrder, ...] = ()
    voltages_kv: tuple[float, ...] = (1.0, 2.0, 4.0)
    reference_kv: float = 2.0
    detectors: tuple[str, ...] = ()
    folder_voltages_kv: tuple[float, ...] | None = None
    pixel_size_nm: float = 3.26
    tilt_deg: float = 52.0
    tilt_correction: bool = False
    ruler: RulerDesign | None = field(default_factory=RulerDesign)
    sample: SampleDesign = field(default_factory=SampleDesign)
    signals: Signals = field(default_factory=Signals)
    milling: MillingDesign = field(default_factory=MillingDesign)
    stage: StageDesign = field(default_factory=StageDesign)
    recording: RecordingDesign = field(default_factory=RecordingDesign)
    picture: Picture = Picture.NETWORK

    def __post_init__(self) -> None:
        for complaint in _complaints(self):
            raise ConfigurationError(complaint[0], where="emulator settings", remedy=complaint[1])

    @property
    def folder_order(self) -> tuple[int, ...]:
        """Indices into ``voltages_kv`` in the order of the folders."""
        if self.folder_voltages_kv is not None:
            return tuple(self.voltages_kv.index(voltage) for voltage in self.folder_voltages_kv)
        others = [c for c in range(len(self.voltages_kv)) if c != self.reference_channel]
        return (self.reference_channel, *others)

    @property
    def reference_channel(self) -> int:
        """Index of the reference voltage."""
        return self.voltages_kv.index(self.reference_kv)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names such as "1kV", in the order of ``voltages_kv``, or the detectors."""
        return self.detectors or tuple(f"{voltage:g}kV" for voltage in self.voltages_kv)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The instrument of each voltage, or of each detector."""
        if self.recording.instruments is not None:
            return self.recording.instruments
        if self.sample.kind is SampleKind.ELECTRODE:
            return tuple(INSTRUMENTS[name] for name in self.detectors)
        return tuple(default_instrument(kv) for kv in self.voltages_kv)


ELECTRODE_KV = 1.5
ELECTRODE_PIXEL_NM = 10.0
"""Of the multi-signal paper's slices, which are 10 nm thick."""


def settings_of(kind: SampleKind, **knobs: Any) -> EmulatorSettings:
    """The usual run of a sample: gold at three voltages, or an electrode seen by two detectors in one scan.

    ``knobs`` are other fields of the settings.
    """
    if kind is SampleKind.GOLD:
        return EmulatorSettings(**knobs)
    return EmulatorSettings(
        voltages_kv=(ELECTRODE_KV, ELECTRODE_KV),
        reference_kv=ELECTRODE_KV,
        detectors=tuple(INSTRUMENTS),
        pixel_size_nm=ELECTRODE_PIXEL_NM,
        sample=SampleDesign(kind=kind, redeposition=FILM),
        stage=StageDesign(channel_offset_px=0.0, channel_jitter_px=0.0),
        **knobs,
    )


def _complaints(settings: EmulatorSettings) -> list[tuple[str, str]]:
    """What is wrong with the settings: (what, remedy) pairs, the first is told."""
    height, width = SMALLEST_PX
    voltages = settings.voltages_kv
    order = settings.folder_voltages_kv
    instruments = settings.recording.instruments
    numbers = [fault.slice_number for fault in settings.faults]
    checks = [
        (settings.slices >= 1, f"{settings.slices} slices are no run", "Ask for one slice or more."),
        (
            settings.height >= height and settings.width >= width,
            f"{settings.height}×{settings.width} px leave no room for the marks",
            f"Ask for at least {height}×{width} px.",
        ),
        (settings.seed >= 0, f"seed {settings.seed} is negative", "Give a seed of 0 or more."),
        (settings.interval_s >= 0.0, "the interval is negative", "Give seconds per slice, 0 or more."),
        (
            _lengths_are_possible(settings),
            f"ligaments of {settings.sample.coarse_ligament_nm:g} and "
            f"{settings.sample.fine_ligament_nm:g} nm, "
            f"slices of {settings.milling.mean_nm:g} ± {settings.milling.sigma_nm:g} nm on a grid of "
            f"{settings.milling.grid_nm:g} nm, pixels of {settings.pixel_size_nm:g} nm cannot be",
            "Give lengths in nm above 0, and a σ and a grid of 0 or more.",
        ),
        (
            (len(set(voltages)) == len(voltages) or bool(settings.detectors))
            and settings.reference_kv in voltages,
            f"voltages {voltages} kV repeat or lack the reference {settings.reference_kv:g} kV",
            "Give distinct voltages, one of them the reference.",
        ),
        (
            len(set(settings.detectors)) == len(settings.detectors) in (0, len(voltages)),
            f"the detectors {settings.detectors} are not one for each of {len(voltages)} voltages",
            "Name a detector for every voltage, or none.",
        ),
        (
            settings.sample.kind is SampleKind.GOLD
            or (bool(settings.detectors) and set(settings.detectors) <= set(INSTRUMENTS)),
            f"an electrode is not seen by the detectors {settings.detectors}",
            f"Choose from {', '.join(INSTRUMENTS)}.",
        ),
        (
            order is None or (not settings.detectors and sorted(order) == sorted(voltages)),
            f"the folders' voltages {order} are not those of the run {voltages}",
            "Name every voltage once in folder_voltages_kv.",
        ),
        (
            instruments is None or len(instruments) == len(voltages),
            "the number of instruments is not the number of voltages",
            "Give one instrument per voltage, or none.",
        ),
        (
            all(1 <= number <= settings.slices for number in numbers),
            f"a fault is ordered for slice {max(numbers, default=0)} of {settings.slices}",
            "Slices count from 1, as in the file names.",
        ),
        (
            settings.ruler is None or {0} < {abs(d) for d in settings.ruler.directions} <= {0, 1},
            "the ruler lacks an inclined or a parallel mark",
            "Give directions 0 and ±1, at least one of each kind.",
        ),
    ]
    return [(what, remedy) for good, what, remedy in checks if not good]


def _lengths_are_possible(settings: EmulatorSettings) -> bool:
    """NaN and infinity are not, either."""
    sample, milling = settings.sample, settings.milling
    lengths = (sample.coarse_ligament_nm, sample.fine_ligament_nm, milling.mean_nm, settings.pixel_size_nm)
    spreads = (milling.sigma_nm, milling.grid_nm)
    return all(0.0 < value < math.inf for value in lengths) and all(
        0.0 <= value < math.inf for value in spreads
    )
