"""Which channel a folder delivers: it never decides what an image is, it helps to say what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from daemon.assembly_state import AssemblyState, FolderHabit, FrameRecord

_FIRM_HABIT: Final = 10
"""A folder that has delivered one channel so often may err as often before it is said to deliver several."""


def has_delivered(state: AssemblyState, path: Path) -> bool:
    """Whether the file's folder has ever contributed to the run."""
    return any(habit.folder == str(path.parent) for habit in state.habits)


def habitual_channel(state: AssemblyState, path: Path) -> int:
    """The channel that the file's folder has always delivered; -1 if none or several."""
    folder = str(path.parent)
    return next((habit.channel for habit in state.habits if habit.folder == folder), -1)


def with_habit(state: AssemblyState, record: FrameRecord) -> AssemblyState:
    """Remember which channel a folder delivers."""
    folder = str(Path(record.path).parent)
    known = next((habit for habit in state.habits if habit.folder == folder), None)
    if known is not None and known.channel == -1:
        return state
    if known is None:
        habit = FolderHabit(folder, record.channel)
    elif known.channel == record.channel:
        habit = replace(known, times=min(known.times + 1, _FIRM_HABIT))
    else:
        habit = replace(known, times=known.times - 1, channel=known.channel if known.times > 1 else -1)
    return replace(state, habits=(*(h for h in state.habits if h.folder != folder), habit))
