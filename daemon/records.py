"""Messages as journal records and back: what was said *is* what happened.

The tables and what a late client is told are projections of these records, so a restarted daemon says and
writes exactly what the killed one would have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from daemon.items import FinishReason, RegisteredSlice, Status
from daemon.journal import FIRST_KEY, Journal, Record
from daemon.journal_bodies import read_records
from daemon.messages import TYPES, AlarmMessage, Message

KEPT: Final = ("slice", "thickness", "drift", "alarm", "planes", "metrics")


def as_record(message: Message) -> Record:
    """The journal's record of a message; pictures and curves are not kept."""
    fields = msgspec.structs.asdict(message)
    fields.pop("arrays")
    return Record(message.topic, _key(message), msgspec.to_builtins(fields))


def messages(journal: Path, topic: str) -> Iterator[Message]:
    """The last word on every subject of a topic, as a late client is told it.

    Read beside the run, over a connection of its own: what is not committed is not told.

    Raises
    ------
    JournalError
        The file is damaged.
    """
    for body in read_records(journal, topic)[1]:
        yield msgspec.convert(body, TYPES[topic], strict=False)


def slice_rows(journal: Journal, first: int = FIRST_KEY) -> list[dict[str, Any]]:
    """The rows of ``slices.csv``: one per slice index from ``first`` on, gaps too, in order."""
    thicknesses = journal.latest("thickness", first)
    return [
        _slice_row(index, body, thicknesses.get(index, {}))
        for index, body in journal.latest("slice", first).items()
    ]


def metric_rows(journal: Journal, first: int = FIRST_KEY) -> list[dict[str, Any]]:
    """The rows of ``metrics.csv``: one per final plane from ``first`` on, in order."""
    return list(journal.latest("metrics", first).values())


def ligaments_record(curves: Mapping[str, NDArray[np.float64]]) -> Record:
    """The distribution of local thickness so far; each replaces the last."""
    return Record("ligaments", 0, {name: curves[name].tolist() for name in ("ligament_nm", "ligament_share")})


def ligament_rows(journal: Journal) -> list[dict[str, float]]:
    """The rows of ``ligaments.csv``: one per diameter; none before the first face."""
    told = journal.latest("ligaments").get(0, {"ligament_nm": [], "ligament_share": []})
    pairs = zip(told["ligament_nm"], told["ligament_share"], strict=True)
    return [{"diameter_nm": diameter, "share_of_solid": share} for diameter, share in pairs]


def _slice_row(index: int, told: dict[str, Any], thickness: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "slice": index,
        "status": told["status"],
        "reason": told["reason"],
        "z_plane": told["z_plane"],
    }
    if told["status"] != Status.GAP:
        row |= {
            name: thickness.get(name)
            for name in ("depth_nm", "depth_sigma_nm", "thickness_nm", "thickness_sigma_nm")
        }
        row |= {name: thickness.get(name) for name in ("taper_nm", "taper_sigma_nm")}
        row["thickness_source"] = thickness.get("source")
        row["asv_thickness_nm"] = thickness.get("asv_nm")
        row["similarity_thickness_nm"] = thickness.get("similarity_nm")
        row["displacement_nm"] = told.get("displacement_nm")
        row["mean_of_slices"] = thickness.get("mean_of_slices")
        row["notes"] = "; ".join(thickness.get("notes", ()))
    for name, shift in told["channels"].items():
        row[f"shift_y_px_{name}"] = shift["dy_px"]
        row[f"shift_x_px_{name}"] = shift["dx_px"]
        row[f"quality_{name}"] = shift["quality"]
        row[f"domain_distance_{name}"] = shift["domain_distance"]
        row[f"domain_limit_{name}"] = shift["domain_limit"]
    row["shift_source"] = ", ".join(sorted({shift["source"] for shift in told["channels"].values()}))
    return row


def _key(message: Message) -> int:
    """Records are keyed by slice or plane; alarms by their number."""
    match message:
        case AlarmMessage():
            return int(message.id)
        case _:
            return message.key if isinstance(message.key, int) else 0


def faces_record(registered: RegisteredSlice) -> Record:
    """Where a slice's images lie and how they were moved: what a restart needs to see the face again.

    With what the microscope said of them, for the report.
    """
    images = {
        name: {
            "path": str(frame.path),
            "sha256": frame.sha256,
            "dy_px": registered.shifts[name].dy_px,
            "dx_px": registered.shifts[name].dx_px,
            "shape_px": list(frame.image.shape),
            "metadata": msgspec.to_builtins(asdict(frame.metadata)),
        }
        for name, frame in registered.frames.items()
    }
    return Record("face", registered.index, {"images": images})


def started_record(epoch: int, provider: str) -> Record:
    """A daemon has opened the journal; the network runs on ``provider``."""
    return Record("started", 0, {"epoch": epoch, "provider": provider})


def ended_record(epoch: int, reason: FinishReason) -> Record:
    """The daemon of this epoch has ended on purpose; without it, it was killed."""
    return Record("ended", 0, {"epoch": epoch, "reason": str(reason)})
