"""A program of the operator's: started without a shell, told the order in its environment and its input."""

from __future__ import annotations

import json

from daemon.abort.orders import ActionResult, Order, Outcome
from daemon.abort.pace import REAL, Pace
from daemon.abort.process import KilledError, run
from daemon.config import CommandAction

_LONGEST = 200


def run_program(action: CommandAction, order: Order, pace: Pace = REAL) -> ActionResult:
    """Run it to its end; exit status 0 confirms, and one that does not end in time is killed."""
    told = {"SLICEWATCH_REQUEST": str(order.request), "SLICEWATCH_ORDER": order.identifier}
    try:
        ended = run(action.argv, json.dumps(order.as_json()), told, action.timeout_s, pace)
    except KilledError as error:
        return _result(action, Outcome.FAILED, str(error))
    except (OSError, ValueError) as error:
        return _result(action, Outcome.FAILED, f"cannot be started: {error}")
    said = " ".join((ended.stdout + " " + ended.stderr).split())[:_LONGEST]
    outcome = Outcome.CONFIRMED if ended.returncode == 0 else Outcome.FAILED
    return _result(action, outcome, f"exit status {ended.returncode}" + (f": {said}" if said else ""))


def _result(action: CommandAction, outcome: Outcome, detail: str) -> ActionResult:
    """The target is the program alone: its arguments may hold what others should not read."""
    return ActionResult("command", action.argv[0], outcome, detail)
