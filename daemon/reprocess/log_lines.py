"""What the log of a run's process tells of how far it is and how it ended."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Heard:
    """``done`` slice indices of the ``expected`` ones, 0 if not known, ``before`` of them by earlier
    processes; the finish ``reason``, or ``why`` it failed."""

    done: int = 0
    expected: int = 0
    before: int = 0
    reason: str = ""
    why: str = ""

    @property
    def got_on(self) -> bool:
        """Whether the process has got a slice through."""
        return self.done > self.before


def hear(heard: Heard, line: str, expected_slices: int, images_per_slice: int) -> Heard:
    """What is known after one more line; where nobody says how many slices there are, waiting images tell."""
    if line.startswith("error: "):
        return replace(heard, why=line.removeprefix("error: ").strip())
    try:
        said = json.loads(line)
    except ValueError:  # a library's words, or the line that a kill has cut off
        return heard
    match said:
        case {"event": "run.started", "continues_after": int(before)}:
            return replace(heard, done=before, before=before, expected=expected_slices)
        case {"event": "slice.done", "waiting": int(waiting)}:
            done = heard.done + 1
            return replace(heard, done=done, expected=expected_slices or done + waiting // images_per_slice)
        case {"event": "slice.gap"}:
            return replace(heard, done=heard.done + 1)
        case {"event": "run.finished" | "run.was_finished", "reason": str(reason)}:
            return replace(heard, reason=reason)
        case _:
            return heard
