"""The output folder of a run (**contract**, DESIGN §4): where everything lies, and how it is written."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.errors import ConfigurationError, JournalError, StoreError
from daemon.growing_array import GrowingArray, open_growing_array
from daemon.volume_store import make_folder


@dataclass(frozen=True, slots=True)
class Outputs:
    """Paths below ``run.output``."""

    folder: Path

    @property
    def journal(self) -> Path:
        """What happened."""
        return self.folder / "journal.sqlite"

    @property
    def spool(self) -> Path:
        """Copies of images that a restart would need; there while any is."""
        return self.folder / "spool"

    @property
    def volume(self) -> Path:
        """Labels on the isotropic grid, OME-Zarr."""
        return self.folder / "volume.ome.zarr"

    @property
    def faces(self) -> Path:
        """Final labels of every face in native pixels, Zarr (face, y, x); the n-th face is the n-th slice."""
        return self.folder / "faces.zarr"

    @property
    def probabilities(self) -> Path:
        """Solid probability of every face, OME-Zarr; there if ``volume.store_probabilities``."""
        return self.folder / "probabilities.ome.zarr"

    @property
    def certainty(self) -> Path:
        """The same of every face, coarse, OME-Zarr: ``daemon.certainty``."""
        return self.folder / "certainty.ome.zarr"

    def registered(self, channel: str) -> Path:
        """Registered images of a channel, OME-Zarr; there if ``volume.store_images``."""
        return self.folder / f"registered-{channel}.ome.zarr"

    @property
    def slices(self) -> Path:
        """The table of slices."""
        return self.folder / "slices.csv"

    @property
    def slices_parquet(self) -> Path:
        """The same with typed columns and all digits."""
        return self.folder / "slices.parquet"

    @property
    def metrics(self) -> Path:
        """The table of planes."""
        return self.folder / "metrics.csv"

    @property
    def ligaments(self) -> Path:
        """The distribution of local thickness."""
        return self.folder / "ligaments.csv"

    @property
    def summary(self) -> Path:
        """The summary object."""
        return self.folder / "summary.json"

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.folder / "report.html"

    @property
    def examples(self) -> Path:
        """The last slice's pictures, for the report."""
        return self.folder / "examples.npz"

    @property
    def example_faces(self) -> Path:
        """A few earlier faces, reduced, for the report."""
        return self.folder / "examples"

    @property
    def report_pdf(self) -> Path:
        """The same as the page for people, for printing."""
        return self.folder / "report.pdf"


def prepare(folder: Path, acquisition: Path) -> Outputs:
    """Make the output folder.

    Raises
    ------
    ConfigurationError
        It lies inside the acquisition folder, whose files are not ours to add to.
    StoreError
        It cannot be made.
    """
    if folder.resolve().is_relative_to(acquisition.resolve()):
        raise ConfigurationError(
            "the output would lie inside the acquisition folder",
            where=f"run.output = {folder}",
            remedy="Choose a folder outside the project: slicewatch never writes into it.",
        )
    make_folder(folder, "the output folder")
    return Outputs(folder)


def refuse_without_journal(outputs: Outputs) -> None:
    """Planes and faces that no journal tells of belong to another run; a new one would be mixed with them.

    Raises
    ------
    JournalError
        There are some, and the journal is missing or empty.
    """
    journal = outputs.journal
    if journal.is_file() and journal.stat().st_size:
        return
    left = [path.name for path in (outputs.volume, outputs.faces) if path.is_dir()]
    if left:
        raise JournalError(
            f"the journal is missing, but there is what a run has left: {', '.join(left)}",
            where=str(journal),
            remedy="Restore the journal to continue that run, or choose another run.output for a new one.",
        )


def open_faces(outputs: Outputs, shape_yx: tuple[int, int]) -> GrowingArray:
    """The array of final faces in native pixels.

    Raises
    ------
    StoreError
        It cannot be written or belongs to another run.
    """
    return open_growing_array(outputs.faces, shape_yx)


def write_examples(outputs: Outputs, pictures: Mapping[str, NDArray[Any]]) -> None:
    """Keep the last slice's pictures for the report.

    Raises
    ------
    StoreError
        The disk is full or read-only.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(pictures))
    try:
        outputs.examples.write_bytes(buffer.getvalue())
    except OSError as error:
        raise StoreError(
            f"the examples cannot be written: {error.strerror or error}",
            where=str(outputs.examples),
            remedy="Check free space and rights of run.output.",
        ) from error
