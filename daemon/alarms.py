"""The alarms of ingestion and of the machine; those of the milling come with their verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.abort import ActionResult
from daemon.assembly import Quarantined, Renumbered
from daemon.items import Alarm, SliceGap
from daemon.ledger import Ledger


def gap(what: SliceGap) -> Alarm:
    """Slices that are missing shorten what can be interpolated: a person should look."""
    return Alarm(
        "slice gap",
        what.index,
        f"slice {what.index} is a gap ({what.reason}): {what.detail}",
        remedy="Depth stays true and the volume is interpolated across it; look at the microscope's images.",
    )


def quarantine(file: Quarantined) -> Alarm:
    """A file that is kept out of the volume."""
    return Alarm(
        f"file quarantined: {file.reason}",
        file.slice_index,
        f"{file.path.parent.name}/{file.path.name}: {file.detail}",
        remedy="The run goes on without this file; nothing on disk was changed.",
    )


def renumbered(outcome: Renumbered) -> Alarm:
    """The acquisition seems to have been started anew."""
    return Alarm(
        "acquisition renumbered",
        outcome.first_index,
        f"the acquisition counts again from {outcome.first_index} ({outcome.path.name})",
        remedy="Start another run with a new output folder for the restarted acquisition.",
    )


def unbalanced(books: Ledger) -> Alarm:
    """Files that are neither in the volume, nor waiting, nor quarantined: a defect of this program."""
    return Alarm(
        "ledger does not balance",
        0,
        f"{books.imbalance:+d} of {books.seen} file versions are unaccounted for: "
        f"{books.processed} processed, {books.quarantined} quarantined, {books.ignored} ignored, "
        f"{books.waiting} waiting",
        measurement=float(books.imbalance),
        limit=0.0,
        remedy="Compare the acquisition folder with slices.csv, run `slicewatch reprocess` into a new output "
        "folder afterwards, and report this with the journal.",
    )


def asked_to_abort(by: str, reason: str) -> Alarm:
    """Somebody asked for the microscope to be stopped."""
    return Alarm("abort requested", 0, f"{by} asked to abort: {reason or 'no reason given'}")


def aborted(cause: Alarm, results: Sequence[ActionResult]) -> Alarm:
    """What became of the abort; loud when nothing confirms that the microscope has stopped."""
    told = "; ".join(f"{r.kind} {r.target}: {r.detail}" for r in results) or "no abort action is configured"
    confirmed = any(result.confirmed for result in results)
    return Alarm(
        "abort confirmed" if confirmed else "abort NOT CONFIRMED",
        cause.slice_index,
        f"abort because of '{cause.kind}': {told}",
        remedy="" if confirmed else "Stop the microscope by hand.",
    )
