"""What comes to the state machine of slices, as a script in a small language.

``image(slice, kV)`` is a file of that slice, ``reject`` one that could not be read, ``After`` time that
passes, ``Tick`` a look at the clock, ``Finish`` the end; ``run`` plays a script, ``told`` puts what came of
it in words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from daemon.assemble import initial, step
from daemon.assembly import (
    ClockSetBack,
    FileRejected,
    Finish,
    FrameAccepted,
    FrameArrived,
    Held,
    Ignored,
    OtherProject,
    Outcome,
    Quarantined,
    Refusal,
    Renumbered,
    SliceComplete,
    Tick,
)
from daemon.assembly_state import AssemblyRules, AssemblyState, ChannelRule
from daemon.codec import pack, unpack
from daemon.items import Frame, FrameMetadata, SliceGap

RULES = AssemblyRules((ChannelRule("1kV", 1.0), ChannelRule("2kV", 2.0)))
START = datetime(2026, 1, 1)


@dataclass(frozen=True)
class After:
    """Seconds that pass before the next event."""

    seconds: float


Script = Sequence[FrameArrived | FileRejected | Tick | Finish | After]


def image(
    index: int, kv: float | None, *, content: str = "", folder: str = "", at_s: float | None = None,
    shape: tuple[int, int] = (4, 6), beam: str = "electron", detector: str = "TLD",
) -> FrameArrived:  # fmt: skip
    """A file of a slice; its content is its own unless given, its folder that of its voltage unless given."""
    taken = START + timedelta(seconds=index * 100.0 + (kv or 0) if at_s is None else at_s)
    path = Path(folder or f"SEM {kv}") / f"{index:03d}.tif"
    sha = hashlib.sha256((content or f"{path}").encode()).hexdigest()
    said = FrameMetadata(beam, kv, detector, 3.26, None, None, None, taken)
    written_ns = int((taken - START).total_seconds() * 1e9) + 10**18
    return FrameArrived(Frame(path, index, np.zeros(shape, np.uint8), said, sha), written_ns)


def pair(index: int) -> tuple[FrameArrived, FrameArrived]:
    """Both images of a slice."""
    return image(index, 1.0), image(index, 2.0)


def reject(
    index: int, folder: str, reason: Refusal = Refusal.UNREADABLE, written_s: float = 0.0
) -> FileRejected:
    """A file that became no frame."""
    written_ns = int(written_s * 1e9) + 10**18
    return FileRejected(Path(folder) / f"{index:03d}.tif", index, reason, "torn", written_ns)


def run(script: Script, rules: AssemblyRules = RULES) -> tuple[AssemblyState, list[Outcome]]:
    """Play a script, one second between events; at every step the books balance and the state is storable."""
    state, now_s, outcomes = initial(rules), 0.0, list[Outcome]()
    for event in script:
        if isinstance(event, After):
            now_s += event.seconds
            continue
        now_s += 1.0
        state, more = step(state, event, now_s)
        outcomes += more
        assert state.tally.waiting == len(state.waiting)
    assert unpack(AssemblyState, pack(state)) == state
    return state, outcomes


def told(outcomes: Sequence[Outcome]) -> list[str]:
    """Outcomes in words, without the acceptances."""
    words: list[str] = []
    for outcome in outcomes:
        match outcome:
            case SliceComplete(index, _):
                words.append(f"slice {index}")
            case SliceGap(index, reason, _):
                words.append(f"gap {index}: {reason}")
            case Quarantined(path, _, reason, _):
                words.append(f"{path}: {reason}")
            case Ignored(path, _, reason):
                words.append(f"{path} ignored: {reason}")
            case Held(path):
                words.append(f"{path} held")
            case Renumbered(index, number):
                words.append(f"number {number} is slice {index}")
            case OtherProject(_, folder):
                words.append(f"another project in {folder}")
            case ClockSetBack(index):
                words.append(f"clock back at {index}")
            case FrameAccepted():
                pass
    return words
