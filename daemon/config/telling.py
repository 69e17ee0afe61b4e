"""Tables that say who is told when something goes wrong, and where figures can be read: alerts, health.

No secret stands in the configuration: passwords and web hooks' addresses are named by file or by environment
variable, so every copy of the configuration (journal, volume metadata, report) is free of them.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from daemon.config.section import Section


class EmailSection(Section):
    """A mail server that takes mail over TLS, and who gets it."""

    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password_file: Path | None = None
    password_env: str = ""
    sender: str = Field(min_length=3)
    to: tuple[str, ...] = Field(min_length=1)
    ca_file: Path | None = None
    timeout_s: float = Field(default=30.0, gt=0.0, le=600.0)

    @model_validator(mode="after")
    def keeps_secrets(self) -> EmailSection:
        """Without TLS only to this machine, and never a password."""
        if self.security == "none" and (self.user or not _is_loopback(self.host)):
            raise ValueError("security = 'none' is for a mail server on this machine, without user")
        if self.user and not (self.password_file or self.password_env):
            raise ValueError("a user needs password_file or password_env")
        return self


class WebhookTarget(Section):
    """A receiver of JSON over HTTPS; its address is its password, so it is named, not given."""

    name: str = Field(default="webhook", min_length=1, max_length=40)
    url_file: Path | None = None
    url_env: str = ""
    ca_file: Path | None = None
    timeout_s: float = Field(default=15.0, gt=0.0, le=600.0)

    @model_validator(mode="after")
    def has_an_address(self) -> WebhookTarget:
        """One of both ways to find the address."""
        if bool(self.url_file) == bool(self.url_env):
            raise ValueError("a web hook needs either url_file or url_env")
        return self


class AlertWebhook(WebhookTarget):
    """A chat channel: ``slack`` also suits Mattermost and other takers of ``{"text": …}``."""

    format: Literal["slack", "teams"] = "slack"


class AlertsSection(Section):
    """Who is told of alarms, how often, and at what hour (UTC) of the day's summary; -1: none."""

    email: EmailSection | None = None
    webhooks: tuple[AlertWebhook, ...] = ()
    repeat_s: float = Field(default=1800.0, ge=60.0)
    hourly_limit: int = Field(default=12, ge=1, le=1000)
    digest_hour: int = Field(default=-1, ge=-1, le=23)

    @property
    def has_receivers(self) -> bool:
        """Whether anybody would be told."""
        return self.email is not None or bool(self.webhooks)


class WatchdogSection(Section):
    """When the outside watchdog calls the daemon dead or hung, and how often it says so again.

    ``key_file``: a reader's key, where the daemon has keys.
    """

    dead_after_s: float = Field(default=120.0, ge=10.0)
    hung_after_s: float = Field(default=900.0, ge=60.0)
    repeat_s: float = Field(default=3600.0, ge=60.0)
    key_file: Path | None = None


class HealthSection(Section):
    """The Prometheus endpoint; port 0: none. It asks nobody for a key, and shows figures only."""

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    open_to_network: bool = False

    @model_validator(mode="after")
    def stays_on_this_machine(self) -> HealthSection:
        """On another address only if that is wanted in so many words."""
        if not (self.open_to_network or _is_loopback(self.host)):
            raise ValueError(
                f"host = {self.host!r} can be reached from other machines, and nobody is asked for a key: "
                "use 127.0.0.1, or say open_to_network = true"
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
