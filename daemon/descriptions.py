"""What stands inside messages: channels, where they lie, and how far an abort has come."""

from __future__ import annotations

from datetime import datetime

import msgspec

from daemon.items import FoundFiducial


class ChannelDescription(msgspec.Struct, frozen=True):
    """One image of every slice, in the model's input order."""

    name: str
    voltage_kv: float
    reference: bool


class EscalationDescription(msgspec.Struct, frozen=True):
    """How far an alarm has come on its way to the microscope.

    ``stage`` is ``quiet``, ``grace``, ``aborting`` or ``aborted``.
    Acknowledging ``alarm`` or ``told_as`` before ``ends_at`` calls the abort off.
    """

    stage: str = "quiet"
    alarm: str = ""
    told_as: str = ""
    cause: str = ""
    ends_at: datetime | None = None
    grace_left_s: float = float("nan")


class ChannelPlacement(msgspec.Struct, frozen=True):
    """How one image of a slice was registered; quality 0…1, ``source`` fiducial or face. And how far it is
    from those that the network knows, with the limit of that; NaN where that is not compared."""

    dy_px: float
    dx_px: float
    sigma_px: float
    quality: float
    source: str
    notes: tuple[str, ...] = ()
    fiducials: tuple[FoundFiducial, ...] = ()
    domain_distance: float = float("nan")
    domain_limit: float = float("nan")
