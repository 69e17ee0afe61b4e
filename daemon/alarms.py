"""The alarms of ingestion and of the machine; those of the milling come with their verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from daemon.abort.orders import ActionResult, Order
from daemon.assembly import ClockSetBack, OtherProject, Outcome, Quarantined, Renumbered
from daemon.errors import SlicewatchError
from daemon.items import Alarm, PlacedSlice, SliceGap
from daemon.ledger import Ledger

ABORT_PENDING: Final = "abort pending"
"""The kind of the alarm that announces an abort; whoever acknowledges it has seen the drift behind it."""


def of(outcome: Outcome) -> Alarm | None:
    """What a person should know of a decision; None: nothing, or another alarm tells it already."""
    match outcome:
        case SliceGap(told=False):
            return gap(outcome)
        case Quarantined(told=False):
            return quarantine(outcome)
        case ClockSetBack():
            return clock_set_back(outcome)
        case Renumbered():
            return renumbered(outcome)
        case OtherProject():
            return other_project(outcome)
        case _:
            return None


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
    """The acquisition was started anew."""
    return Alarm(
        "acquisition renumbered",
        outcome.first_index,
        f"the acquisition was restarted: {outcome.path.parent.name}/{outcome.path.name}, number "
        f"{outcome.counted_from} of its files, is slice {outcome.first_index} of the run",
        remedy="The run goes on with the new numbers. If it is to have more slices than run.expected_slices, "
        "stop it, raise that, and start it again.",
    )


def other_project(outcome: OtherProject) -> Alarm:
    """Images of two acquisitions lie below one folder."""
    return Alarm(
        "two projects in one folder",
        outcome.slice_index,
        f"{outcome.folder} holds images of another project, for slices that are there already",
        remedy="The run keeps to the project that it began with. Give each project a folder of its own, and "
        "start another run on the other one's.",
    )


def displaced(placed: PlacedSlice, count: int, limit_nm: float, grid_nm: float) -> Alarm:
    """Slices that are not shown where they lie: places in the volume were taken, or are too far apart."""
    return Alarm(
        "slice displaced",
        placed.index,
        f"slice {placed.index} is shown {placed.displacement_nm:+.1f} nm from its depth, for no nearer plane "
        f"was free; {count} slice{'s are' if count > 1 else ' is'} off by more than {limit_nm:g} nm",
        measurement=abs(placed.displacement_nm),
        limit=limit_nm,
        remedy=f"Depth and thickness in slices.csv are right. If more follow, {grid_nm:g} nm voxels are too "
        "coarse for these slices: reprocess the run into a new output, with a volume.grid_nm of at most half "
        "the thickness.",
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


def unreachable(trouble: str) -> Alarm:
    """The acquisition folder is away."""
    return Alarm(
        "acquisition folder unreachable",
        0,
        trouble,
        remedy="Check the network and the mount; the run goes on by itself once the folder is back.",
    )


def mismatched(detail: str) -> Alarm:
    """Images come, and the run looks at none of them."""
    return Alarm(
        "no file matches",
        0,
        detail,
        remedy="Correct run.file_pattern, where (?P<slice>\\d+) marks the slice number, and start again.",
    )


def standstill(quiet_s: float, limit_s: float) -> Alarm:
    """No image has come for longer than the run's rhythm explains."""
    return Alarm(
        "acquisition stands still",
        0,
        f"no image for {quiet_s:.0f} s; {limit_s:.0f} s is the longest that is usual",
        measurement=quiet_s,
        limit=limit_s,
        remedy="Look at the microscope; the run goes on with the next image.",
    )


def filling(slices_possible: float, slices_left: int) -> Alarm:
    """The output disk will be full before the run ends, at the rate of this run."""
    return Alarm(
        "output disk fills up",
        0,
        f"the room lasts for about {slices_possible:.0f} more slices"
        + (f"; {slices_left} are left" if slices_left else ""),
        measurement=slices_possible,
        limit=float(slices_left),
        remedy="Make room on the disk of run.output; when it is full the run pauses and loses nothing.",
    )


def disk_full(error: SlicewatchError) -> Alarm:
    """Nothing more can be written: the run pauses."""
    return Alarm(
        "output disk full",
        0,
        f"the run pauses: {error.what} ({error.where})",
        remedy="Make room on the disk of run.output; the run goes on by itself, from the last whole slice.",
    )


def clock_set_back(outcome: ClockSetBack) -> Alarm:
    """The microscope's clock went backwards."""
    return Alarm(
        "microscope clock set back",
        outcome.index,
        f"{outcome.path.name} was taken {outcome.back_s:.0f} s before an earlier slice, by its own clock",
        measurement=outcome.back_s,
        remedy="The run goes on: it orders by slice number. Check the microscope's clock and time zone.",
    )


def nothing() -> Alarm:
    """A run that ends without a single slice is not what anybody wanted."""
    return Alarm(
        "no slice",
        0,
        "the run ended without one complete slice",
        remedy="Compare run.folder, file_pattern and [[channels]] with the files, as `check` does.",
    )


def asked_to_abort(by: str, reason: str) -> Alarm:
    """Somebody asked for the microscope to be stopped."""
    return Alarm("abort requested", 0, f"{by} asked to abort: {reason or 'no reason given'}")


def abort_pending(cause: Alarm, number: str, grace_s: float) -> Alarm:
    """The microscope will be stopped unless somebody says no."""
    return Alarm(
        ABORT_PENDING,
        cause.slice_index,
        f"the microscope is stopped in {grace_s:.0f} s because of '{cause.kind}' (alarm #{number})",
        limit=grace_s,
        remedy=f"Acknowledge this alarm or #{number} to call it off; look at the microscope either way.",
    )


def pause_unconfirmed(order: Order, results: Sequence[ActionResult]) -> Alarm:
    """The microscope goes on milling while the grace period runs."""
    return Alarm(
        "pause NOT CONFIRMED",
        order.cause.slice_index,
        f"the microscope was asked to pause: {_told(results)}",
        remedy="Pause the microscope by hand, or let the abort come.",
    )


def gpu_lost(before: str, now: str, reasons: Mapping[str, str]) -> Alarm:
    """The network ran on a GPU before and does not any more."""
    why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return Alarm(
        "GPU lost",
        0,
        f"the network ran on {before} and now runs on {now}" + (f" ({why})" if why else ""),
        remedy="The results stay right but come later. Look at the driver (nvidia-smi), then restart.",
    )


def memory_exhausted(steps: Sequence[str], slice_index: int) -> tuple[Alarm, ...]:
    """What the network gave up because its device's memory did not suffice, since this was last asked."""
    return tuple(
        Alarm(
            "GPU memory exhausted",
            slice_index,
            step,
            remedy="The results stay right but come later. Free the GPU (nvidia-smi), then restart.",
        )
        for step in steps
    )


def aborted(cause: Alarm, results: Sequence[ActionResult]) -> Alarm:
    """What became of the abort; loud when nothing confirms that the microscope has stopped."""
    told = _told(results) or "no abort action is configured"
    confirmed = any(result.confirmed for result in results)
    return Alarm(
        "abort confirmed" if confirmed else "abort NOT CONFIRMED",
        cause.slice_index,
        f"abort because of '{cause.kind}': {told}",
        remedy="" if confirmed else "Stop the microscope by hand.",
    )


def _told(results: Sequence[ActionResult]) -> str:
    return "; ".join(f"{r.kind} {r.target}: {r.outcome}, {r.detail}" for r in results)
