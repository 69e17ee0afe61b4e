"""The configuration (DESIGN §6): every key, its unit and its default; read from TOML and the environment.

``load`` is the only way in. Unknown keys are refused with the nearest known name. An environment variable
``SLICEWATCH_<TABLE>__<KEY>`` (for example ``SLICEWATCH_PUBLISH__EVENTS``) overrides the file.
Relative paths are relative to the configuration file.
"""

from daemon.config.acquisition import (
    DEFAULT_FILE_PATTERN,
    ChannelSection,
    FiducialSection,
    GeometrySection,
    MarkSection,
    Region,
    RulerSection,
    RunSection,
    SidecarSection,
)
from daemon.config.configuration import Configuration
from daemon.config.loading import as_toml_table, load, parse
from daemon.config.processing import DriftSection, SegmentationSection, VolumeSection
from daemon.config.reacting import (
    AbortSection,
    AnyAction,
    AutoscriptAction,
    CommandAction,
    EmailAction,
    FileAction,
    MonitorSection,
    PublishSection,
    TcpAction,
    WebhookAction,
)
from daemon.config.section import Section
from daemon.config.telling import (
    AlertsSection,
    AlertWebhook,
    EmailSection,
    HealthSection,
    WatchdogSection,
    WebhookTarget,
)

__all__ = [
    "DEFAULT_FILE_PATTERN",
    "AbortSection",
    "AlertWebhook",
    "AlertsSection",
    "AnyAction",
    "AutoscriptAction",
    "ChannelSection",
    "CommandAction",
    "Configuration",
    "DriftSection",
    "EmailAction",
    "EmailSection",
    "FiducialSection",
    "FileAction",
    "GeometrySection",
    "HealthSection",
    "MarkSection",
    "MonitorSection",
    "PublishSection",
    "Region",
    "RulerSection",
    "RunSection",
    "Section",
    "SegmentationSection",
    "SidecarSection",
    "TcpAction",
    "VolumeSection",
    "WatchdogSection",
    "WebhookAction",
    "WebhookTarget",
    "as_toml_table",
    "load",
    "parse",
]
