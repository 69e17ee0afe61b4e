"""What a report is made of: read once from the output folder, the same for figures and page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
from numpy.typing import NDArray

from daemon.errors import FolderError
from daemon.example_faces import ExampleFace, read_examples
from daemon.items import Status, ThicknessSource
from daemon.journal_bodies import read_log, read_records
from daemon.outputs import Outputs
from daemon.tables import read_table
from daemon.thickness_figures import single_thickness

SURFACE_VOXELS: Final = 300
"""A surface of more voxels along one side takes minutes to draw and shows no more on a page."""
Numbers = NDArray[np.float64]
Row = dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """The tables, summary, verdicts, alarms and pictures of a run.

    ``slices``, ``metrics`` and ``ligaments`` are rows of text as in the CSV files, ``drift`` and ``alarms``
    bodies of the journal's records, ``audit`` such with their times;
    ``cuts`` are label planes (rows, columns) through the middle of the
    volume, keyed by their axes; ``shape`` is the volume's (z, y, x); ``examples`` are the last slice's
    registered images by channel name and its ``labels``, in native pixels; ``earlier`` are reduced faces of
    slices before it. ``faces`` are the journal's records of what the microscope said of each image.
    ``coarse`` are the labels (z, y, x) of the finest pyramid level that a picture of the surface can take.
    """

    folder: Path
    summary: dict[str, Any]
    slices: list[Row]
    metrics: list[Row]
    ligaments: list[Row]
    drift: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    audit: list[tuple[str, dict[str, Any]]]
    configuration: dict[str, Any]
    cuts: dict[str, NDArray[np.uint8]]
    shape: tuple[int, int, int]
    examples: dict[str, NDArray[np.uint8]]
    earlier: list[ExampleFace]
    faces: list[dict[str, Any]]
    coarse: NDArray[np.uint8]

    @property
    def grid_nm(self) -> float:
        """Voxel size."""
        return float(self.configuration["volume"]["grid_nm"])

    @property
    def channels(self) -> list[str]:
        """Channel names in order."""
        return [channel["name"] for channel in self.configuration["channels"]]

    @property
    def reference(self) -> str:
        """The channel that the others are registered to."""
        channels = self.configuration["channels"]
        return next((c["name"] for c in channels if c["reference"]), channels[0]["name"])

    @property
    def gaps(self) -> list[Row]:
        """Slice indices without a slice."""
        return [row for row in self.slices if row["status"] == Status.GAP]

    @property
    def kept(self) -> list[Row]:
        """Slice indices with a slice."""
        return [row for row in self.slices if row["status"] != Status.GAP]

    @property
    def thickness_nm(self) -> Numbers:
        """Thicknesses of single slices, as drawn beside the summary's distribution.

        What was only assumed tells nothing of the milling.
        """
        source, values = single_thickness(self.kept)
        return values[:0] if source is ThicknessSource.TARGET else values

    @property
    def outlier_z(self) -> float:
        """Standard deviations beyond which a slice is an outlier; an earlier version's run had no choice."""
        return float(self.configuration["drift"].get("outlier_z", 1.5))

    @property
    def face_pixel_nm(self) -> tuple[float, float] | None:
        """Size (y, x) of a native pixel on the face, from the face's size in pixels and in voxels.

        The volume spans the centres of the face's pixels, so this is right to a voxel in the face's length.
        """
        labels = self.examples.get("labels")
        if labels is None or not self.shape[0] or min(labels.shape) < 2:
            return None
        y, x = (
            (voxels - 1) * self.grid_nm / (pixels - 1)
            for voxels, pixels in zip(self.shape[1:], labels.shape, strict=True)
        )
        return y, x

    @property
    def face_nm(self) -> tuple[float, float] | None:
        """Size (y, x) of a face."""
        pixel_nm, labels = self.face_pixel_nm, self.examples.get("labels")
        if pixel_nm is None or labels is None:
            return None
        return pixel_nm[0] * labels.shape[0], pixel_nm[1] * labels.shape[1]


def read_contents(folder: Path) -> Contents:
    """Read everything a report shows.

    Raises
    ------
    FolderError
        The folder is not the output of a run.
    JournalError
        Its journal is damaged.
    """
    outputs = Outputs(folder)
    if not outputs.journal.exists():
        raise FolderError(
            "this is not the output folder of a run: it has no journal.sqlite",
            where=str(folder),
            remedy="Give the folder that run.output names in the configuration.",
        )
    configuration, alarms = read_records(outputs.journal, "alarm")
    _, drift = read_records(outputs.journal, "drift")
    _, faces = read_records(outputs.journal, "face")
    shape, cuts = _cuts(outputs.volume)
    return Contents(
        folder=folder,
        summary=_summary(outputs.summary),
        slices=read_table(outputs.slices),
        metrics=read_table(outputs.metrics),
        ligaments=read_table(outputs.ligaments),
        drift=drift,
        alarms=alarms,
        audit=read_log(outputs.journal, "audit"),
        configuration=configuration,
        cuts=cuts,
        shape=shape,
        examples=_examples(outputs.examples),
        earlier=_chosen(read_examples(outputs.example_faces)),
        faces=faces,
        coarse=_coarse(outputs.volume),
    )


def column(rows: list[Row], name: str) -> Numbers:
    """A column as float64, NaN where the field is empty."""
    return np.array([float(row[name]) if row.get(name) else np.nan for row in rows])


def _summary(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _cuts(path: Path) -> tuple[tuple[int, int, int], dict[str, NDArray[np.uint8]]]:
    if not (path / "0" / "zarr.json").exists():
        return (0, 0, 0), {}
    volume: Any = zarr.open_array(str(path / "0"), mode="r")
    shape: tuple[int, int, int] = tuple(volume.shape)
    if not shape[0]:
        return (0, 0, 0), {}
    z, y, x = (side // 2 for side in shape)
    return shape, {
        "xy": np.asarray(volume[z]),
        "xz": np.asarray(volume[:, y]),
        "yz": np.asarray(volume[:, :, x]),
    }


def _coarse(path: Path) -> NDArray[np.uint8]:
    levels: list[Any] = [
        zarr.open_array(str(level), mode="r")
        for level in sorted(path.glob("[0-9]"))
        if (level / "zarr.json").exists()
    ]
    fitting = [level for level in levels if max(level.shape) <= SURFACE_VOXELS] or levels[-1:]
    return np.asarray(fitting[0][:]) if fitting else np.zeros((0, 0, 0), np.uint8)


def _chosen(kept: list[ExampleFace]) -> list[ExampleFace]:
    """The first and the one nearest to the middle of what is kept."""
    if len(kept) < 2:
        return kept
    middle = (kept[0].index + kept[-1].index) / 2
    return [kept[0], min(kept[1:], key=lambda face: abs(face.index - middle))]


def _examples(path: Path) -> dict[str, NDArray[np.uint8]]:
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
