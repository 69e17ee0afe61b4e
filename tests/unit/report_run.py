"""A run in which everything went wrong that a report must tell, and a reader of its page."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from daemon.config import as_toml_table, parse
from daemon.example_faces import keep_example
from daemon.items import (
    ChannelShift,
    FinishReason,
    Frame,
    FrameMetadata,
    PlaneKind,
    RegisteredSlice,
    Status,
    ThicknessSource,
)
from daemon.journal import Journal, Record, open_journal
from daemon.messages import (
    AlarmMessage,
    ChannelPlacement,
    DriftMessage,
    Message,
    MetricsMessage,
    SliceMessage,
    ThicknessMessage,
)
from daemon.outputs import Outputs, write_examples
from daemon.records import as_record, faces_record
from daemon.run_tables import RunTables
from daemon.summary import run_summary
from daemon.tables import write_summary
from daemon.volume_store import open_volume

GAPS = (9, 10, 11, 30)
ASSUMED = range(36, 41)
DISPLACED = 20
SLICES = 40
GRID_NM = 2.5
VERDICT = "not yet: e_d 3.0 times too uncertain"
CONFIGURATION = {
    "run": {"folder": "/data/Kurs & <Übung>", "output": "unused"},
    "channels": [
        {"name": "1kV", "voltage_kv": 1.0},
        {"name": "2kV", "voltage_kv": 2.0, "reference": True},
    ],
}
FIGURES = (
    "thickness",
    "drift",
    "registration",
    "faces",
    "earlier",
    "cuts",
    "surface",
    "metrics",
    "ligaments",
)


def now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


def placement(index: int, offset: float) -> ChannelPlacement:
    return ChannelPlacement(
        0.1 * index + offset, -0.05 * index, 0.02, 0.97, "fiducial" if index < 38 else "face"
    )


def slice_messages() -> list[Message]:
    """Forty slice indices: four gaps, five slices whose thickness was only assumed, drift from 31 on."""
    rng = np.random.default_rng(3)
    told: list[Message] = []
    depth = 0.0
    for index in range(1, SLICES + 1):
        step = float(rng.normal(10.0 if index <= 30 else 14.0, 1.0))
        depth += step if index > 1 else 0.0
        if index in GAPS:
            told.append(SliceMessage(index=index, status=Status.GAP, reason="missing: no image came"))
            continue
        shifts = {"1kV": placement(index, 2.0), "2kV": placement(index, 0.0)}
        z_plane = round(depth / GRID_NM)
        apart_nm = 7.5 if index == DISPLACED else z_plane * GRID_NM - depth
        told.append(
            SliceMessage(
                index=index,
                status=Status.FINAL,
                channels=shifts,
                z_plane=z_plane,
                displacement_nm=apart_nm,
            )
        )
        assumed = index in ASSUMED
        told.append(
            ThicknessMessage(
                index=index,
                depth_nm=depth,
                thickness_nm=10.0 if assumed else step if index > 1 else np.nan,
                thickness_sigma_nm=np.nan if assumed else 0.2,
                depth_sigma_nm=0.15,
                source=ThicknessSource.TARGET if assumed else ThicknessSource.RULER,
            )
        )
        grown = 0.02 * index if index > 20 else np.nan
        told.append(
            DriftMessage(
                index=index, statistics={"thicker": grown, "thinner": 0.1}, threshold=1.0, alarm=False
            )
        )
    return told


def other_messages() -> list[Message]:
    fractions = np.linspace(0.12, 0.13, 60).tolist()
    metrics: list[Message] = [
        MetricsMessage(
            plane=plane,
            solid_fraction=fraction,
            e_tpcf=0.2,
            e_lpf=0.1,
            e_d=0.05,
            d_xy_nm=20.0,
            solid_fraction_sigma=0.004,
            ligament_nm=17.3,
            ligament_sigma_nm=0.6,
            representative=VERDICT,
            kind=PlaneKind.BRIDGED if 20 <= plane < 23 else PlaneKind.MEASURED,
        )
        for plane, fraction in enumerate(fractions)
    ]
    alarms: list[Message] = [
        AlarmMessage(
            id="1",
            kind="drift thicker",
            slice_index=34,
            message="slices have become thicker: <14 nm>",
            remedy="Check the ion beam.",
            acknowledged_by="A. Keller",
        ),
        AlarmMessage(id="2", kind="slice gap", slice_index=30, message="slice 30 is a gap", remedy=""),
    ]
    return metrics + alarms


def face_record(index: int) -> Record:
    """What the journal keeps of a slice's images; the 1 kV detector was changed after slice 20."""
    detectors = {"1kV": "TLD" if index <= 20 else "ICD", "2kV": "TLD"}
    registered = RegisteredSlice(
        index,
        {name: frame(name, detector, index) for name, detector in detectors.items()},
        {name: ChannelShift(0.0, 0.0, 0.01, 0.9, "fiducial") for name in detectors},
    )
    return faces_record(registered)


def frame(name: str, detector: str, index: int) -> Frame:
    """An image of 31 × 61 px and its metadata, ten minutes after the one before."""
    told = FrameMetadata(
        beam="electron",
        voltage_kv=float(name[0]),
        detector=detector,
        pixel_size_nm=3.26,
        dwell_s=30e-6,
        tilt_deg=52.0,
        tilt_correction=False,
        acquired_at=now() + timedelta(minutes=10 * index),
        instrument="Helios G3",
    )
    return Frame(Path(f"/data/{name}.tif"), index, np.zeros((31, 61), np.uint8), told, "0" * 64)


def fill(journal: Journal) -> None:
    with journal.transaction():
        for index in (1, 20, 21, 40):
            journal.append(face_record(index))
        for message in [*slice_messages(), *other_messages()]:
            journal.append(as_record(message))
        sizes = {"ligament_nm": [0.0, 5.0, 7.5], "ligament_share": [0.2, 0.5, 0.3]}
        journal.append(Record("ligaments", 0, sizes))
        stop = {"command": "Stop", "by": "Ada", "key": "control-room", "reason": "the detector needs service"}
        for entry in ({"command": "Acknowledge", "by": "Bob", "alarm": "1", "token": "t-17"}, stop):
            journal.append(Record("audit", 0, entry))
        journal.append(Record("finished", 0, {"reason": str(FinishReason.DRIFT_ABORT)}))


def write_run(folder: Path) -> Path:
    """The output folder of a run, written by the very functions that a daemon writes it with."""
    outputs = Outputs(folder)
    configuration = parse(CONFIGURATION, where=Path("/nowhere/config.toml"))
    with closing(open_journal(outputs.journal, as_toml_table(configuration), now)) as journal:
        fill(journal)
        RunTables(outputs, configuration.channel_names, configuration.drift.outlier_z).finish(journal)
    rng = np.random.default_rng(0)
    store = open_volume(outputs.volume, (50, 80), GRID_NM, 2, {})
    store.append(0, (rng.random((60, 50, 80)) < 0.3).astype(np.uint8))
    store.close()
    images = {name: rng.integers(0, 255, (31, 61), dtype=np.uint8) for name in configuration.channel_names}
    write_examples(outputs, {**images, "labels": (rng.random((31, 61)) < 0.3).astype(np.uint8)})
    for index in (1, 9, 17, 33):
        keep_example(outputs.example_faces, index, images, (rng.random((31, 61)) < 0.3).astype(np.uint8))
    summary = run_summary(
        slices=SLICES - len(GAPS),
        gaps=len(GAPS),
        alarms=2,
        reason=FinishReason.DRIFT_ABORT,
        last_metrics={"solid_fraction": 0.13, "e_tpcf": 0.2},
        seconds=72.0,
        output=str(outputs.folder),
        thickness={},
        placement={},
        provenance={
            "version": "0.1.0",
            "model": "unet",
            "model_sha256": "ab" * 32,
            "provider": "CPUExecutionProvider",
        },
    )
    write_summary(outputs.summary, summary)
    return outputs.folder


class Seen(HTMLParser):
    """Text and every address in a page; fails on elements that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.addresses: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.addresses += [
            value for name, value in attrs if name in ("src", "href", "srcset", "data", "action")
        ]
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        if "style" not in self.open:
            self.text += f"{data} "


def seen(page: str) -> Seen:
    parser = Seen()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser
