"""The outside watchdog: one look at a daemon from another process, for a timer to repeat.

A dead daemon cannot say that it is dead. This asks it for its heartbeat, reads in its journal, if it is
silent, whether it ended on purpose, and tells people itself, through the same receivers. An answer counts
only if it names the run of the journal, and for no more than the age of the heartbeat in it. What it has told
stands in its own state file, so that the next look repeats it no sooner than it should.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from daemon.alerts.debts import OWED, owed_in
from daemon.alerts.delivery import deliver, is_taken, receivers
from daemon.alerts.policy import Notice, Rules, Told, due
from daemon.client import Answer, Client
from daemon.config import Configuration, WatchdogSection, load
from daemon.errors import JournalError, StoreError, UnreachableError, WireError
from daemon.journal_bodies import read_records, read_run
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
    """What was seen of a daemon: whether it should run, whether it answers, when its loop last got on, and
    whether its journal was there to tell.

    ``beat_age_s``: how old its last heartbeat is, by its own clock. ``run``: the run that was asked for, if
    anything tells it. ``why``: what was heard instead of an answer of this run.
    """

    expected: bool
    answers: bool
    progress_age_s: float = 0.0
    journal: bool = True
    beat_age_s: float = 0.0
    run: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the last look left: since when nothing answers (UTC, s), whether a daemon should have run then,
    what people have been told, and which receivers have had the letters that the daemon owed them. ``run``
    is the run that was looked after.
    """

    silent_since: float | None = None
    expected: bool = False
    run: str = ""
    told: Told = field(default_factory=Told)
    paid: tuple[str, ...] = ()


def look(
    path: Path, state: Path, now: Callable[[], datetime], answer_within_s: float = _ANSWER_WITHIN_S
) -> int:
    """Look at the daemon of a configuration, tell people if need be; 0: all is well, 5: dead or hung.

    Where the state cannot be kept, a silence cannot be measured over several looks: it is told at once.

    Raises
    ------
    ConfigurationError
        The configuration cannot be used.
    StoreError
        The state file cannot be written, and nothing else is the matter.
    """
    configuration = load(path)
    now_s = now().timestamp()
    before = _recalled(state)
    sign = seen(configuration, before, answer_within_s)
    memory, kind = judged(before, sign, configuration.watchdog, now_s)
    problem = _kept(state, memory)
    if problem is not None and sign.expected and not sign.answers:
        kind = _DEAD
    alarm = _alarm(kind, sign, memory, configuration, now_s)
    memory = _tell(configuration, memory, alarm, now_s)
    if not sign.answers:
        memory = _pay_debts(configuration, memory)
    problem = _kept(state, memory)
    _log.info("watchdog.looked", verdict=kind or "well", expected=sign.expected, answers=sign.answers)
    if kind not in (_DEAD, _HUNG) and problem is not None:
        raise problem
    return 5 if kind in (_DEAD, _HUNG) else 0


def look_once(path: Path, state: Path | None) -> int:
    """``look`` with the clock of this machine.

    Unless it is told where, the state lies beside the configuration: beside the outputs it would go with
    the disk whose loss it is to tell.
    """
    return look(path, state or path.with_suffix(".watchdog.json"), lambda: datetime.now(UTC))


def judged(memory: Memory, sign: Sign, rules: WatchdogSection, now_s: float) -> tuple[Memory, str]:
    """The memory after this look, and what is the matter: ``daemon dead``, ``daemon hung`` or nothing.

    A daemon that systemd restarts is silent for a moment: only a longer silence is told.
    """
    memory = replace(memory, expected=sign.expected, run=sign.run)
    if not sign.expected:
        return replace(memory, silent_since=None), ""
    if not sign.answers:
        # a clock that was set back does not make the silence begin in the future
        since = min(now_s, memory.silent_since if memory.silent_since is not None else now_s)
        dead = now_s - since >= rules.dead_after_s
        return replace(memory, silent_since=since), _DEAD if dead else ""
    hung = sign.progress_age_s > rules.hung_after_s or sign.beat_age_s > rules.dead_after_s
    return replace(memory, silent_since=None), _HUNG if hung else ""


def seen(configuration: Configuration, before: Memory, answer_within_s: float) -> Sign:
    """Ask the daemon; if it does not answer, or another one does, its journal whether it should."""
    journal = Outputs(configuration.run.output).journal
    run = _run_of(journal) or before.run
    key, control = read_client_key(configuration.watchdog.key_file), configuration.publish.control
    with Client(control=control, key=key, timeout_s=answer_within_s) as client:
        try:
            answer = client.last("heartbeat")
        except WireError as error:
            why = "" if isinstance(error, UnreachableError) else error.what
            return replace(_silent(journal, before), run=run, why=why)
    if run and answer.envelope.run != run:
        return replace(_silent(journal, before), run=run, why="another run's daemon answers in its place")
    if not answer.events:
        return replace(_silent(journal, before), run=run, why="it answers and has never sent a heartbeat")
    return replace(_alive(answer), run=run)


def _alive(answer: Answer) -> Sign:
    """A daemon by its last heartbeat: what that says was true when it was sent."""
    event = answer.events[-1]
    beat_age_s = max(0.0, (answer.envelope.time - event.envelope.time).total_seconds())
    age_s = event.message.progress_age_s if isinstance(event.message, HeartbeatMessage) else 0.0
    return Sign(expected=True, answers=True, progress_age_s=age_s + beat_age_s, beat_age_s=beat_age_s)


def _run_of(journal: Path) -> str:
    """The run that the journal is of; empty if it cannot tell."""
    try:
        return read_run(journal) if _is_there(journal) else ""
    except (JournalError, StoreError):
        return ""


def _silent(journal: Path, before: Memory) -> Sign:
    """A daemon that does not answer: it should, if a run was begun and not ended on purpose.

    A journal that is gone, with its disk or its share, cannot tell: what was true at the last look still is.
    """
    if not _is_there(journal):
        return Sign(expected=before.expected, answers=False, journal=False)
    try:
        started, ended = _last(journal, "started"), _last(journal, "ended")
    except (JournalError, StoreError):
        return Sign(expected=True, answers=False)
    expected = bool(started) and ended.get("epoch") != started.get("epoch")
    return Sign(expected=expected, answers=False)


def _is_there(journal: Path) -> bool:
    try:
        return journal.stat().st_size > 0
    except OSError:
        return False


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
        text += f": {sign.why}" if sign.why else ""
        if not sign.journal:
            text = f"the daemon of {folder} does not answer since {quiet_s:.0f} s and its journal is gone"
            return _message(kind, text, f"Is the disk of {configuration.run.output} there? {_START_AGAIN}")
        return _message(kind, text, _START_AGAIN)
    if kind == _HUNG:
        text = f"the daemon of {folder} answers, but {_hung(sign, configuration.watchdog)}"
        return _message(kind, text, "A dead share or driver? Restart it; it goes on where it was.")
    if memory.told.alarms:
        is_well = sign.expected
        text = f"the daemon of {folder} is well again" if is_well else f"the run of {folder} is over"
        return _message(_BACK, text, "")
    return None


def _hung(sign: Sign, rules: WatchdogSection) -> str:
    if sign.progress_age_s > rules.hung_after_s:
        return f"its pipeline has not got on for {sign.progress_age_s:.0f} s"
    return f"its last heartbeat is {sign.beat_age_s:.0f} s old"


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
    return replace(memory, told=Told(letters=told.letters) if alarm.id == _BACK else told)


def _pay_debts(configuration: Configuration, memory: Memory) -> Memory:
    """Deliver what the daemon has not been able to, once; its file is the daemon's and stays."""
    path = configuration.run.output / OWED
    owed = owed_in(path)
    if not owed:
        return memory
    mark = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    paid = {name for name in memory.paid if name.startswith(mark)}
    for name in receivers(configuration.alerts):
        if (
            name in owed
            and f"{mark} {name}" not in paid
            and is_taken(configuration.alerts, name, owed[name], RunView())
        ):
            paid.add(f"{mark} {name}")
    return replace(memory, paid=tuple(sorted(paid)))


def _delivered(configuration: Configuration, notice: Notice) -> bool:
    if not configuration.alerts.has_receivers:
        _log.error("watchdog.nobody", why="no receiver in [alerts]", alarm=notice.new[0].message)
        return True
    return deliver(configuration.alerts, notice, RunView())


def _kept(state: Path, memory: Memory) -> StoreError | None:
    """Keep what this look has left; why that failed."""
    try:
        write_atomically(state, msgspec.json.encode(memory).decode())
    except StoreError as error:
        return error
    return None


def _recalled(state: Path) -> Memory:
    try:
        return msgspec.json.decode(state.read_bytes(), type=Memory)
    except (OSError, msgspec.DecodeError):
        return Memory()
