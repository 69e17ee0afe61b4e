"""When people are told of alarms: at once, again until acknowledged, never in a flood. Pure.

Times are UTC in seconds since 1970, so that the state survives a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from daemon.messages import AlarmMessage

_HOUR_S: Final = 3600.0
_URGENT: Final = ("abort", "pause", "daemon")
"""Alarms that begin so are told whatever the limit says: somebody may have minutes to answer."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How often an alarm is repeated, how many letters an hour may bring, and the hour (UTC) of the day's."""

    repeat_s: float
    hourly_limit: int
    digest_hour: int = -1


@dataclass(frozen=True, slots=True)
class Told:
    """What people have been told: when, of each open alarm; when letters left; which day's digest was last;
    why the run is over.
    """

    alarms: Mapping[str, float] = field(default_factory=dict[str, float])
    letters: tuple[float, ...] = ()
    digest: str = ""
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One letter: alarms that are new, and such as nobody has acknowledged since they were told."""

    new: tuple[AlarmMessage, ...] = ()
    again: tuple[AlarmMessage, ...] = ()
    digest: bool = False
    ended: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.new or self.again or self.digest or self.ended)


def due(
    told: Told, alarms: Mapping[str, AlarmMessage], ended: str, *, now_s: float, rules: Rules
) -> tuple[Told, Notice]:
    """What to tell now, and the state once it has been told.

    ``ended`` is why the run is over, empty while it is not. What the hourly limit keeps back is told together
    as soon as it allows; urgent alarms do not wait. A clock that was set back makes nothing wait for the day
    that it had already been: what was told then counts as told now.
    """
    told = _not_in_the_future(told, now_s)
    told = replace(told, letters=tuple(at for at in told.letters if now_s - at < _HOUR_S))
    unseen = [alarm for alarm in alarms.values() if not alarm.acknowledged_by]
    new = [alarm for alarm in unseen if alarm.id not in told.alarms]
    again = [a for a in unseen if a.id in told.alarms and now_s - told.alarms[a.id] >= rules.repeat_s]
    if len(told.letters) >= rules.hourly_limit and not any(a.kind.startswith(_URGENT) for a in new):
        new, again = [], []
    day, digest = _digest(told, now_s, rules)
    is_over = ended if ended != told.ended else ""
    notice = Notice(tuple(new), tuple(again), digest, is_over)
    told = replace(told, digest=day, ended=ended)
    return (told if notice.is_empty else _after(told, notice, unseen, now_s)), notice


def together(earlier: Notice, later: Notice) -> Notice:
    """Two letters as one, for who has not taken the first: each alarm once, as it was told last."""
    new = {alarm.id: alarm for alarm in (*earlier.new, *later.new)}
    again = {alarm.id: alarm for alarm in (*earlier.again, *later.again) if alarm.id not in new}
    ended = later.ended or earlier.ended
    return Notice(tuple(new.values()), tuple(again.values()), earlier.digest or later.digest, ended)


def _not_in_the_future(told: Told, now_s: float) -> Told:
    alarms = {identifier: min(at, now_s) for identifier, at in told.alarms.items()}
    return replace(told, alarms=alarms, letters=tuple(min(at, now_s) for at in told.letters))


def _after(told: Told, notice: Notice, unseen: list[AlarmMessage], now_s: float) -> Told:
    """Acknowledged alarms are forgotten; those that were told are told from now on."""
    open_ = {alarm.id for alarm in unseen}
    kept = {identifier: at for identifier, at in told.alarms.items() if identifier in open_}
    kept |= {alarm.id: now_s for alarm in (*notice.new, *notice.again)}
    return replace(told, alarms=kept, letters=(*told.letters, now_s))


def _digest(told: Told, now_s: float, rules: Rules) -> tuple[str, bool]:
    """The day that is done with, and whether its digest is due; the day of the start has none."""
    if rules.digest_hour < 0:
        return told.digest, False
    now = datetime.fromtimestamp(now_s, UTC)
    today = now.date().isoformat()
    if told.digest == "":
        return today if now.hour >= rules.digest_hour else "waiting", False
    is_due = now.hour >= rules.digest_hour and told.digest != today
    return (today if is_due else told.digest), is_due
