"""The acquisition: the folder, the images in it, and what the first of them say of themselves."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from daemon import assemble
from daemon.admission import Refused, judge
from daemon.assembly import Disregard, FrameArrived
from daemon.checks.finding import Finding, fail, ok, warn
from daemon.completeness import Progress, judge_file
from daemon.config import Configuration
from daemon.errors import FileUnreadableError
from daemon.filesystem import Locality, locality
from daemon.geometry import face_geometry
from daemon.items import FileReady, Frame
from daemon.metadata.plain import sidecar_of
from daemon.naming import slice_number
from daemon.project import read_project
from daemon.reader import read_frame
from daemon.scan import FolderScan
from daemon.watched_file import WaitingFile

_SLICES_READ: Final = 2
_TILT_TOLERANCE_DEG: Final = 2.0
_LOGS: Final = "logimages"


@dataclass(frozen=True, slots=True)
class FirstImages:
    """The first images of a run: by channel name, and what is wrong with the others.

    ``files`` are all images that match the pattern, ``slices`` how many slice numbers they have.
    """

    files: tuple[WaitingFile, ...] = ()
    slices: int = 0
    frames: Mapping[str, Frame] = field(default_factory=dict[str, Frame])
    foreign: tuple[str, ...] = ()

    def reference(self, configuration: Configuration) -> Frame | None:
        """The image that positions in the configuration refer to."""
        return self.frames.get(configuration.reference_channel)


def look_at_images(configuration: Configuration) -> FirstImages:
    """List the folder and read the images of its first slices; an absent folder has none."""
    section = configuration.run
    scan = FolderScan(section.folder, section.file_pattern)
    try:
        scan.look(0.0)
    except OSError:
        return FirstImages()
    numbers = {file.path: slice_number(file.path, section.file_pattern) or 0 for file in scan.waiting}
    first = sorted(set(numbers.values()))[:_SLICES_READ]
    chosen = [file for file in scan.waiting if numbers[file.path] in first]
    chosen.sort(key=lambda file: (numbers[file.path], str(file.path)))
    frames, foreign = _sorted_by_channel(configuration, chosen)
    return FirstImages(scan.waiting, len(set(numbers.values())), frames, foreign)


def check_folder(configuration: Configuration) -> Finding:
    """The acquisition folder: there, readable, and what kind it is."""
    folder = configuration.run.folder
    if not folder.is_dir():
        what = "this is not a folder" if folder.exists() else "it does not exist"
        return fail("folder", f"{folder}: {what}", "Correct run.folder, or mount the share.")
    if not os.access(folder, os.R_OK | os.X_OK):
        return fail("folder", f"{folder}: no right to read it", "Give this user the right to read it.")
    project = read_project(folder)
    kind = f"project '{project.name or folder.name}'" if project.datasets else "a plain folder of images"
    expected = configuration.run.expected_slices or project.expected_slices
    count = f"{expected} slices expected" if expected else "number of slices unknown: it ends when stopped"
    share = ", on a network share: polled" if locality(folder) is Locality.NETWORK else ""
    return ok("folder", f"{folder}: {kind}, {count}{share}")


def check_images(configuration: Configuration, images: FirstImages) -> Finding:
    """How many images match the pattern, and the newest of them."""
    pattern = configuration.run.file_pattern
    if images.files:
        newest = max(images.files, key=lambda file: file.mtime_ns)
        age = timedelta(seconds=max(0, round(time.time() - newest.mtime_ns * 1e-9)))
        text = f"{len(images.files)} images of {images.slices} slices; newest {newest.path.name}, {age} old"
        return ok("images", text)
    others = _other_tiffs(configuration.run.folder)
    if others:
        text = f"none of {len(others)} TIFF files matches '{pattern}', for example {others[0].name}"
        return fail("images", text, "Correct run.file_pattern; (?P<slice>\\d+) marks the slice number.")
    return warn("images", "none yet", "Nothing to do when the acquisition has not begun.")


def check_channels(configuration: Configuration, images: FirstImages) -> Finding:
    """Every configured channel is found among the first images, by their metadata."""
    if not images.files:
        return warn("channels", "not known before the first image", "Check again when there is one.")
    found = [name for name in configuration.channel_names if name in images.frames]
    missing = [name for name in configuration.channel_names if name not in images.frames]
    others = f"; not ours: {'; '.join(images.foreign[:4])}" if images.foreign else ""
    if not missing:
        return ok("channels", "; ".join(_described(name, images.frames[name]) for name in found) + others)
    text = f"no image of {', '.join(missing)}; found: {', '.join(found) or 'no channel'}{others}"
    if images.slices < _SLICES_READ and not images.foreign:
        return warn("channels", text, "Check again when the first slice is complete.")
    return fail("channels", text, "Correct voltage_kv and detector of [[channels]], or [sidecar].")


def check_pixels(configuration: Configuration, images: FirstImages) -> Finding:
    """Pixel size and tilt are known, and the metadata does not contradict the configuration."""
    frame = images.reference(configuration)
    if frame is None:
        if configuration.geometry.pixel_size_nm == "metadata":
            return warn("pixel size", "not known before the first image", "Check again when there is one.")
        return ok("pixel size", f"{configuration.geometry.pixel_size_nm:g} nm, as configured")
    geometry = face_geometry(configuration, frame)
    tilt, told = configuration.geometry.tilt_deg, frame.metadata.tilt_deg
    text = f"{geometry.pixel_x_nm:.4g} nm along x, {geometry.pixel_y_nm:.4g} nm along y on the face"
    if told is not None and abs(told - tilt) > _TILT_TOLERANCE_DEG:
        text += f"; the image says tilt {told:.1f}°, the configuration {tilt:g}°"
        return warn("pixel size", text, "Correct geometry.tilt_deg, unless the stage is pre-tilted.")
    return ok("pixel size", text)


def _sorted_by_channel(
    configuration: Configuration, files: Sequence[WaitingFile]
) -> tuple[dict[str, Frame], tuple[str, ...]]:
    """Judge images by the rules of a run; the first one of a channel stands for it."""
    state = assemble.initial(assemble.rules_of(configuration, 0))
    frames: dict[str, Frame] = {}
    foreign: list[str] = []
    for file in files:
        try:
            frame = _read(configuration, file)
        except (FileUnreadableError, OSError) as error:
            foreign.append(f"{file.path.name} ({getattr(error, 'what', error)})")
            continue
        verdict = judge(state, FrameArrived(frame, file.mtime_ns))
        if isinstance(verdict, Refused):
            foreign.append(f"{file.path.name} ({verdict.reason}: {verdict.detail})")
        elif not isinstance(verdict, Disregard):
            frames.setdefault(configuration.channel_names[verdict.channel], frame)
    return frames, tuple(foreign)


def _read(configuration: Configuration, file: WaitingFile) -> Frame:
    """The image of a complete file, as a run would read it."""
    verdict = judge_file(file.path, file.size)
    if verdict.progress in (Progress.INCOMPLETE, Progress.DAMAGED):
        raise FileUnreadableError(f"not complete: {verdict.reason}", where=str(file.path), remedy="Wait.")
    ready = FileReady(file.path, file.size, file.mtime_ns)
    return read_frame(ready, configuration.run.file_pattern, sidecar_of(configuration))


def _described(name: str, frame: Frame) -> str:
    height, width = frame.image.shape
    voltage = frame.metadata.voltage_kv
    said = f"{voltage:g} kV" if voltage is not None else "voltage not told"
    return f"{name}: {said}, {frame.metadata.detector or 'any detector'}, {width} × {height} px"


def _other_tiffs(folder: Path) -> list[Path]:
    """TIFF files that a run would never look at, log images aside."""
    found = (path for path in folder.rglob("*") if path.suffix.casefold() in (".tif", ".tiff"))
    return sorted(path for path in found if _LOGS not in (part.casefold() for part in path.parts))
