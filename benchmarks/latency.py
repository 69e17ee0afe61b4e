"""From a complete triple to everything that is published about it, by stage: a real daemon on real files.

The daemon is a process of its own. Images of 3072×2048 px come one by one, each only when the daemon has
nothing left to do, as they do at a microscope that is slower than it. What is timed is the way from a file's
name to messages at a subscriber. Stages are the daemon's own clock, from its log. The first slices fill the
network's window and are not counted: only a later one makes an earlier face final as well.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import psutil
from rich.table import Table

from benchmarks.__main__ import CannotMeasureError
from benchmarks.daemon_log import Told, told
from daemon.client import Answer, Client, Event, Silence
from daemon.emulator import EmulatorSettings, configuration_table, emulate
from daemon.emulator.settings import RecordingDesign
from daemon.messages import HeartbeatMessage, SliceMessage, ThicknessMessage
from daemon.toml_text import toml_text

COUNTED_FROM: Final = 5
"""A window of seven faces makes a face final when the third one behind it is there: from slice 4 on."""
_LIMIT_S: Final = 300.0
_QUIET_S: Final = 0.5
"""What is told together comes together; heartbeats come every 2 s."""


@dataclass(frozen=True, slots=True)
class Effort:
    """An acquisition, how often the daemon is started, and seconds from one image to the next.

    A microscope takes minutes; what the daemon does meanwhile is no part of a triple's latency.
    """

    settings: EmulatorSettings
    starts: int
    between_images_s: float


NO_ION_BEAM: Final = RecordingDesign(fib_every=0)
FULL: Final = Effort(EmulatorSettings(slices=6, height=2048, width=3072, recording=NO_ION_BEAM), 3, 5.0)
QUICK: Final = Effort(EmulatorSettings(slices=5, height=512, width=768, recording=NO_ION_BEAM), 1, 1.0)


@dataclass(frozen=True, slots=True)
class Lap:
    """One slice: seconds from its first file to its first thickness, from its last to the last message."""

    first_thickness_s: float
    published_s: float
    stages_s: Mapping[str, float]

    @property
    def outside_s(self) -> float:
        """All but the network."""
        return self.published_s - self.stages_s["segment"]


@dataclass(frozen=True, slots=True)
class Followed:
    """A run: its slices, the daemon's peak of resident memory, and seconds from the start of a process to its
    first look at the folder."""

    laps: list[Lap]
    peak_gib: float
    first_look_s: float


class Listener:
    """A subscriber that tells when it has heard something."""

    def __init__(self, client: Client) -> None:
        self._updates = client.follow(patience_s=_QUIET_S)

    def first(self, wanted: Callable[[Any], bool]) -> float:
        """The time (of ``perf_counter``) at which the next message came that is ``wanted``.

        Raises
        ------
        CannotMeasureError
            It does not come in time.
        """
        for message, heard_s in self._messages():
            if message is not None and wanted(message):
                return heard_s
        raise _unheard()

    def last(self, wanted: Callable[[Any], bool]) -> float:
        """The time of the last message before it is quiet, once one was ``wanted``; heartbeats go on.

        Raises
        ------
        CannotMeasureError
            It does not come in time.
        """
        is_there, last_s = False, 0.0
        for message, heard_s in self._messages():
            if message is None and is_there:
                return last_s
            if message is not None and not isinstance(message, HeartbeatMessage):
                is_there, last_s = is_there or wanted(message), heard_s
        raise _unheard()

    def _messages(self) -> Iterator[tuple[Any, float]]:
        """Messages and their times, None for each silence; no longer than what is waited for may take."""
        deadline = perf_counter() + _LIMIT_S
        for update in self._updates:
            heard_s = perf_counter()
            if heard_s > deadline:
                return
            match update:
                case Answer():
                    yield from ((event.message, heard_s) for event in update.events)
                case Event():
                    yield update.message, heard_s
                case Silence():
                    yield None, heard_s


def _unheard() -> CannotMeasureError:
    return CannotMeasureError(f"the daemon has not told in {_LIMIT_S:g} s what was waited for")


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Laps of the slices from the fifth on."""
    effort = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="slicewatch-latency-") as folder:
        return _report(effort.settings, _followed(Path(folder), effort))


def _followed(root: Path, effort: Effort) -> Followed:
    """Every slice of a run."""
    settings = effort.settings
    project, hidden = root / "project", root / "hidden"
    emulate(settings, hidden, sleep=lambda _s: None)
    shutil.copytree(hidden, project, ignore=shutil.ignore_patterns("*.tif"))
    first_look_s = statistics.median(
        [_first_look_s(root, f"start_{n}", settings) for n in range(effort.starts)]
    )
    config = _configured(root, "followed", settings)
    with _running(config) as daemon, Client(*_endpoints(_log_of(config))) as client:
        listener = Listener(client)
        times = [
            _lap(listener, _images(hidden, project, n), n, effort.between_images_s)
            for n in range(1, settings.slices + 1)
        ]
        peak_gib = _peak_gib(psutil.Process(daemon.pid))
    stages = _stages(_log_of(config))
    return Followed([Lap(*pair, stages[n]) for n, pair in enumerate(times, start=1)], peak_gib, first_look_s)


def _first_look_s(root: Path, name: str, settings: EmulatorSettings) -> float:
    """Of a daemon of its own, before there is an image; the first one compiles what was never compiled."""
    config = _configured(root, name, settings)
    begun_s = time.time()
    with _running(config):
        started = _awaited(_log_of(config), "run.started")
    return datetime.fromisoformat(started["timestamp"]).timestamp() - begun_s


def _configured(root: Path, name: str, settings: EmulatorSettings) -> Path:
    """A configuration of the project with outputs of its own."""
    anywhere = dict.fromkeys(("events", "control"), "tcp://127.0.0.1:0")
    table = configuration_table(settings, root / "project", root / name) | {"publish": anywhere}
    config = root / f"{name}.toml"
    config.write_text(toml_text(table), encoding="utf-8")
    return config


def _log_of(config: Path) -> Path:
    return config.with_suffix(".log")


@contextmanager
def _running(config: Path) -> Generator[subprocess.Popen[bytes]]:
    """The daemon, until it is no longer looked at; it may keep what it compiles, as where it is installed."""
    command = [sys.executable, "-m", "daemon", "run", str(config)]
    kept = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    with _log_of(config).open("wb") as log, subprocess.Popen(command, stderr=log, env=kept) as daemon:
        try:
            yield daemon
        finally:
            daemon.kill()


def _images(hidden: Path, project: Path, index: int) -> list[tuple[Path, Path]]:
    """From where to where the images of a slice go."""
    found = sorted(path for path in hidden.rglob("*.tif") if path.stem.endswith(f"{index:03}"))
    return [(path, project / path.relative_to(hidden)) for path in found]


def _lap(
    listener: Listener, images: list[tuple[Path, Path]], index: int, between_s: float
) -> tuple[float, float]:
    """Seconds to the first thickness (of the first slice, which has none: 0) and to the last message."""
    come_s = _bring(*images[0])
    first_s = 0.0
    if index > 1:
        first_s = listener.first(partial(_is_of, ThicknessMessage, index)) - come_s
    for image in images[1:]:
        time.sleep(between_s)
        come_s = _bring(*image)
    return first_s, listener.last(partial(_is_of, SliceMessage, index)) - come_s


def _bring(source: Path, target: Path) -> float:
    """An image gets its name whole; the time at which it has it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    shutil.copy(source, part)
    part.rename(target)
    return perf_counter()


def _is_of(kind: type[SliceMessage | ThicknessMessage], index: int, message: Any) -> bool:
    """Whether a message is of this kind and slice; a slice is told when all of it is durable."""
    return isinstance(message, kind) and message.index == index


def _peak_gib(process: psutil.Process) -> float:
    """Linux's own high-water mark of resident memory."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


def _endpoints(log: Path) -> tuple[str, str]:
    """Where the daemon tells and is asked, once it says so."""
    opened = _awaited(log, "sockets.open")
    return opened["events"], opened["control"]


def _awaited(log: Path, event: str) -> Told:
    """The log's first line of an event, once it is there."""
    deadline = perf_counter() + _LIMIT_S
    while perf_counter() < deadline:
        for line in _told(log, event):
            return line
        time.sleep(0.1)
    raise CannotMeasureError(f"the daemon has not come to {event} in {_LIMIT_S:g} s: see {log}")


def _stages(log: Path) -> dict[int, dict[str, float]]:
    """Seconds of each stage, by slice."""
    return {line["slice"]: line["stages_s"] for line in _told(log, "slice.done")}


def _told(log: Path, event: str) -> Iterable[Told]:
    """The log's lines of one event; the last line may be under way."""
    return told(log.read_text(encoding="utf-8").rpartition("\n")[0].splitlines(), event)


def _report(settings: EmulatorSettings, run: Followed) -> tuple[Table, dict[str, float]]:
    counted = run.laps[COUNTED_FROM - 1 :]
    stages = {
        stage: statistics.median(lap.stages_s[stage] for lap in counted) for stage in counted[0].stages_s
    }
    figures = {
        "thickness_first_image_s": max(lap.first_thickness_s for lap in run.laps[1:]),
        "triple_to_published_s": max(lap.published_s for lap in counted),
        "outside_inference_s": max(lap.outside_s for lap in counted),
        "peak_rss_gib": run.peak_gib,
        "start_to_first_look_s": run.first_look_s,
        **{f"{stage}_s": seconds for stage, seconds in stages.items()},
    }
    title = f"{settings.width}×{settings.height}, {len(settings.voltages_kv)} voltages"
    table = Table("", "s", title=title, title_justify="left")
    table.add_row("start of the process → first look at the folder", f"{run.first_look_s:.2f}")
    table.add_row(
        "first image complete → its thickness heard, worst", f"{figures['thickness_first_image_s']:.2f}"
    )
    for stage, seconds in stages.items():
        table.add_row(f"  {stage}, median", f"{seconds:.2f}")
    table.add_row("triple complete → everything heard, worst", f"{figures['triple_to_published_s']:.2f}")
    table.add_row("of it outside the network, worst", f"{figures['outside_inference_s']:.2f}")
    table.add_row("peak of the daemon's memory, GiB", f"{run.peak_gib:.2f}")
    return table, figures
