"""What a run has left in its output folder, as far as runs are compared by it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from daemon.errors import FolderError
from daemon.items import Status
from daemon.journal_bodies import read_records
from daemon.outputs import Outputs
from daemon.tables import read_table

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A run's tables by slice, its summary, its configuration, and its alarms by kind."""

    outputs: Outputs
    summary: Mapping[str, Any]
    slices: Mapping[int, Row]
    metrics: Row
    alarms: Counter[str]
    configuration: Mapping[str, Any]

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of its channels, in order."""
        return tuple(channel["name"] for channel in self.configuration["channels"])

    @property
    def final(self) -> Mapping[int, int]:
        """Rows of ``faces`` by slice index: the n-th final slice is the n-th row."""
        final = [index for index, row in self.slices.items() if row["status"] == Status.FINAL]
        return {index: order for order, index in enumerate(final)}

    @property
    def faces(self) -> Any:
        """Final labels in native pixels (face, y, x), to be read face by face."""
        return zarr.open_array(str(self.outputs.faces), mode="r")

    def column(self, name: str, indices: Sequence[int]) -> NDArray[np.float64]:
        """A column of ``slices.csv`` for these slices, NaN where it is empty or absent."""
        texts = (self.slices[index].get(name) or "nan" for index in indices)
        return np.array([float(text) for text in texts])


def read_finished(folder: Path) -> Finished:
    """Read what is there.

    Raises
    ------
    FolderError
        The folder is not that of a finished run.
    JournalError
        Its journal is damaged.
    """
    outputs = Outputs(folder)
    needed = (outputs.journal, outputs.summary, outputs.slices)
    absent = [path.name for path in needed if not path.is_file()]
    if absent:
        raise FolderError(
            f"this is not the output folder of a finished run: it has no {', '.join(absent)}",
            where=str(folder),
            remedy="Give the folder that run.output names, when the run is over.",
        )
    configuration, alarms = read_records(outputs.journal, "alarm")
    rows = read_table(outputs.metrics)
    return Finished(
        outputs,
        json.loads(outputs.summary.read_text(encoding="utf-8")),
        {int(row["slice"]): row for row in read_table(outputs.slices)},
        rows[-1] if rows else {},
        Counter(str(alarm["kind"]) for alarm in alarms),
        configuration,
    )
