"""The outside watchdog: one look at a daemon from another process, for a timer to repeat.

A dead daemon cannot say that it is dead. This asks it for its heartbeat, reads in its journal whether it
ended on purpose, and tells people itself, through the same receivers. What it has told stands in its own
state file, so that the next look repeats it no sooner than it should.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from daemon.alerts.delivery import deliver
from daemon.alerts.policy import Notice, Rules, Told, due
from daemon.client import Client
from daemon.config import Configuration, WatchdogSection, load
from daemon.errors import JournalError, UnreachableError, WireError
from daemon.journal_bodies import read_records
from daemon.keys import read_client_key
from daemon.messages import AlarmMessage, HeartbeatMessage
from daemon.outputs import Outputs
from daemon.view import RunView
from daemon.volume_store import write_atomically

_log = structlog.get_logger("slicewatch")
_ANSWER_WITHIN_S: Final = 10.0
_DEAD, _HUNG, _BACK = "daemon dead", "daemon hung", "daemon answers again"

_START_AGAIN: Final = (
    "Drift is not watched now. Look at its log (journalctl -u 'slicewatch@*') and start it again: "
    "it goes on where it was."
)


@dataclass(frozen=True, slots=True)
class Sign:
    """What was seen of a daemon: whether it should run, whether it answers, and when its loop last got on."""

    expected: bool
    answers: bool
    progress_age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What the last look left: since when nothing answers (UTC, s), and what people have been told."""

    silent_since: float | None = None
    told: Told = field(default_factory=Told)


def look(
    path: Path, state: Path, now: Callable[[], datetime], answer_within_s: float = _ANSWER_WITHIN_S
) -> int:
    """Look at the daemon of a configuration, tell people if need be; 0: all is well, 5: dead or hung.

    Raises
    ------
    ConfigurationError
        The configuration cannot be used.
    StoreError
        The state file cannot be written.
    """
    configuration = load(path)
    now_s = now().timestamp()
    sign = seen(configuration, answer_within_s)
    memory, kind = judged(_recalled(state), sign, configuration.watchdog, now_s)
    alarm = _alarm(kind, sign, memory, configuration, now_s)
    memory = _tell(configuration, memory, alarm, now_s)
    write_atomically(state, msgspec.json.encode(memory).decode())
    _log.info("watchdog.looked", verdict=kind or "well", expected=sign.expected, answers=sign.answers)
    return 5 if kind in (_DEAD, _HUNG) else 0


def look_once(path: Path, state: Path | None) -> int:
    """``look`` with the clock of this machine; the state lies beside the outputs unless it is told where."""
    return look(path, state or load(path).run.output / "watchdog.json", lambda: datetime.now(UTC))


def judged(memory: Memory, sign: Sign, rules: WatchdogSection, now_s: float) -> tuple[Memory, str]:
    """The memory after this look, and what is the matter: ``daemon dead``, ``daemon hung`` or nothing.

    A daemon that systemd restarts is silent for a moment: only a longer silence is told.
    """
    if not sign.expected:
        return Memory(None, memory.told), ""
    if not sign.answers:
        since = memory.silent_since if memory.silent_since is not None else now_s
        dead = now_s - since >= rules.dead_after_s
        return Memory(since, memory.told), _DEAD if dead else ""
    hung = sign.progress_age_s > rules.hung_after_s
    return Memory(None, memory.told), _HUNG if hung else ""


def seen(configuration: Configuration, answer_within_s: float) -> Sign:
    """Ask the journal whether a daemon should run, and then the daemon."""
    if not _is_expected(Outputs(configuration.run.output).journal):
        return Sign(expected=False, answers=False)
    key, control = read_client_key(configuration.watchdog.key_file), configuration.publish.control
    with Client(control=control, key=key, timeout_s=answer_within_s) as client:
        try:
            event = client.latest("heartbeat")
        except UnreachableError:
            return Sign(expected=True, answers=False)
        except WireError:
            return Sign(expected=True, answers=True)
    beat = event.message if event else None
    age_s = beat.progress_age_s if isinstance(beat, HeartbeatMessage) else 0.0
    return Sign(expected=True, answers=True, progress_age_s=age_s)


def _is_expected(journal: Path) -> bool:
    """Whether a run was begun and neither finished nor stopped on purpose."""
    if not journal.exists():
        return False
    try:
        started, ended = _last(journal, "started"), _last(journal, "ended")
    except JournalError:
        return True
    return bool(started) and ended.get("epoch") != started.get("epoch")


def _last(journal: Path, kind: str) -> dict[str, Any]:
    _, bodies = read_records(journal, kind)
    return bodies[-1] if bodies else {}


def _alarm(
    kind: str, sign: Sign, memory: Memory, configuration: Configuration, now_s: float
) -> AlarmMessage | None:
    folder = configuration.run.folder.name
    if kind == _DEAD:
        quiet_s = now_s - (memory.silent_since or now_s)
        text = f"the daemon of {folder} does not answer since {quiet_s:.0f} s and has not ended on purpose"
        return _message(kind, text, _START_AGAIN)
    if kind == _HUNG:
        age_s = sign.progress_age_s
        text = f"the daemon of {folder} answers, but its pipeline has not got on for {age_s:.0f} s"
        return _message(kind, text, "A dead share or driver? Restart it; it goes on where it was.")
    if memory.told.alarms:
        is_well = sign.expected
        text = f"the daemon of {folder} is well again" if is_well else f"the run of {folder} is over"
        return _message(_BACK, text, "")
    return None


def _message(kind: str, text: str, remedy: str) -> AlarmMessage:
    return AlarmMessage(id=kind, kind=kind, slice_index=0, message=text, remedy=remedy)


def _tell(configuration: Configuration, memory: Memory, alarm: AlarmMessage | None, now_s: float) -> Memory:
    """Tell what is due; when nobody takes it, the next look tries again."""
    if alarm is None:
        return memory
    rules = Rules(configuration.watchdog.repeat_s, configuration.alerts.hourly_limit)
    told, notice = due(memory.told, {alarm.id: alarm}, "", now_s=now_s, rules=rules)
    if not notice.is_empty and not _delivered(configuration, notice):
        return memory
    return Memory(memory.silent_since, Told(letters=told.letters) if alarm.id == _BACK else told)


def _delivered(configuration: Configuration, notice: Notice) -> bool:
    if not configuration.alerts.has_receivers:
        _log.error("watchdog.nobody", why="no receiver in [alerts]", alarm=notice.new[0].message)
        return True
    return deliver(configuration.alerts, notice, RunView())


def _recalled(state: Path) -> Memory:
    try:
        return msgspec.json.decode(state.read_bytes(), type=Memory)
    except (OSError, msgspec.DecodeError):
        return Memory()
