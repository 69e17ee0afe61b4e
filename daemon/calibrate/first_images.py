"""The first images of an acquisition, sorted into channels by what they say of themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daemon.completeness import Progress, judge_file
from daemon.config import DEFAULT_FILE_PATTERN
from daemon.errors import FileUnreadableError, FolderError
from daemon.items import FileReady, Frame
from daemon.metadata.plain import Sidecar
from daemon.naming import slice_number
from daemon.reader import read_frame
from daemon.scan import FolderScan
from daemon.watched_file import WaitingFile

SLICES: Final = 12
"""Slices that are looked at: enough travel to tell inclined marks from parallel ones, quickly read."""

_READABLE: Final = (Progress.COMPLETE, Progress.UNPROVEN)
"""Calibration looks once, at a run that is under way: it cannot wait to see whether a bottom is black."""

Series = Mapping[int, Frame]
"""The images of one channel by slice number."""


@dataclass(frozen=True, slots=True)
class ChannelKey:
    """What tells one image of a slice from the others."""

    voltage_kv: float
    detector: str


def first_images(folder: Path) -> tuple[Mapping[ChannelKey, Series], tuple[Path, ...]]:
    """Electron images of the first slices by channel, the lowest voltage first; files that give no image.

    Raises
    ------
    FolderError
        The folder is missing, or holds no whole image, or no electron image that tells its voltage.
    """
    found: dict[ChannelKey, dict[int, Frame]] = defaultdict(dict)
    silent = 0
    files = _files(folder)
    read = {file.path: _frame(file) for file in files}
    frames = [frame for frame in read.values() if frame is not None]
    if not frames:
        raise FolderError(
            f"no whole image among the first {len(files)} files",
            where=str(files[0].path.parent),
            remedy="Wait until the first slices are written, or look whether these files are images.",
        )
    for frame in frames:
        if frame.metadata.beam == "ion":
            continue
        if frame.metadata.voltage_kv is None:
            silent += 1
            continue
        key = ChannelKey(round(frame.metadata.voltage_kv, 3), frame.metadata.detector or "")
        found[key].setdefault(frame.slice_index, frame)
    if not found:
        raise FolderError(
            f"no electron image tells its voltage ({silent} images without metadata)",
            where=str(folder),
            remedy="Write the configuration by hand with [sidecar]; config.toml explains the keys.",
        )
    channels = {key: dict(sorted(found[key].items())) for key in sorted(found, key=_order)}
    return channels, tuple(path for path, frame in read.items() if frame is None)


def _order(key: ChannelKey) -> tuple[float, str]:
    return key.voltage_kv, key.detector


def _files(folder: Path) -> list[WaitingFile]:
    """Files of the first slices, complete or not, in order."""
    scan = FolderScan(folder, DEFAULT_FILE_PATTERN)
    try:
        scan.look(0.0)
    except OSError as error:
        raise FolderError(
            f"the acquisition folder cannot be listed: {error.strerror or error}",
            where=str(folder),
            remedy="Give the project folder of the acquisition, or mount the share.",
        ) from error
    numbers = {file.path: slice_number(file.path, DEFAULT_FILE_PATTERN) or 0 for file in scan.waiting}
    if not numbers:
        raise FolderError(
            "no image matches the usual names of slices",
            where=f"{folder}, pattern {DEFAULT_FILE_PATTERN}",
            remedy="Give the project folder; for other names, write run.file_pattern by hand.",
        )
    first = sorted(set(numbers.values()))[:SLICES]
    chosen = [file for file in scan.waiting if numbers[file.path] in first]
    return sorted(chosen, key=lambda file: (numbers[file.path], str(file.path)))


def _frame(file: WaitingFile) -> Frame | None:
    """The image in a file, None if it is not whole."""
    if judge_file(file.path, file.size, frozenset()).progress not in _READABLE:
        return None
    try:
        ready = FileReady(file.path, file.size, file.mtime_ns)
        return read_frame(ready, DEFAULT_FILE_PATTERN, Sidecar(channels=()))
    except FileUnreadableError:
        return None
