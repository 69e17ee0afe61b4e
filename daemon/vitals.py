"""What the heartbeat may look at while the loop works, and the messages made of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from math import isnan

import msgspec
import psutil

from daemon.abort.memory import Arming
from daemon.config import Configuration
from daemon.items import FinishReason, RunState, ThicknessSource
from daemon.ledger import Ledger
from daemon.messages import ChannelDescription, EscalationDescription, HeartbeatMessage, RunMessage
from daemon.pipeline_state import Counts
from models.session import Segmenter


@dataclass(slots=True)
class Vitals:
    """Written by the loop, read by the heartbeat's thread: plain values that are replaced whole."""

    started_at: datetime
    state: RunState = RunState.STARTING
    finish_reason: FinishReason | None = None
    detail: str = ""
    arming: Arming | None = None
    escalation: EscalationDescription = field(default_factory=EscalationDescription)
    progressed_s: float = float("nan")
    counts: Counts = field(default_factory=Counts)
    books: Ledger = field(default_factory=lambda: Ledger(0, 0, 0, 0, 0))
    planes: int = 0
    pixel_size_nm: float = float("nan")
    usual_interval_s: float = float("nan")
    last_image_at: datetime | None = None
    source: ThicknessSource = ThicknessSource.TARGET

    @property
    def armed(self) -> bool:
        """Whether sustained drift stops the microscope."""
        return self.arming is not None and self.arming.armed

    @property
    def ledger(self) -> dict[str, int]:
        """The books as the wire carries them."""
        return asdict(self.books)


@dataclass(frozen=True, slots=True)
class Refusals:
    """What the sockets turned away: pictures, frames that were no requests, forbidden requests, peers."""

    previews: int
    garbage: int
    forbidden: int
    peers: int


def run_message(
    vitals: Vitals, configuration: Configuration, segmenter: Segmenter, expected: int
) -> RunMessage:
    """What is being acquired, with what, and how far it has come."""
    roi = configuration.geometry.roi
    return RunMessage(
        state=vitals.state,
        finish_reason=vitals.finish_reason,
        detail=vitals.detail,
        project=str(configuration.run.folder),
        channels=tuple(
            ChannelDescription(c.name, c.voltage_kv, c.name == configuration.reference_channel)
            for c in configuration.channels
        ),
        slices_done=vitals.counts.slices,
        slices_expected=expected,
        gaps=vitals.counts.gaps,
        planes=vitals.planes,
        thickness_source=vitals.source,
        target_thickness_nm=configuration.geometry.target_thickness_nm,
        limits_nm=configuration.drift.limits_nm,
        pixel_size_nm=vitals.pixel_size_nm,
        roi=(roi.x, roi.y, roi.width, roi.height),
        grid_nm=configuration.volume.grid_nm,
        armed=vitals.armed,
        armed_by=vitals.arming.by if vitals.arming else "",
        armed_at=vitals.arming.at if vitals.arming else None,
        escalation=vitals.escalation,
        device=segmenter.provider.removesuffix("ExecutionProvider"),
        provider=segmenter.provider,
        provider_wanted=next(iter(configuration.segmentation.providers), ""),
        model=segmenter.spec.name,
        model_sha256=segmenter.spec.sha256,
        registration="fiducials" if configuration.fiducials else "face",
        usual_interval_s=vitals.usual_interval_s,
        started_at=vitals.started_at,
        last_image_at=vitals.last_image_at,
        ledger=vitals.ledger,
        ledger_balanced=vitals.books.imbalance == 0,
    )


def heartbeat_message(
    vitals: Vitals, *, interval_s: float, now: datetime, now_s: float, refusals: Refusals
) -> HeartbeatMessage:
    """The sign of life; ``now_s`` is the monotonic clock that the loop notes its progress by."""
    last = vitals.last_image_at
    uptime_s = (now - vitals.started_at).total_seconds()
    # A loop that hangs before it has ever got on hangs since the start.
    progress_age_s = uptime_s if isnan(vitals.progressed_s) else now_s - vitals.progressed_s
    return HeartbeatMessage(
        state=vitals.state,
        interval_s=interval_s,
        uptime_s=uptime_s,
        last_image_age_s=(now - last).total_seconds() if last else float("nan"),
        progress_age_s=progress_age_s,
        armed=vitals.armed,
        escalation=left_now(vitals.escalation, now),
        rss_mib=psutil.Process().memory_info().rss / 2**20,
        ledger=vitals.ledger,
        ledger_balanced=vitals.books.imbalance == 0,
        previews_withheld=refusals.previews,
        requests_refused=refusals.garbage,
        requests_forbidden=refusals.forbidden,
        peers_refused=refusals.peers,
    )


def left_now(told: EscalationDescription, now: datetime) -> EscalationDescription:
    """The same with the seconds of grace that are left at this moment."""
    if told.ends_at is None:
        return told
    return msgspec.structs.replace(told, grace_left_s=max(0.0, (told.ends_at - now).total_seconds()))
