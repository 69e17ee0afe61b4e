"""What the daemon says (DESIGN §7): one frozen record per topic, with the unit in every field's name.

``docs/protocol.md`` is the reference for other languages. Shifts are (dy, dx) px to be added to a coordinate
of the moving image; depth grows into the sample; an unknown number is NaN. ``daemon.wire`` makes them bytes.
The key of a record says which earlier record of its topic it replaces: a slice's thickness is told again when
its other images arrive, and a late client needs only the last word.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import ClassVar

import msgspec

from daemon import items
from daemon.descriptions import ChannelDescription, ChannelPlacement, EscalationDescription
from daemon.items import FinishReason, RunState, Status, ThicknessSource
from daemon.message import NAN, Array, Message
from daemon.metrics_message import MetricsMessage


class RunMessage(Message, frozen=True, kw_only=True):
    """What is being acquired, with what, and how far it has come."""

    topic: ClassVar[str] = "run"
    state: RunState
    finish_reason: FinishReason | None = None
    detail: str = ""
    project: str = ""
    channels: tuple[ChannelDescription, ...] = ()
    slices_done: int = 0
    slices_expected: int = 0
    gaps: int = 0
    planes: int = 0
    thickness_source: ThicknessSource = ThicknessSource.TARGET
    target_thickness_nm: float = NAN
    limits_nm: tuple[float, float] = (NAN, NAN)
    pixel_size_nm: float = NAN
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)
    grid_nm: float = NAN
    armed: bool = False
    armed_by: str = ""
    armed_at: datetime | None = None
    escalation: EscalationDescription = EscalationDescription()
    device: str = ""
    provider: str = ""
    provider_wanted: str = ""
    model: str = ""
    model_sha256: str = ""
    registration: str = ""
    usual_interval_s: float = NAN
    started_at: datetime | None = None
    last_image_at: datetime | None = None
    ledger: dict[str, int] = msgspec.field(default_factory=dict)
    ledger_balanced: bool = True


class SliceMessage(Message, frozen=True, kw_only=True):
    """A slice index and how far it has come: provisional at once, final three slices later, or a gap."""

    topic: ClassVar[str] = "slice"
    index: int
    status: Status
    reason: str = ""
    channels: dict[str, ChannelPlacement] = msgspec.field(default_factory=dict)
    z_plane: int | None = None
    displacement_nm: float = NAN

    @property
    def key(self) -> Hashable:
        """The slice index."""
        return self.index


class ThicknessMessage(Message, frozen=True, kw_only=True):
    """Depth of a face below the first and thickness of the slice milled before it, nm, with σ."""

    topic: ClassVar[str] = "thickness"
    index: int
    depth_nm: float
    depth_sigma_nm: float = NAN
    thickness_nm: float = NAN
    thickness_sigma_nm: float = NAN
    source: ThicknessSource
    asv_nm: float = NAN
    similarity_nm: float = NAN
    taper_nm: float = NAN
    taper_sigma_nm: float = NAN
    channels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    marks: tuple[items.FoundMark, ...] = ()
    mean_of_slices: int = 1

    @property
    def key(self) -> Hashable:
        """The slice index."""
        return self.index


class DriftMessage(Message, frozen=True, kw_only=True):
    """The sequential test after one slice: named statistics, the threshold they share, and the verdict."""

    topic: ClassVar[str] = "drift"
    index: int
    statistics: dict[str, float] = msgspec.field(default_factory=dict)
    threshold: float = NAN
    verdict: str = ""
    alarm: bool = False
    mean_nm: float = NAN
    sigma_nm: float = NAN

    @property
    def key(self) -> Hashable:
        """The slice index."""
        return self.index


class AlarmMessage(Message, frozen=True, kw_only=True):
    """Something a person should know; told again, with a name, when it has been acknowledged."""

    topic: ClassVar[str] = "alarm"
    id: str
    kind: str
    slice_index: int
    message: str
    measurement: float = NAN
    limit: float = NAN
    evidence: dict[str, float] = msgspec.field(default_factory=dict)
    remedy: str = ""
    acknowledged_by: str = ""

    @property
    def key(self) -> Hashable:
        """The alarm's identifier."""
        return self.id


class PlanesMessage(Message, frozen=True, kw_only=True):
    """Planes ``first … first + count`` of the volume have become final; ``shape`` (z, y, x) is all of it."""

    topic: ClassVar[str] = "planes"
    first: int
    count: int
    shape: tuple[int, int, int]
    grid_nm: float = NAN


class PreviewMessage(Message, frozen=True, kw_only=True):
    """Small pictures of the latest slice and of the volume; the only message that may lose its arrays.

    Arrays, all uint8: ``image/NAME`` (y, x) the registered images; ``labels`` (y, x) phases; ``solid`` (y, x)
    probability of the solid, 255 = 1; ``cut/xy``, ``cut/xz``, ``cut/yz`` labels of the volume, rows then
    columns as (y, x), (z, x), (z, y). ``cut_at`` holds the position of each cut in planes of the volume;
    the first ``cut_final_rows`` rows of ``cut/xz`` and ``cut/yz`` are final, those below may still change.
    """

    topic: ClassVar[str] = "preview"
    index: int
    status: Status = Status.PROVISIONAL
    image_pixel_nm: tuple[float, float] = (NAN, NAN)
    cut_pixel_nm: float = NAN
    cut_at: dict[str, int] = msgspec.field(default_factory=dict)
    cut_final_rows: int = 0


class HeartbeatMessage(Message, frozen=True, kw_only=True):
    """The daemon lives; silence of three ``interval_s`` means that it does not."""

    topic: ClassVar[str] = "heartbeat"
    state: RunState
    interval_s: float
    uptime_s: float = NAN
    last_image_age_s: float = NAN
    progress_age_s: float = NAN
    rss_mib: float = NAN
    armed: bool = False
    escalation: EscalationDescription = EscalationDescription()
    ledger: dict[str, int] = msgspec.field(default_factory=dict)
    ledger_balanced: bool = True
    previews_withheld: int = 0
    requests_refused: int = 0
    requests_forbidden: int = 0
    peers_refused: int = 0


UNKNOWN = items.DomainStanding(NAN, NAN)
"""Of a channel that is not compared with known images."""

TYPES: Mapping[str, type[Message]] = {
    kind.topic: kind
    for kind in (
        RunMessage,
        SliceMessage,
        ThicknessMessage,
        DriftMessage,
        AlarmMessage,
        PlanesMessage,
        MetricsMessage,
        PreviewMessage,
        HeartbeatMessage,
    )
}


def thickness_message(thickness: items.Thickness) -> ThicknessMessage:
    """The message that tells a thickness."""
    return ThicknessMessage(
        index=thickness.index,
        depth_nm=thickness.depth_nm,
        depth_sigma_nm=thickness.depth_sigma_nm,
        thickness_nm=thickness.thickness_nm,
        thickness_sigma_nm=thickness.thickness_sigma_nm,
        source=thickness.source,
        asv_nm=thickness.asv_nm,
        similarity_nm=thickness.similarity_nm,
        taper_nm=thickness.taper_nm,
        taper_sigma_nm=thickness.taper_sigma_nm,
        channels=thickness.channels,
        notes=thickness.notes,
        marks=thickness.marks,
        mean_of_slices=thickness.mean_of_slices,
    )


def slice_message(
    index: int,
    status: Status,
    shifts: Mapping[str, items.ChannelShift],
    domain: Mapping[str, items.DomainStanding],
    placed: items.PlacedSlice | None = None,
) -> SliceMessage:
    """The message that tells how far a slice has come, and where it was ``placed`` if it was."""
    channels = {name: _placement(shift, domain.get(name, UNKNOWN)) for name, shift in shifts.items()}
    told = SliceMessage(index=index, status=status, channels=channels)
    if placed is None:
        return told
    return msgspec.structs.replace(told, z_plane=placed.z_plane, displacement_nm=placed.displacement_nm)


def _placement(shift: items.ChannelShift, standing: items.DomainStanding) -> ChannelPlacement:
    return ChannelPlacement(
        shift.dy_px,
        shift.dx_px,
        shift.sigma_px,
        shift.quality,
        shift.source,
        shift.notes,
        shift.fiducials,
        standing.distance,
        standing.limit,
    )


def metrics_message(metrics: items.Metrics, curves: Mapping[str, Array] | None = None) -> MetricsMessage:
    """The message that tells the figures after a plane, with their curves if given."""
    return MetricsMessage(**asdict(metrics), arrays=dict(curves or {}))


def alarm_message(identifier: str, alarm: items.Alarm, acknowledged_by: str = "") -> AlarmMessage:
    """The message that tells an alarm, or that ``acknowledged_by`` has seen it."""
    return AlarmMessage(
        id=identifier,
        kind=alarm.kind,
        slice_index=alarm.slice_index,
        message=alarm.message,
        measurement=alarm.measurement,
        limit=alarm.limit,
        evidence=dict(alarm.evidence),
        remedy=alarm.remedy,
        acknowledged_by=acknowledged_by,
    )
