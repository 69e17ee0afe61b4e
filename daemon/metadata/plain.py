"""Files that say nothing of themselves: the ``[sidecar]`` and ``[[channels]]`` tables speak for them.

Only the configuration's own ``channel_pattern`` may read a channel out of a path. What a file does say wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from daemon.config import ChannelSection, Configuration
from daemon.items import FrameMetadata


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What the configuration says of plain files; ``pixel_size_nm`` 0 means unknown."""

    channels: tuple[ChannelSection, ...]
    channel_pattern: str = ""
    pixel_size_nm: float = 0.0
    tilt_correction: bool = False


def sidecar_of(configuration: Configuration) -> Sidecar:
    """The side-car that a configuration describes."""
    section = configuration.sidecar
    return Sidecar(
        configuration.channels, section.channel_pattern, section.pixel_size_nm, section.tilt_correction
    )


def metadata(path: Path, sidecar: Sidecar) -> FrameMetadata:
    """What the side-car says of a file; voltage and detector are None when its channel is unknown."""
    channel = _channel(path, sidecar)
    return FrameMetadata(
        beam="electron" if channel else "unknown",
        voltage_kv=(channel.voltage_kv or None) if channel else None,
        detector=(channel.detector or None) if channel else None,
        pixel_size_nm=sidecar.pixel_size_nm or None,
        dwell_s=None,
        tilt_deg=None,
        tilt_correction=sidecar.tilt_correction,
        acquired_at=None,
    )


def completed(said: FrameMetadata, sidecar: Sidecar) -> FrameMetadata:
    """The pixel size a vendor's metadata leaves out, filled in from the side-car."""
    if said.pixel_size_nm is None and sidecar.pixel_size_nm:
        return replace(said, pixel_size_nm=sidecar.pixel_size_nm)
    return said


def _channel(path: Path, sidecar: Sidecar) -> ChannelSection | None:
    """The channel that ``channel_pattern`` names; without a pattern, the only one there is."""
    if not sidecar.channel_pattern:
        return sidecar.channels[0] if len(sidecar.channels) == 1 else None
    found = re.search(sidecar.channel_pattern, path.as_posix())
    name = found.groupdict().get("channel") if found else None
    return next((channel for channel in sidecar.channels if channel.name == name), None)
