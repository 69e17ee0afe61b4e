"""Where the time of a slice goes."""

from __future__ import annotations

from daemon.stopwatch import Stopwatch


def test_laps_add_up_to_the_time_that_passed():
    times = iter((0.0, 10.0, 11.0, 13.0, 13.5, 20.0, 21.0))
    watch = Stopwatch(lambda: next(times))
    watch.start()
    for stage in ("measure", "segment", "measure"):
        watch.lap(stage)
    assert watch.seconds == {"measure": 1.5, "segment": 2.0}
    watch.start()
    watch.lap("measure")
    assert watch.seconds == {"measure": 1.0}
