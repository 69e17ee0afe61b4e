"""Tables that say how the daemon tells and acts: abort, sockets, monitor."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from daemon.config.section import Section


class FileAction(Section):
    """Write a sentinel file that the microscope's script watches."""

    kind: Literal["file"]
    path: Path


class AbortSection(Section):
    """What an alarm of drifting thickness may do; unarmed it only tells."""

    armed: bool = False
    actions: tuple[FileAction, ...] = ()


class PublishSection(Section):
    """ZeroMQ endpoints; loopback only, until CURVE keys are configured."""

    events: str = "tcp://127.0.0.1:5555"
    control: str = "tcp://127.0.0.1:5556"
    curve_keys: str = ""


class MonitorSection(Section):
    """Where the dashboard listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8050, ge=0, le=65535)
