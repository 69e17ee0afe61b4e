"""The only arrow back to the microscope: carries out the abort actions, once, and says what was confirmed.

Whether to abort is decided elsewhere, from verdicts; here it is only done. An action is tried even if the one
before it failed: one of them must get through.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.config import FileAction
from daemon.errors import StoreError
from daemon.items import Alarm
from daemon.volume_store import write_atomically


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What became of one action; ``confirmed`` only if its effect was seen."""

    kind: str
    target: str
    confirmed: bool
    detail: str


def abort(actions: Sequence[FileAction], cause: Alarm) -> tuple[ActionResult, ...]:
    """Carry out every action for ``cause``; repeating it changes nothing."""
    return tuple(_write_sentinel(action.path, cause) for action in actions)


def _write_sentinel(path: Path, cause: Alarm) -> ActionResult:
    """Write the file that the microscope's script waits for, and read it back."""
    text = json.dumps({"slice": cause.slice_index, "kind": cause.kind, "message": cause.message}) + "\n"
    try:
        write_atomically(path, text)
        confirmed = path.read_text(encoding="utf-8") == text
        return ActionResult(
            "file", str(path), confirmed, "written" if confirmed else "reads back differently"
        )
    except (StoreError, OSError) as error:
        return ActionResult("file", str(path), confirmed=False, detail=str(error))
