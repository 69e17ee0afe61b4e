"""How long a slice's first image takes to become a thickness: read, registered, its ruler read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from daemon.config import DEFAULT_FILE_PATTERN, parse
from daemon.emulator import EmulatorSettings, configuration_table, emulate
from daemon.emulator.settings import RecordingDesign
from daemon.items import FileReady, Frame, Slice, Thickness
from daemon.metadata.plain import Sidecar
from daemon.pipeline_state import begin_pipeline
from daemon.reader import read_frame
from daemon.stages import glancing, measuring, registering

SETTINGS = EmulatorSettings(
    slices=2, height=2048, width=3072, voltages_kv=(2.0,), recording=RecordingDesign(fib_every=0)
)
NAME = "2kV"
_REPEATED = 3


def first_verdict_seconds() -> float:
    """Seconds from a complete file of 3072×2048 px to the first thickness of its slice, median of three."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        emulate(SETTINGS, project, sleep=lambda _: None)
        first, second = sorted((project / "Images").rglob("*.tif"))
        verdict = _follower(_read(first), project)
        seconds: list[float] = []
        for _ in range(_REPEATED):
            begun = perf_counter()
            if verdict(_read(second)) is None:
                raise RuntimeError("the emulated ruler could not be read: there is no verdict to time")
            seconds.append(perf_counter() - begun)
    return sorted(seconds)[_REPEATED // 2]


def _follower(first: Frame, project: Path) -> Callable[[Frame], Thickness | None]:
    """What the daemon does with an image of slice 2 after it has seen slice 1."""
    table = configuration_table(SETTINGS, project, project.parent / "output")
    configuration = parse(table, where=project)
    begun = begin_pipeline(configuration, Slice(1, {NAME: first}))
    registration, registered = registering.register_slice(begun.registration, Slice(1, {NAME: first}), 0.0)
    measured, _ = measuring.measure(begun.measuring, configuration, registered, float("nan"))

    state = replace(begun, registration=registration, measuring=measured)

    def verdict(frame: Frame) -> Thickness | None:
        return glancing.glance(configuration, state, 2, NAME, frame)

    return verdict


def _read(path: Path) -> Frame:
    stat = path.stat()
    return read_frame(
        FileReady(path, stat.st_size, stat.st_mtime_ns), DEFAULT_FILE_PATTERN, Sidecar(channels=())
    )
