"""Where a run stands: everything the loop needs to go on, rebuilt from the journal and the files on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon import assemble
from daemon.assembly_state import AssemblyState
from daemon.codec import unpack
from daemon.config import Configuration
from daemon.errors import JournalError
from daemon.frame_shelf import FrameShelf
from daemon.geometry import FaceGeometry, conformed
from daemon.items import FileReady, Image
from daemon.journal import Journal
from daemon.pipeline_state import Counts, PipelineState
from daemon.stages.growing import restored
from daemon.stages.segmenting import FaceStack, cropped, moved, prepared
from daemon.volume_store import VolumeStore


@dataclass(frozen=True, slots=True)
class Progress:
    """The states after the last committed event; ``faces`` are the images the network may look at again."""

    assembly: AssemblyState
    pipeline: PipelineState | None = None
    counts: Counts = field(default_factory=Counts)
    faces: Mapping[int, FaceStack] = field(default_factory=dict[int, FaceStack])


def load_progress(
    journal: Journal, configuration: Configuration, expected_slices: int, now_s: float
) -> Progress:
    """The committed states, without images.

    Raises
    ------
    JournalError
        A stored state cannot be read.
    """
    assembly = _state(journal, "assembly", AssemblyState)
    if assembly is None and next(journal.files(), None) is not None:
        raise JournalError(
            "the journal is damaged: it tells of files, but not what became of their slices",
            where="journal.sqlite",
            remedy="Restore the file, or choose another run.output and start over.",
        )
    rules = assemble.rules_of(configuration, expected_slices)
    return Progress(
        assemble.initial(rules) if assembly is None else assemble.resumed(assembly, rules, now_s),
        _state(journal, "pipeline", PipelineState),
        counts_on_record(journal),
    )


def counts_on_record(journal: Journal) -> Counts:
    """How much has happened, as far as it is committed.

    Raises
    ------
    JournalError
        The stored state cannot be read.
    """
    return _state(journal, "counts", Counts) or Counts()


def with_images(
    progress: Progress,
    journal: Journal,
    configuration: Configuration,
    shelf: FrameShelf,
    store: VolumeStore | None,
) -> Progress:
    """The same with the images and planes that the states refer to, read again and checked.

    Raises
    ------
    JournalError
        An image that is still needed is gone or has changed.
    """
    for record in progress.assembly.waiting:
        shelf.recall(record)
    pipeline = progress.pipeline
    if pipeline is None:
        return progress
    told = journal.latest("face")
    geometry = pipeline.geometry
    faces = {index: _face(told[index], configuration, geometry, shelf, index) for index in pipeline.window}
    planes = pipeline.growth.material.planes
    kept = min(planes, pipeline.growth.material.lags)
    first: Sequence[NDArray[np.uint8]] = list(store.read(0, 0, kept)) if store and kept else []
    last: Sequence[NDArray[np.uint8]] = list(store.read(0, planes - kept, planes)) if store and kept else []
    pipeline = replace(pipeline, growth=restored(pipeline.growth, first, last))
    return replace(progress, pipeline=pipeline, faces=faces)


def known_files(journal: Journal) -> list[FileReady]:
    """Versions of files that were dealt with; the watcher need not report them again."""
    return [FileReady(Path(file.path), file.size, file.mtime_ns) for file in journal.files()]


def _face(
    told: Mapping[str, Any],
    configuration: Configuration,
    geometry: FaceGeometry,
    shelf: FrameShelf,
    index: int,
) -> FaceStack:
    images: list[Image] = []
    seen = [told["images"][name] for name in configuration.channel_names]
    frames = shelf.recall_face(index, {where["sha256"]: Path(where["path"]) for where in seen})
    for where in seen:
        frame = conformed(configuration, geometry, frames[where["sha256"]])
        in_place = moved(frame.image, where["dy_px"], where["dx_px"])
        images.append(cropped(in_place, configuration.geometry.roi))
    return prepared(FaceStack(index, np.stack(images)), configuration)


def _state(journal: Journal, name: str, kind: type[Any]) -> Any:
    data = journal.checkpoint(name)
    if data is None:
        return None
    try:
        return unpack(kind, data)
    except ValueError as error:
        raise JournalError(
            f"the stored state '{name}' cannot be read: {error}",
            where="journal.sqlite",
            remedy="Finish the run with the version that began it, or choose another run.output.",
        ) from error
