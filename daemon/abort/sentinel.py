"""The file that the microscope's own script waits for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from daemon.abort.orders import ActionResult, Order, Outcome
from daemon.abort.pace import REAL, Pace
from daemon.config import FileAction
from daemon.errors import StoreError
from daemon.volume_store import write_atomically

_LOOK_EVERY_S: Final = 0.1
_LONGEST_ANSWER: Final = 4096


def write_sentinel(action: FileAction, order: Order, pace: Pace = REAL) -> ActionResult:
    """Write the order, read it back, and wait for the script's answer if one is promised."""
    text = json.dumps(order.as_json()) + "\n"
    try:
        write_atomically(action.path, text)
        same = action.path.read_text(encoding="utf-8") == text
    except (StoreError, OSError) as error:
        return _result(action, Outcome.FAILED, str(error))
    if not same:
        return _result(action, Outcome.FAILED, "reads back differently")
    if action.answer is None:
        return _result(action, Outcome.CONFIRMED, "written and read back")
    return _answered(action, action.answer, order, pace)


def _answered(action: FileAction, answer: Path, order: Order, pace: Pace) -> ActionResult:
    """The script answers by writing the order's identifier; an answer to another order does not count."""
    until_s = pace.clock() + action.timeout_s
    while pace.clock() < until_s:
        if _mentions(answer, order.identifier):
            return _result(action, Outcome.CONFIRMED, f"answered in {answer}")
        pace.sleep(_LOOK_EVERY_S)
    return _result(action, Outcome.DELIVERED, f"written, but no answer in {answer}")


def _mentions(path: Path, identifier: str) -> bool:
    """Whether the identifier stands there as a whole: order 57 is no answer to order 5."""
    whole = rf"(?<![\w/-]){re.escape(identifier)}(?![\w/-])"
    try:
        with path.open("rb") as file:
            said = file.read(_LONGEST_ANSWER).decode(errors="replace")
    except OSError:
        return False
    return re.search(whole, said) is not None


def _result(action: FileAction, outcome: Outcome, detail: str) -> ActionResult:
    return ActionResult("file", str(action.path), outcome, detail)
