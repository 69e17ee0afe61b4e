"""The line protocol: one line to a program beside the microscope, one line back.

::

    PAUSE <order>                     →  OK …        it has paused
    STOP <order>                      →  OK …        it has stopped
    THICKNESS <nm> <order>            →  OK …        it has taken the measured thickness
                                      →  anything else: it has not, and this is why

A line is ASCII, ends in LF (CR LF is understood) and is at most 256 bytes long. ``<order>`` is the same
whenever the same order is sent again, so doing it twice changes nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from math import isfinite
from typing import Final

from daemon.abort.orders import ActionResult, Order, Outcome, Request
from daemon.abort.pace import REAL, Pace
from daemon.config import TcpAction

_LONGEST: Final = 256


def send_line(action: TcpAction, order: Order, pace: Pace = REAL) -> ActionResult:
    """Say the order and read the answer within the time limit; only ``OK`` confirms.

    It confirms what was said: who has taken a thickness has stopped nothing, and a pause is no stop.
    """
    word = action.say or str(order.request)
    if word == "THICKNESS" and not isfinite(order.cause.measurement):
        return _result(action, Outcome.FAILED, "no thickness has been measured")
    measured = f"{order.cause.measurement:.3f} " if word == "THICKNESS" else ""
    until_s = pace.clock() + action.timeout_s
    try:
        with socket.create_connection((action.host, action.port), timeout=action.timeout_s) as peer:
            peer.sendall(f"{word} {measured}{order.identifier}\n".encode("ascii", errors="replace"))
            answer = _line(peer, until_s, pace.clock)
    except OSError as error:
        return _result(action, Outcome.FAILED, error.strerror or str(error) or type(error).__name__)
    shown = repr(answer.decode("ascii", errors="replace"))
    if answer.split(b" ")[0] == b"OK":
        if not _fulfils(word, order.request):
            detail = f"answered {shown} to {word}, which is no {order.request}"
            return _result(action, Outcome.DELIVERED, detail)
        return _result(action, Outcome.CONFIRMED, f"answered {shown}")
    return _result(action, Outcome.FAILED, f"answered {shown}" if answer else "closed without an answer")


def _fulfils(word: str, request: Request) -> bool:
    """Whether a program that has obeyed the word has done what is asked; a stop is more than a pause."""
    return word == "STOP" or word == request


def _line(peer: socket.socket, until_s: float, clock: Callable[[], float]) -> bytes:
    """The first line, without its end; what was said without one is no answer.

    Raises TimeoutError when it does not end in time, however slowly it drips.
    """
    said = b""
    while b"\n" not in said and len(said) < _LONGEST:
        left_s = until_s - clock()
        if left_s <= 0.0:
            raise TimeoutError("no answer in time")
        peer.settimeout(left_s)
        more = peer.recv(_LONGEST)
        if not more:
            return b""
        said += more
    return said.partition(b"\n")[0].rstrip(b"\r")[:_LONGEST] if b"\n" in said else b"(no end of line)"


def _result(action: TcpAction, outcome: Outcome, detail: str) -> ActionResult:
    return ActionResult("tcp", f"{action.host}:{action.port}", outcome, detail)
