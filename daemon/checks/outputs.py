"""Where a run writes: the output folder, the space on its disk, the journal in it, the abort actions."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from algorithms.resampling import covering_grid
from daemon.certainty import coarseness
from daemon.checks.finding import Finding, fail, ok, warn
from daemon.checks.images import FirstImages
from daemon.config import Configuration, as_toml_table
from daemon.errors import JournalError
from daemon.geometry import face_geometry
from daemon.items import FinishReason, Frame
from daemon.journal import Journal, open_journal
from daemon.outputs import Outputs
from daemon.stages.segmenting import cropped

# Bytes on disk per byte of labels, and of the journal per voxel of a plane: measured 2026-11-20 on an
# emulated run of nanoporous gold (16 slices of 387 × 263 px: 0.15, 0.07 and 21), rounded up.
_FACE_SHARE: Final = 0.2
_VOLUME_SHARE: Final = 0.1
_CERTAINTY_BYTES: Final = 0.3  # per pixel that is kept: 0.23 for six faces of 446 × 792 px, 2026-11-27
_JOURNAL_BYTES: Final = 30
_GIB: Final = 2**30
_MIB: Final = 2**20
_SLICES_UNKNOWN: Final = 1000


def check_output(configuration: Configuration) -> Finding:
    """The output folder can be written and lies outside the acquisition."""
    folder, acquisition = configuration.run.output, configuration.run.folder
    if folder.resolve().is_relative_to(acquisition.resolve()):
        text = f"{folder} lies inside the acquisition folder"
        return fail("output", text, "Choose a folder outside it: slicewatch never writes into a project.")
    existing = _existing(folder)
    if not existing.is_dir():
        return fail("output", f"{existing} is a file", "Choose another run.output.")
    if not os.access(existing, os.W_OK | os.X_OK):
        return fail(
            "output", f"no right to write to {existing}", "Give this user the right, or choose another."
        )
    return ok("output", f"{folder}" if folder.exists() else f"{folder} (will be made)")


def check_disk(configuration: Configuration, images: FirstImages, slices: int) -> Finding:
    """Free space against a forecast for the whole run; per 1000 slices where their number is unknown."""
    free = shutil.disk_usage(_existing(configuration.run.output)).free
    frame = images.reference(configuration)
    if frame is None:
        text = f"{_size(free)} free; no forecast before the first image"
        return warn("disk", text, "Check again when there is one.")
    count = slices or _SLICES_UNKNOWN
    wanted = forecast_bytes(configuration, frame, count)
    text = f"{_size(free)} free, about {_size(wanted)} needed for {count} slices"
    if free < wanted:
        return fail("disk", text, "Free some space or choose another run.output.")
    if free < 2 * wanted:
        return warn("disk", text, "Fine structures compress less: keep twice the forecast free.")
    return ok("disk", text)


def forecast_bytes(configuration: Configuration, frame: Frame, slices: int) -> float:
    """Bytes of a run of ``slices``: labels and certainty of all faces, volume and pyramid, the journal."""
    geometry = face_geometry(configuration, frame)
    face = cropped(frame.image, configuration.geometry.roi)
    grid_nm = configuration.volume.grid_nm
    grid = covering_grid(face.shape[0], face.shape[1], geometry.pixels, grid_nm)
    planes = slices * configuration.geometry.target_thickness_nm / grid_nm
    voxels = grid.height * grid.width
    per_slice = _FACE_SHARE * face.size + _CERTAINTY_BYTES * face.size / coarseness(face.shape) ** 2
    return per_slice * slices + (_VOLUME_SHARE * planes + _JOURNAL_BYTES) * voxels


def check_journal(configuration: Configuration) -> Finding:
    """Whether a run begins here, goes on, or cannot; looked at in a copy, so that nothing is changed."""
    path = Outputs(configuration.run.output).journal
    if not path.exists():
        return ok("journal", "none yet: a new run begins")
    with tempfile.TemporaryDirectory(prefix="slicewatch-check-") as folder:
        copy = Path(folder) / path.name
        _copy(path, copy)
        try:
            with closing(
                open_journal(copy, as_toml_table(configuration), lambda: datetime.now(UTC))
            ) as journal:
                return _history(journal)
        except JournalError as error:
            return fail("journal", f"{error.what} [{path}]", error.remedy)


def _history(journal: Journal) -> Finding:
    slices, starts = len(journal.latest("slice")), journal.epoch - 1
    finished = journal.latest("finished").get(0)
    if finished is not None:
        text = f"this run has finished ({FinishReason(finished['reason'])}) with {slices} slices"
        return warn("journal", text, "It will not go on; choose another run.output to start a new one.")
    return ok("journal", f"goes on after {slices} slices ({starts} earlier start{'s' * (starts != 1)})")


def _copy(path: Path, copy: Path) -> None:
    """Copy a journal with its write-ahead log as files: opening the original would leave files beside it."""
    log = path.with_name(f"{path.name}-wal")
    try:
        if log.exists():
            shutil.copyfile(log, copy.with_name(f"{copy.name}-wal"))
        shutil.copyfile(path, copy)
    except OSError as error:
        raise JournalError(
            f"the journal cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="Give this user the right to read it, or choose another run.output.",
        ) from error


def _existing(path: Path) -> Path:
    """The path itself or the nearest folder above it that is there."""
    return next(candidate for candidate in (path, *path.parents) if candidate.exists())


def _size(count: float) -> str:
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count / _MIB:.0f} MiB"
