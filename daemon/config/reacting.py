"""Tables that say how the daemon acts on the microscope, and where it speaks: abort, sockets, monitor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from daemon.config.section import Section
from daemon.config.telling import WebhookTarget


class Action(Section):
    """Something that may stop the microscope; one attempt ends after ``timeout_s``."""

    timeout_s: float = Field(default=30.0, gt=0.0, le=600.0)


class FileAction(Action):
    """Write a sentinel file that the microscope's script watches; it confirms by writing ``answer``."""

    kind: Literal["file"]
    path: Path
    answer: Path | None = None


class CommandAction(Action):
    """Run a program, without a shell; exit status 0 confirms."""

    kind: Literal["command"]
    argv: tuple[str, ...] = Field(min_length=1)


class TcpAction(Action):
    """Send a line to a program beside the microscope; a line that begins with OK confirms."""

    kind: Literal["tcp"]
    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    say: Literal["", "PAUSE", "STOP", "THICKNESS"] = ""


class WebhookAction(WebhookTarget):
    """Post the order as JSON; only an answer with ``"stopped": true`` (``"paused"``) confirms."""

    kind: Literal["webhook"]


class EmailAction(Action):
    """Mail the order through [alerts.email]; delivered at most, never confirmed."""

    kind: Literal["email"]
    to: tuple[str, ...] = ()


class AutoscriptAction(Action):
    """Stop patterning and imaging through OpenFIBSEM; the beam's state, read back, confirms."""

    kind: Literal["autoscript"]
    manufacturer: Literal["Thermo", "Tescan", "Demo"] = "Thermo"
    host: str = Field(default="localhost", min_length=1)
    configuration: Path | None = None


AnyAction = Annotated[
    FileAction | CommandAction | TcpAction | WebhookAction | EmailAction | AutoscriptAction,
    Field(discriminator="kind"),
]


class AbortSection(Section):
    """What an alarm of drifting thickness may do; unarmed it only tells."""

    armed: bool = False
    grace_s: float = Field(default=0.0, ge=0.0, le=86_400.0)
    pause_actions: tuple[AnyAction, ...] = ()
    actions: tuple[AnyAction, ...] = ()
    attempts: int = Field(default=3, ge=1, le=20)
    retry_wait_s: float = Field(default=2.0, ge=0.0, le=60.0)


class PublishSection(Section):
    """ZeroMQ endpoints; loopback only, until CURVE keys are configured."""

    events: str = "tcp://127.0.0.1:5555"
    control: str = "tcp://127.0.0.1:5556"
    curve_keys: str = ""


class MonitorSection(Section):
    """Where the dashboard listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8050, ge=0, le=65535)
