"""The whole configuration: the tables of ``config.toml`` together."""

from __future__ import annotations

from pydantic import Field, model_validator

from daemon.config.acquisition import (
    ChannelSection,
    FiducialSection,
    GeometrySection,
    RulerSection,
    RunSection,
    SidecarSection,
)
from daemon.config.processing import DriftSection, SegmentationSection, VolumeSection
from daemon.config.reacting import AbortSection, EmailAction, MonitorSection, PublishSection
from daemon.config.section import Section
from daemon.config.telling import AlertsSection, HealthSection, WatchdogSection


class Configuration(Section):
    """The whole of ``config.toml``."""

    run: RunSection
    channels: tuple[ChannelSection, ...] = Field(min_length=1)
    sidecar: SidecarSection = SidecarSection()
    geometry: GeometrySection = GeometrySection()
    fiducials: tuple[FiducialSection, ...] = ()
    ruler: RulerSection | None = None
    segmentation: SegmentationSection = SegmentationSection()
    volume: VolumeSection = VolumeSection()
    drift: DriftSection = DriftSection()
    abort: AbortSection = AbortSection()
    alerts: AlertsSection = AlertsSection()
    watchdog: WatchdogSection = WatchdogSection()
    health: HealthSection = HealthSection()
    publish: PublishSection = PublishSection()
    monitor: MonitorSection = MonitorSection()

    @model_validator(mode="after")
    def channels_are_distinct(self) -> Configuration:
        """Distinct names, and exactly one reference (the only channel is it without being told)."""
        names = [channel.name for channel in self.channels]
        if len(set(names)) != len(names):
            raise ValueError(f"channel names repeat: {names}")
        told = [(channel.voltage_kv, channel.detector.casefold()) for channel in self.channels]
        if len(set(told)) != len(told):
            raise ValueError("two channels have the same voltage and detector: their images look alike")
        references = sum(channel.reference for channel in self.channels)
        if references != 1 and len(self.channels) > 1:
            raise ValueError(f"exactly one channel has reference = true; {references} have")
        return self

    @model_validator(mode="after")
    def mail_has_a_server(self) -> Configuration:
        """An abort by mail goes through the server of the alerts."""
        actions = (*self.abort.pause_actions, *self.abort.actions)
        if self.alerts.email is None and any(isinstance(action, EmailAction) for action in actions):
            raise ValueError("an abort action 'email' needs [alerts.email]")
        return self

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Channel names in the model's input order."""
        return tuple(channel.name for channel in self.channels)

    @property
    def reference_channel(self) -> str:
        """The channel that the others are registered to."""
        return next((c.name for c in self.channels if c.reference), self.channels[0].name)
