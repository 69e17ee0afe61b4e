"""What a finished run leaves beside its arrays: the tables, the summary, the pictures for the report."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from numpy.typing import NDArray

from daemon.errors import JournalError, StoreError
from daemon.items import FinishReason
from daemon.outputs import write_examples
from daemon.pipeline_state import Counts
from daemon.placement_figures import placement_figures
from daemon.records import metric_rows, slice_rows
from daemon.stages.growing import longest_displacement
from daemon.station import Station
from daemon.summary import provenance, run_summary
from daemon.tables import write_summary
from daemon.thickness_figures import thickness_figures


def write_ending(
    station: Station,
    reason: FinishReason,
    counts: Counts,
    seconds: float,
    examples: Mapping[str, NDArray[Any]],
) -> None:
    """Write them from the journal; ``examples`` are the last slice's pictures, by name.

    Raises
    ------
    StoreError
        The disk is full or gone.
    """
    outputs = station.outputs
    station.tables.finish(station.journal)
    if examples:
        write_examples(outputs, examples)
    write_summary(outputs.summary, _summary(station, reason, counts, seconds))


def write_failure(station: Station, counts: Counts, seconds: float, why: str) -> None:
    """The summary of a run that ends by an error, as far as the disk and the journal still allow."""
    with suppress(StoreError, JournalError):
        summary = _summary(station, FinishReason.ERRORED, counts, seconds)
        write_summary(station.outputs.summary, {**summary, "error": why})


def _summary(station: Station, reason: FinishReason, counts: Counts, seconds: float) -> dict[str, Any]:
    journal = station.journal
    rows, slices = metric_rows(journal), slice_rows(journal)
    limit_nm = longest_displacement(station.configuration.geometry.target_thickness_nm)
    return run_summary(
        slices=counts.slices,
        gaps=counts.gaps,
        alarms=counts.alarms,
        reason=reason,
        last_metrics=rows[-1] if rows else {},
        seconds=seconds,
        output=str(station.outputs.folder),
        thickness=thickness_figures(slices, station.configuration.drift.outlier_z),
        placement=placement_figures(slices, limit_nm),
        provenance=provenance(journal.run_id, station.segmenter, station.filling),
    )
