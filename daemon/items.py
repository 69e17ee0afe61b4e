"""The way of one slice as types: one frozen, self-checking record per hop (DESIGN §2).

FileReady ─ Frame ─ Slice │ SliceGap ─ RegisteredSlice ─ Thickness ─ SegmentedSlice ─ PlacedSlice ─ Planes
─ Metrics

Validation happens in ``__post_init__``: a record that exists is consistent, and no stage checks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8 | np.uint16]


class Status(StrEnum):
    """How far a slice has come; the ``status`` column of ``slices.csv``."""

    FINAL = "final"
    PROVISIONAL = "provisional"
    GAP = "gap"


class ThicknessSource(StrEnum):
    """Where a thickness comes from; the ``thickness_source`` column of ``slices.csv``."""

    RULER = "ruler"
    ASV = "asv"
    SIMILARITY = "similarity"
    TARGET = "target"


class GapReason(StrEnum):
    """Why a slice index has no slice."""

    MISSING = "missing"
    INCOMPLETE = "incomplete"
    UNREADABLE = "unreadable"
    WRONG_VOLTAGE = "wrong voltage"
    WRONG_SIZE = "wrong size"


class RunState(StrEnum):
    """What the daemon is doing."""

    STARTING = "starting"
    WAITING = "waiting"
    WORKING = "working"
    PAUSED = "paused"
    FINISHING = "finishing"
    FINISHED = "finished"


class PlaneKind(StrEnum):
    """Where a plane comes from; the ``kind`` column of ``metrics.csv``.

    A bridged plane lies between faces too far apart to say what is between them: it is shown, not counted.
    """

    MEASURED = "measured"
    INTERPOLATED = "interpolated"
    BRIDGED = "bridged"


class FinishReason(StrEnum):
    """Why a run ended."""

    COMPLETED = "COMPLETED"
    STOPPED = "STOPPED"
    DRIFT_ABORT = "DRIFT_ABORT"
    ERRORED = "ERRORED"


@dataclass(frozen=True, slots=True)
class FileReady:
    """A file whose content is complete: size in bytes and mtime in ns as they were when it was judged."""

    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class FrameMetadata:
    """What the microscope says of one image. Lengths in nm; None where the file does not say.

    ``pixel_size_nm`` is the step along x; rows are ``pixel_size_nm / sin(tilt)`` on the face unless
    ``tilt_correction``. ``scan_area_px`` is (x, y, width, height) in the full scan.
    """

    beam: str
    voltage_kv: float | None
    detector: str | None
    pixel_size_nm: float | None
    dwell_s: float | None
    tilt_deg: float | None
    tilt_correction: bool | None
    acquired_at: datetime | None
    scan_area_px: tuple[int, int, int, int] | None = None
    instrument: str | None = None

    def __post_init__(self) -> None:
        if self.beam not in ("electron", "ion", "unknown"):
            raise ValueError(f"beam is 'electron', 'ion' or 'unknown', not {self.beam!r}")
        if self.pixel_size_nm is not None and not 0.0 < self.pixel_size_nm < 1e6:
            raise ValueError(f"a pixel size of {self.pixel_size_nm} nm is impossible")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One image of one slice, read completely; ``image`` is (y, x), read-only.

    ``notes`` say what was done to the pixels since they were read.
    """

    path: Path
    slice_index: int
    image: Image
    metadata: FrameMetadata
    sha256: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.image.ndim != 2 or str(self.image.dtype) not in ("uint8", "uint16"):
            raise ValueError(f"a frame is 2-D uint8 or uint16, not {self.image.dtype} {self.image.shape}")
        self.image.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """All configured channels of one slice index; ``frames`` maps channel name to frame, all of one shape."""

    index: int
    frames: Mapping[str, Frame]

    def __post_init__(self) -> None:
        shapes = {frame.image.shape for frame in self.frames.values()}
        if len(shapes) != 1:
            raise ValueError(f"the frames of slice {self.index} differ in size: {sorted(shapes)}")


@dataclass(frozen=True, slots=True)
class SliceGap:
    """A slice index that will have no slice, so that z stays true; ``detail`` is for people.

    ``told``: a quarantined file, which has had its alarm, is why.
    """

    index: int
    reason: GapReason
    detail: str = ""
    told: bool = False


@dataclass(frozen=True, slots=True)
class FoundFiducial:
    """A fiducial's box (y, x of its corner, height, width) where one image shows it, px of the frame.

    ``used`` is false where the mark was left out of the image's shift; quality 0…1.
    """

    y_px: float
    x_px: float
    height_px: float
    width_px: float
    quality: float
    used: bool


@dataclass(frozen=True, slots=True)
class FoundMark:
    """A bar of the ruler where one image shows it, px of the frame; ``x_px`` is its centre, with its σ.

    ``used`` is false where the bar was left out of the depth.
    """

    channel: str
    kind: str
    x_px: float
    sigma_px: float
    y_px: float
    height_px: float
    width_px: float
    used: bool


@dataclass(frozen=True, slots=True)
class ChannelShift:
    """Shift of one image (added to its coordinates it gives reference coordinates), px; quality 0…1."""

    dy_px: float
    dx_px: float
    sigma_px: float
    quality: float
    source: str
    notes: tuple[str, ...] = ()
    fiducials: tuple[FoundFiducial, ...] = ()


@dataclass(frozen=True, slots=True)
class DomainStanding:
    """How far an image is from those that the network knows, and within what it counts as known (in standard
    deviations of known images); NaN where it cannot be told."""

    distance: float
    limit: float


@dataclass(frozen=True, slots=True, eq=False)
class RegisteredSlice:
    """A slice and the shift of each of its channels."""

    index: int
    frames: Mapping[str, Frame]
    shifts: Mapping[str, ChannelShift]


@dataclass(frozen=True, slots=True)
class Thickness:
    """Depth of a face below the first face and thickness of the slice milled before it, nm, with σ.

    Thickness of the first slice is NaN: nothing was milled before it. Where slices were lost or could not be
    measured it is the mean of the ``mean_of_slices`` since the last one that was. σ of another source than
    the ruler is what that source was worth where the ruler measured, or the published experience before that.
    ``channels`` says which images the reading rests on. ``taper_nm`` is the thickness at the lower half of
    the ruler's marks minus that at their upper half.
    """

    index: int
    depth_nm: float
    depth_sigma_nm: float
    thickness_nm: float
    thickness_sigma_nm: float
    source: ThicknessSource
    channels: tuple[str, ...] = ()
    asv_nm: float = float("nan")
    similarity_nm: float = float("nan")
    taper_nm: float = float("nan")
    taper_sigma_nm: float = float("nan")
    notes: tuple[str, ...] = ()
    marks: tuple[FoundMark, ...] = ()
    mean_of_slices: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class SegmentedSlice:
    """Phase labels (y, x) of the region of interest in the reference frame, native pixels.

    ``solid_probability`` is float32 (y, x): the probability of phase 1 (for a single solid phase).
    """

    index: int
    labels: NDArray[np.uint8]
    solid_probability: NDArray[np.float32]
    status: Status


@dataclass(frozen=True, slots=True, eq=False)
class PlacedSlice:
    """A final segmentation on the isotropic grid: ``labels`` (y, x) uint8 at plane ``z_plane``.

    ``displacement_nm``: the plane's depth less the face's own; beyond half a voxel its place was taken.
    """

    index: int
    z_plane: int
    displacement_nm: float
    labels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Consecutive final planes of the isotropic volume, (z, y, x) uint8, the first at index ``first``.

    ``kinds`` says of each plane where it comes from.
    """

    first: int
    labels: NDArray[np.uint8]
    kinds: tuple[PlaneKind, ...]


@dataclass(frozen=True, slots=True)
class Metrics:
    """A row of ``metrics.csv``: the state of the volume after ``plane``.

    ``…_sigma`` are standard errors, in the figure's unit, and ``band_sigmas`` of them to either side the 95 %
    band; both are NaN where the region is too small for them. ``ligament_nm`` is the diameter of the
    ligaments, ``local_thickness_nm`` its mean from inscribed discs on measured faces; ``euler_per_um3`` is
    negative for a network; ``largest_share`` is the share of the solid that hangs together in one piece.
    ``chord_…_nm`` are mean lengths of straight lines inside the solid. ``representative`` says whether the
    volume is large enough, or what is missing.
    ``phase_fractions`` are the shares of more than two phases, pore first; the other figures are of phase 1.
    ``patch_…`` are means over ``patches`` lateral patches, each measured by itself, and the ends of their
    95 % bands; NaN where no patch fits.
    """

    plane: int
    solid_fraction: float
    e_tpcf: float
    e_lpf: float
    e_d: float
    d_xy_nm: float
    d_xz_nm: float
    d_yz_nm: float
    kind: PlaneKind
    solid_fraction_sigma: float
    e_tpcf_sigma: float
    e_lpf_sigma: float
    e_d_sigma: float
    ligament_nm: float
    ligament_sigma_nm: float
    local_thickness_nm: float
    surface_per_um: float
    euler_per_um3: float
    largest_share: float
    chord_x_nm: float
    chord_y_nm: float
    chord_z_nm: float
    representative: str
    patches: int = 0
    patch_solid_fraction: float = float("nan")
    patch_solid_fraction_low: float = float("nan")
    patch_solid_fraction_high: float = float("nan")
    patch_e_tpcf: float = float("nan")
    patch_e_tpcf_low: float = float("nan")
    patch_e_tpcf_high: float = float("nan")
    patch_e_lpf: float = float("nan")
    patch_e_lpf_low: float = float("nan")
    patch_e_lpf_high: float = float("nan")
    patch_e_d: float = float("nan")
    patch_e_d_low: float = float("nan")
    patch_e_d_high: float = float("nan")
    band_sigmas: float = float("nan")
    phase_fractions: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a person should know: a stable ``kind``, the measurement, its limit, and the remedy."""

    kind: str
    slice_index: int
    message: str
    measurement: float = float("nan")
    limit: float = float("nan")
    evidence: Mapping[str, float] = field(default_factory=dict[str, float])
    remedy: str = ""
