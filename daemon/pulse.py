"""The loop's pulse: noted for the heartbeat, and passed on to systemd's watchdog.

Only progress of the loop feeds the watchdog. A run that waits for images beats at every turn; one that hangs
in a driver or on a dead share does not, and is restarted. The heartbeat's own thread would beat for ever.
"""

from __future__ import annotations

from typing import Final

from daemon.operating_system import notify
from daemon.vitals import Vitals

_APART_S: Final = 1.0


def beat(vitals: Vitals, now_s: float) -> None:
    """Note progress at ``now_s`` (monotonic); systemd is told at most once a second."""
    if vitals.progressed_s > now_s - _APART_S:
        return
    vitals.progressed_s = now_s
    notify("WATCHDOG=1")
