"""The emulated microscope at work: one slice after the other, each file growing as on a real disk."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path

from daemon.emulator.faults import (
    CLOCK_FAULT,
    RESTART_FAULT,
    Pieces,
    Write,
    amount_of,
    require_known,
    with_fault,
)
from daemon.emulator.plan import Stream, random_stream
from daemon.emulator.project import (
    FIB_FOLDER,
    LOG_FOLDER,
    image_path,
    lay_folders,
    sem_folder,
    write_project_data,
)
from daemon.emulator.scene import Scene, build_scene
from daemon.emulator.settings import EmulatorSettings
from daemon.emulator.shots import Clock, electron_pieces, ion_pieces
from daemon.emulator.truth import require_outside, save_truth
from daemon.errors import FolderError

IMAGE_TIME = timedelta(seconds=189)
"""Published duration of one image of 3072×2048 px at 30 µs a pixel."""


@dataclass(frozen=True, slots=True)
class World:
    """What the microscope needs of the world: where to write, how to wait, what time it is."""

    project: Path
    sleep: Callable[[float], None]
    now: Clock
    monotonic: Callable[[], float]


def seeded_clock(settings: EmulatorSettings) -> Clock:
    """A clock that depends on the seed alone and advances by the time of an image whenever it is read."""
    start = datetime(2024, 1, 8, 9, 0, tzinfo=UTC) + timedelta(hours=settings.seed % 8760)
    readings = iter(range(10**9))
    return lambda: start + next(readings) * IMAGE_TIME


def emulate(
    settings: EmulatorSettings,
    folder: Path,
    *,
    truth: Path | None = None,
    sleep: Callable[[float], None] = time.sleep,
    now: Clock | None = None,
    progress: Callable[[int, int], None] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Write a project as a microscope does; returns when the last slice is on the disk.

    ``now`` stamps the images; without it the stamps come from :func:`seeded_clock`, and equal settings give
    equal bytes. ``sleep`` and ``monotonic`` pace the files. ``progress`` hears (slices done, slices).

    Raises
    ------
    ConfigurationError
        A fault is unknown, the image is too small for the run, or the truth would lie in the project.
    FolderError
        The folder is not empty or cannot be written.
    """
    require_known(settings.faults)
    if truth is not None:
        require_outside(truth, folder)
    scene = build_scene(settings)
    _claim(folder, settings)
    if truth is not None:
        save_truth(scene, truth)
    world = World(folder, sleep, now or seeded_clock(settings), monotonic)
    postponed: defaultdict[int, list[Write]] = defaultdict(list)
    for index in range(settings.slices):
        for write in _struck(scene, world, index):
            postponed[index + write.after_slices].append(write)
        due = sorted(postponed.pop(index, []), key=lambda write: write.after_slices)
        _emit(due, settings.interval_s, world)
        write_project_data(folder, settings, scene.plan.reported_nm[: index + 1].tolist())
        if progress is not None:
            progress(index + 1, settings.slices)
    _emit([write for writes in postponed.values() for write in writes], 0.0, world)


def _claim(folder: Path, settings: EmulatorSettings) -> None:
    """Make the project's folders, in a folder that is new or empty."""
    try:
        if folder.exists() and any(folder.iterdir()):
            raise FolderError(
                "the folder is not empty",
                where=str(folder),
                remedy="Give a new folder; the emulator overwrites nothing.",
            )
        lay_folders(folder, settings)
    except OSError as error:
        raise FolderError(
            f"the project cannot be written: {error.strerror or error}",
            where=str(folder),
            remedy="Give a folder that can be written.",
        ) from error


def _struck(scene: Scene, world: World, index: int) -> list[Write]:
    """The files of a slice as the faults ordered for it leave them; the sample's drift is in the plan."""
    writes = _planned(scene, world, index)
    for number, order in enumerate(scene.settings.faults):
        if order.slice_number == index + 1:
            writes = with_fault(order, writes, random_stream(scene.settings, Stream.FAULT, index, number))
    return writes


def _file_number(settings: EmulatorSettings, index: int) -> int:
    """The number in the names of a slice's files: from 1 on, and from 1 again after a restart."""
    restarts = [f.slice_number for f in settings.faults if f.kind == RESTART_FAULT]
    return index + 2 - max((number for number in restarts if number <= index + 1), default=1)


def _clock(scene: Scene, now: Clock, index: int) -> Clock:
    """The microscope's clock at a slice, behind by what the faults have set it back so far."""
    faults = scene.settings.faults
    orders = [f for f in faults if f.kind == CLOCK_FAULT and f.slice_number <= index + 1]
    behind = timedelta(hours=sum(amount_of(order) for order in orders))
    return lambda: now() - behind


def _planned(scene: Scene, world: World, index: int) -> list[Write]:
    """The files of a slice in the order of acquisition: after the cut the ion image, then the voltages."""
    recording = scene.settings.recording
    now, number = _clock(scene, world.now, index), _file_number(scene.settings, index)
    writes: list[Write] = []
    if recording.fib_every and index % recording.fib_every == 0:
        shoot = partial(ion_pieces, scene, now, index)
        log = world.project / LOG_FOLDER / f"Milling - {number:03d}.tif"
        writes = [
            Write(image_path(world.project, FIB_FOLDER, number), shoot, is_slice_image=False),
            Write(log, shoot, is_slice_image=False),
        ]
    if scene.settings.detectors:
        now = lru_cache(maxsize=1)(now)  # their images come from one scan
    for position, channel in enumerate(scene.settings.folder_order):
        path = image_path(world.project, sem_folder(position), number)
        writes.append(Write(path, partial(electron_pieces, scene, now, index, channel)))
    return writes


def _emit(writes: Sequence[Write], duration_s: float, world: World) -> None:
    """Write files one after the other, spread over ``duration_s``, which includes the time to make them."""
    begin = world.monotonic()
    for number, write in enumerate(writes):
        _disturb(write, world)
        share = (begin + duration_s * number / len(writes), begin + duration_s * (number + 1) / len(writes))
        _grow(write.path, write.pieces(), share, world)


def _disturb(write: Write, world: World) -> None:
    """What happens before a file is written: nothing for a while, or the project is out of reach."""
    if write.pause_s:
        world.sleep(write.pause_s)
    if write.away_s:
        hidden = world.project.with_name(f".{world.project.name}.away")
        world.project.rename(hidden)
        world.sleep(write.away_s)
        hidden.rename(world.project)


def _grow(path: Path, pieces: Pieces, share: tuple[float, float], world: World) -> None:
    """Let a file grow, each piece on the disk before the next, until the end of its share of time."""
    start = max(world.monotonic(), share[0])
    with path.open("wb") as file:
        for number, piece in enumerate(pieces, start=1):
            file.write(piece)
            file.flush()
            os.fsync(file.fileno())
            due = start + (share[1] - start) * number / len(pieces)
            if due > (current := world.monotonic()):
                world.sleep(due - current)
