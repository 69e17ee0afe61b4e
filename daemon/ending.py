"""What a finished run leaves beside its arrays: the tables, the summary, the pictures for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from daemon.items import FinishReason
from daemon.outputs import write_examples, write_tables
from daemon.pipeline_state import Counts
from daemon.records import metric_rows, slice_rows
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
    outputs, journal = station.outputs, station.journal
    write_tables(outputs, journal, station.configuration.channel_names)
    if examples:
        write_examples(outputs, examples)
    rows = metric_rows(journal)
    summary = run_summary(
        slices=counts.slices,
        gaps=counts.gaps,
        alarms=counts.alarms,
        reason=reason,
        last_metrics=rows[-1] if rows else {},
        seconds=seconds,
        output=str(outputs.folder),
        thickness=thickness_figures(slice_rows(journal)),
        provenance=provenance(journal.run_id, station.segmenter),
    )
    write_summary(outputs.summary, summary)
