"""An order to stop and one to pause, and what an action makes of them without waiting between attempts."""

from __future__ import annotations

from daemon.abort.act import Means, carry_out
from daemon.abort.orders import Order, Request
from daemon.abort.pace import Pace
from daemon.items import Alarm

CAUSE = Alarm("drift thicker", 31, "slices have become thicker", 13.25, 11.0)
STOP = Order(Request.STOP, "run-1", "7", CAUSE)
PAUSE = Order(Request.PAUSE, "run-1", "7", CAUSE)


def carried_out(action, order=STOP, email=None, attempts=1):
    """The steps of one action."""
    return list(carry_out(Means([action], email, attempts), order, pace=Pace(sleep=lambda _s: None)))


def result(action, order=STOP, email=None):
    """What became of one attempt."""
    (step,) = carried_out(action, order, email)
    return step.result
