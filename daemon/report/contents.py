"""What a report is made of: read once from the output folder, the same for figures and page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from daemon.errors import FolderError
from daemon.journal import read_records
from daemon.tables import read_table

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """The tables, summary, alarms and cuts of a run.

    ``slices`` and ``metrics`` are rows of text as in the CSV files; ``cuts`` are label planes (rows, columns)
    through the middle of the volume, keyed by their axes; ``face`` is the last final face in native pixels.
    """

    folder: Path
    summary: dict[str, Any]
    slices: list[dict[str, str]]
    metrics: list[dict[str, str]]
    alarms: list[dict[str, Any]]
    configuration: dict[str, Any]
    cuts: dict[str, NDArray[np.uint8]]
    shape: tuple[int, ...]
    examples: dict[str, NDArray[np.uint8]]

    @property
    def grid_nm(self) -> float:
        """Voxel size."""
        return float(self.configuration["volume"]["grid_nm"])

    @property
    def channels(self) -> list[str]:
        """Channel names in order."""
        return [channel["name"] for channel in self.configuration["channels"]]


def read_contents(folder: Path) -> Contents:
    """Read everything a report shows.

    Raises
    ------
    FolderError
        The folder is not the output of a run.
    """
    journal, summary = folder / "journal.sqlite", folder / "summary.json"
    if not journal.exists():
        raise FolderError(
            "this is not the output folder of a run: it has no journal.sqlite",
            where=str(folder),
            remedy="Give the folder that run.output names in the configuration.",
        )
    configuration, alarms = read_records(journal, "alarm")
    shape, cuts = _cuts(folder / "volume.ome.zarr")
    return Contents(
        folder=folder,
        summary=json.loads(summary.read_text(encoding="utf-8")) if summary.exists() else {},
        slices=read_table(folder / "slices.csv"),
        metrics=read_table(folder / "metrics.csv"),
        alarms=alarms,
        configuration=configuration,
        cuts=cuts,
        shape=shape,
        examples=_examples(folder / "examples.npz"),
    )


def column(rows: list[dict[str, str]], name: str) -> Numbers:
    """A column as float64, NaN where the field is empty."""
    return np.array([float(row[name]) if row.get(name) else np.nan for row in rows])


def _cuts(path: Path) -> tuple[tuple[int, ...], dict[str, NDArray[np.uint8]]]:
    if not (path / "0" / "zarr.json").exists():
        return (0, 0, 0), {}
    volume: Any = zarr.open_array(str(path / "0"), mode="r")
    z, y, x = (side // 2 for side in volume.shape)
    if volume.shape[0] == 0:
        return (0, 0, 0), {}
    return tuple(volume.shape), {
        "xy": np.asarray(volume[z]),
        "xz": np.asarray(volume[:, y]),
        "yz": np.asarray(volume[:, :, x]),
    }


def _examples(path: Path) -> dict[str, NDArray[np.uint8]]:
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
