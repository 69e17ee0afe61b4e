"""Many runs processed again: what there is to do, what logs tell of it, when it will be over."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from dataclasses import replace
from io import StringIO
from pathlib import Path
from threading import Timer

import pytest
from rich.console import Console
from structlog.testing import capture_logs

from daemon.errors import ConfigurationError, JournalError
from daemon.lock import exclusive
from daemon.operating_system import usable_cores
from daemon.reprocess.command import exit_code
from daemon.reprocess.here import workers_for
from daemon.reprocess.jobs import Job, News, Outcome, read_jobs
from daemon.reprocess.log_lines import Heard, hear
from daemon.reprocess.progress import Display, Forecast, in_words


def write_config(path: Path, output: str, **run: object) -> Path:
    lines = [
        f"{key} = {json.dumps(value)}"
        for key, value in ({"folder": "images", "output": output} | run).items()
    ]
    path.write_text(
        "\n".join(["[run]", *lines, "[[channels]]", 'name = "2kV"', "voltage_kv = 2.0", "reference = true"])
    )
    return path


def test_a_job_knows_where_its_run_lies(tmp_path):
    """Paths begin at the configuration; what nobody says of the length is 0."""
    said = write_config(tmp_path / "a.toml", "out-a", expected_slices=40)
    silent = write_config(tmp_path / "b.toml", "out-b")
    first, second = read_jobs([said, silent])
    assert (first.folder, first.output) == (tmp_path / "images", tmp_path / "out-a")
    assert (first.expected_slices, second.expected_slices, first.images_per_slice) == (40, 0, 1)


def test_two_runs_never_write_into_one_folder(tmp_path):
    """Told before anything is begun, with both names."""
    configs = [write_config(tmp_path / f"{name}.toml", "same") for name in ("a", "b")]
    with pytest.raises(ConfigurationError, match=r"a\.toml, .*b\.toml"):
        read_jobs([*configs, write_config(tmp_path / "c.toml", "other")])


def line(event: str, **fields: object) -> str:
    return json.dumps({"event": event, **fields}) + "\n"


HEARD = {
    "goes on from the journal": (line("run.started", continues_after=5), Heard(5, 9, before=5)),
    "a slice": (line("slice.done", waiting=12), Heard(3, 9)),
    "a gap": (line("slice.gap", slice=3), Heard(3, 9)),
    "the end": (line("run.finished", reason="COMPLETED"), Heard(2, 9, reason="COMPLETED")),
    "it was over": (line("run.was_finished", reason="STOPPED"), Heard(2, 9, reason="STOPPED")),
    "an error": ("error: the disk is gone\n", Heard(2, 9, why="the disk is gone")),
    "its remedy": ("  remedy: mount it\n", Heard(2, 9)),
    "a line that a kill has cut off": ('{"event": "slice.do', Heard(2, 9)),
    "a number": ("17\n", Heard(2, 9)),
    "another event": (line("alarm", kind="focus lost"), Heard(2, 9)),
    "fields of another kind": (line("slice.done", waiting="many"), Heard(2, 9)),
}


@pytest.mark.parametrize("name", HEARD)
def test_what_a_line_of_the_log_tells(name):
    """Of a run of nine slices that is through with two."""
    said, expected = HEARD[name]
    assert hear(Heard(2, 9), said, expected_slices=9, images_per_slice=3) == expected


def test_waiting_images_tell_how_long_a_run_is_that_nobody_has_counted():
    """Twelve images of three channels wait behind the third slice: there are seven."""
    assert hear(Heard(2), line("slice.done", waiting=12), 0, 3) == Heard(3, 7)


def test_a_process_has_got_on_only_by_a_slice_of_its_own():
    """What the journal held before it was the work of others."""
    begun = hear(Heard(), line("run.started", continues_after=5), 9, 3)
    assert not begun.got_on
    assert hear(begun, line("slice.done", waiting=0), 9, 3).got_on


def test_the_forecast_counts_what_was_done_now():
    """Four slices in 20 s, of which five were there before: the other six and the untouched ten take 80 s."""
    forecast = Forecast(100.0, {"a": 15, "b": 10})
    assert forecast.left_s(110.0) is None
    forecast.hear(News("a", 5, 15))
    assert forecast.left_s(110.0) is None
    forecast.hear(News("a", 9, 15))
    assert forecast.left_s(120.0) == pytest.approx((6 + 10) / (4 / 20))


def test_the_forecast_knows_that_it_does_not_know():
    """A run of unknown length that has not begun; it is known as soon as it is heard of, or over."""
    forecast = Forecast(0.0, {"a": 4, "b": 0})
    forecast.hear(News("a", 0, 4))
    forecast.hear(News("a", 2, 4))
    assert forecast.left_s(2.0) is None
    forecast.end("b")
    assert forecast.left_s(2.0) == pytest.approx(2.0)


def test_a_run_that_is_taken_up_again_is_not_counted_twice():
    """Killed at seven, it goes on from six."""
    forecast = Forecast(0.0, {"a": 10})
    for done in (0, 7, 6, 8):
        forecast.hear(News("a", done, 10))
    assert forecast.left_s(8.0) == pytest.approx(2.0)


WORDS = {0.0: "0 min 00 s", 59.6: "1 min 00 s", 754.0: "12 min 34 s", 7325.0: "2 h 02 min", None: "?"}


@pytest.mark.parametrize("seconds", WORDS)
def test_time_in_words(seconds):
    """Rounded, never 60 of anything."""
    assert in_words(seconds) == WORDS[seconds]


def test_off_a_terminal_a_line_a_minute_tells_how_far_it_is():
    """Two slices of ten in the first minute: four minutes are left; the end of a run is told at once."""
    now_s = iter([0.0, 0.0, 10.0, 30.0, 60.0, 61.0, 62.0])
    job = Job(Path("a.toml"), Path("images"), Path("out"), 10, 3)
    with capture_logs() as said, Display([job], Console(file=StringIO()), lambda: next(now_s)) as display:
        for done in (0, 1, 2, 2):
            display.hear(News("a.toml", done, 10))
        display.end(Outcome("a.toml", 1, "failed", why="the disk is gone"))
    lines = [(line["event"], line.get("slices"), line.get("left"), line.get("why")) for line in said]
    assert lines == [
        ("reprocess.progress", 2, "4 min 00 s", None),
        ("reprocess.ended", None, None, "the disk is gone"),
    ]


EXITS = {
    "all completed": ([0, 0], 0),
    "one aborted": ([0, 3], 3),
    "one failed": ([3, 1, 0], 1),
    "usage": ([2], 1),
}


@pytest.mark.parametrize("name", EXITS)
def test_the_worst_outcome_is_the_exit_code(name):
    """A failure is worse than an abort of long ago."""
    codes, expected = EXITS[name]
    outcome = Outcome("a", 0, "COMPLETED")
    assert exit_code([replace(outcome, exit_code=code) for code in codes]) == expected


def test_as_many_runs_at_once_as_have_a_core():
    """Never none, never more than there are."""
    assert workers_for(1) == 1
    assert 1 <= workers_for(1000) <= usable_cores() <= (os.cpu_count() or 1)


def test_a_lock_is_waited_for_while_its_holder_ends(tmp_path):
    """Without patience it is an error at once; with it, whoever comes next gets it."""
    held = ExitStack()
    held.enter_context(exclusive(tmp_path))
    with pytest.raises(JournalError, match="another slicewatch"), exclusive(tmp_path):
        pass
    Timer(0.3, held.close).start()
    with exclusive(tmp_path, patience_s=30.0):
        pass
