"""Stops patterning and imaging of a microscope through OpenFIBSEM (the package ``fibsem``).

It works in a process of its own: the vendor's client may hang or crash without the daemon, its imports stay
out of the daemon, and time that is up ends it. ``python -m daemon.abort.autoscript`` is that process: the
order comes as JSON on its standard input, its last line of standard output says what came of it.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import Any, Final

from daemon.abort.orders import ActionResult, Order, Outcome, Request
from daemon.abort.pace import REAL, Pace
from daemon.abort.process import Ended, KilledError, run
from daemon.config import AutoscriptAction

REMEDY: Final = "Install it beside slicewatch: pip install 'slicewatch[autoscript]', and AutoScript's client."
_STANDING_WITHIN_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.1


def stop_microscope(action: AutoscriptAction, order: Order, pace: Pace = REAL) -> ActionResult:
    """Start the process, give it the order, and believe only its own word for what the beam does."""
    if importlib.util.find_spec("fibsem") is None:
        return _result(action, Outcome.FAILED, f"the package fibsem is not installed. {REMEDY}")
    wish = {"request": str(order.request), **action.model_dump(mode="json", exclude={"timeout_s"})}
    try:
        command = [sys.executable, "-m", "daemon.abort.autoscript"]
        ended = run(command, json.dumps(wish), {}, action.timeout_s, pace)
    except KilledError:
        return _result(action, Outcome.FAILED, f"no answer within {action.timeout_s:g} s")
    except OSError as error:
        return _result(action, Outcome.FAILED, f"cannot be started: {error}")
    return _believed(action, ended)


def halt(microscope: Any, request: Request, pace: Pace = REAL) -> str:
    """Stop (or pause) the milling and stop imaging; the state of the beam, read back.

    ``microscope`` is a ``fibsem.microscope.FibsemMicroscope``, connected. Imaging is stopped even when the
    milling cannot be; calling it again changes nothing.
    """
    try:
        if request is Request.PAUSE:
            microscope.pause_milling()
        else:
            microscope.stop_milling()
    finally:
        microscope.stop_acquisition()
    return _settled(microscope, pace)


def _settled(microscope: Any, pace: Pace) -> str:
    """A beam takes a moment to stop: look until it has."""
    until_s = pace.clock() + _STANDING_WITHIN_S
    while True:
        state = str(microscope.get_milling_state().name)
        imaging = bool(microscope.is_acquiring)
        if (state != "RUNNING" and not imaging) or pace.clock() > until_s:
            return f"milling {state}, imaging {'RUNNING' if imaging else 'stopped'}"
        pace.sleep(_LOOK_EVERY_S)


def connected(manufacturer: str, host: str, configuration: str | None) -> Any:
    """OpenFIBSEM's client of the microscope; whatever it raises is for the caller to tell."""
    from fibsem import utils

    # fibsem annotates its optional paths as required ones.
    path: Any = configuration
    microscope, _ = utils.setup_session(
        manufacturer=manufacturer, ip_address=host, config_path=path, setup_logging=False
    )
    return microscope


def _believed(action: AutoscriptAction, ended: Ended) -> ActionResult:
    last = (ended.stdout.strip().splitlines() or [""])[-1]
    try:
        said = json.loads(last)
        outcome, detail = Outcome(said["outcome"]), str(said["detail"])
    except (ValueError, TypeError, KeyError):
        problem = " ".join(ended.stderr.split())[-200:]
        return _result(action, Outcome.FAILED, f"ended with status {ended.returncode}: {problem or last!r}")
    return _result(action, outcome, detail)


def _result(action: AutoscriptAction, outcome: Outcome, detail: str) -> ActionResult:
    return ActionResult("autoscript", f"{action.manufacturer} at {action.host}", outcome, detail)


def _carry_out(wish: dict[str, Any]) -> tuple[Outcome, str]:
    """What the process does."""
    try:
        microscope = connected(wish["manufacturer"], wish["host"], wish.get("configuration"))
        state = halt(microscope, Request(wish["request"]))
    except Exception as error:
        # A vendor's client raises what it likes; all of it means that nothing is confirmed.
        return Outcome.FAILED, f"{type(error).__name__}: {error}"[:200]
    return (Outcome.FAILED if "RUNNING" in state else Outcome.CONFIRMED), state


if __name__ == "__main__":
    outcome, detail = _carry_out(json.loads(sys.stdin.read()))
    sys.stdout.write("\n" + json.dumps({"outcome": str(outcome), "detail": detail}) + "\n")
