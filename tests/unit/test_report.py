"""The report of a run that went wrong in every way: one page, nothing from elsewhere, nothing hushed up."""

from __future__ import annotations

import base64
import contextlib
import re
import shutil
import zlib
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from daemon.config import as_toml_table, parse
from daemon.errors import FolderError, JournalError, StoreError
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
from daemon.report import write_report
from daemon.report.contents import read_contents
from daemon.report.facts import gap_list
from daemon.report.pdf import wrapped
from daemon.report.story import CAPTIONS
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
        journal.append(Record("finished", 0, {"reason": str(FinishReason.DRIFT_ABORT)}))


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The output folder of a run, written by the very functions that a daemon writes it with."""
    outputs = Outputs(tmp_path_factory.mktemp("output"))
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


@pytest.fixture(scope="module")
def page(finished) -> str:
    return write_report(finished).read_text(encoding="utf-8")


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


def test_the_page_needs_nothing_from_anywhere_else(page):
    """Microscopes have no internet and pages are mailed: every address in it is inline data."""
    parser = seen(page)
    assert len(parser.addresses) == len(FIGURES)
    assert all(address.startswith("data:image/png;base64,") for address in parser.addresses)
    assert not re.search(r"https?://|url\(|@import|<script|<link", page)


def test_every_figure_is_on_the_page_and_beside_it(finished, page):
    """As PNG files that hold exactly the picture that the page shows, and as SVG files that load nothing."""
    shown = [base64.b64decode(address.partition(",")[2]) for address in seen(page).addresses]
    for name in FIGURES:
        picture = (finished / f"report-{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert picture in shown
        drawing = ElementTree.parse(finished / f"report-{name}.svg").getroot()  # noqa: S314 - we wrote it
        assert drawing.tag.endswith("svg")
        links = [value for node in drawing.iter() for key, value in node.items() if key.endswith("href")]
        assert all(link.startswith(("#", "data:")) for link in links)


def test_what_must_not_be_overlooked_is_said_first(page):
    """Drift, assumed thickness, gaps and lost fiducials stand in the verdict, before any figure."""
    verdict = page[: page.index("<h2>")]
    assert 'class="verdict bad"' in verdict
    assert "ABORTED because the milling drifted" in verdict
    assert "5 of 35 slices is ASSUMED, not measured" in verdict
    assert "4 slice indices have no slice: 9–11 (missing), 30 (missing)" in verdict
    assert "3 of 36 slices were registered on the face itself" in verdict
    assert "3 of 60 planes are bridged" in verdict
    assert f"1 of {SLICES - len(GAPS)} slices stand more than 5 nm from their depth" in verdict
    assert "too small to stand for the material: e_d 3.0 times too uncertain" in verdict


def test_numbers_of_the_page_are_those_of_the_run(finished, page):
    """Key figures (assumed thicknesses do not count), alarms with who has seen them, provenance."""
    text = seen(page).text
    rows = read_contents(finished).kept
    mean = np.mean([float(r["thickness_nm"]) for r in rows if r["thickness_nm"] and r["thickness_sigma_nm"]])
    assert f"{mean:.2f} ±" in text
    assert "60 × 50 × 80" in text
    assert "0.13 ± 0.004" in text
    assert "17.3 ± 0.6 nm" in text
    assert "A. Keller" in text
    assert "nobody" in text
    assert "TensorrtExecutionProvider was asked for in vain" in text


def test_settings_are_those_that_the_microscope_told(page):
    """Times, instrument, and per channel every value that a setting has had."""
    text = seen(page).text
    assert "Helios G3" in text
    assert "2026-01-01 00:10" in text
    assert "2026-01-01 06:40" in text
    assert "TLD, ICD" in text
    for value in ("30 µs", "3.26 nm", "61 × 31 px", "52°"):
        assert value in text


def test_outliers_gaps_and_registration_are_listed(finished, page):
    """Every slice beyond 1.5 σ of what was measured, every gap with its reason, every channel."""
    text = seen(page).text
    rows = [row for row in read_contents(finished).kept if row["thickness_source"] == ThicknessSource.RULER]
    values = {int(r["slice"]): float(r["thickness_nm"]) for r in rows if r["thickness_nm"]}
    mean, sigma = np.mean([*values.values()]), np.std([*values.values()], ddof=1)
    beyond = {index: value for index, value in values.items() if abs(value - mean) > 1.5 * sigma}
    assert beyond
    listed = text.partition("Outliers")[2].partition("Drift")[0]
    assert re.findall(r"(\d+) ([\d.]+) nm", listed) == [
        (str(index), f"{value:.2f}")
        for index, value in sorted(beyond.items(), key=lambda p: -abs(p[1] - mean))
    ]
    assert text.count("missing: no image came") == len(GAPS)
    assert "0.970" in text.partition("Registration")[2]


def test_published_figures_stand_beside_ours(page):
    """With their source, and how to cite software, network and methods."""
    text = seen(page).text
    for value in ("0.1206", "0.0489", "0.0119", "2024, table 4"):
        assert value in text
    cited = text.partition("How to cite")[2]
    assert "slicewatch 0.1.0, network unet (sha256 abababababab…)" in cited
    assert "10.1016/j.ultramic.2023.113878" in cited


def pdf_text(content: bytes) -> str:
    """All text that the pages show, letters only as they stand."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL)
    shown = [b""]
    for stream in streams:
        with contextlib.suppress(zlib.error):
            shown += re.findall(rb"\(((?:[^()\\]|\\.)*)\)", zlib.decompress(stream))
    return b"".join(shown).replace(b"\0", b"").decode("latin-1")


def test_the_pdf_tells_the_same(finished, page):
    """Verdict, cautions, captions and provenance of the page are on paper too, over several pages."""
    content = (finished / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page ") > 3
    text = pdf_text(content)
    for words in ("ABORTED because the milling drifted", "ASSUMED, not measured", "A. Keller", "Helios G3"):
        assert words in seen(page).text
        assert words in text
    assert all(caption.split(";")[0].split(":")[0][:40] in text for caption in CAPTIONS.values())


def test_the_same_run_gives_the_same_files(finished):
    """Written anew, no byte of page, paper or drawing changes: a report can be kept under version control."""
    names = ("report.html", "report.pdf", "report-cuts.svg", "report-surface.png")
    before = {name: (finished / name).read_bytes() for name in names}
    write_report(finished)
    assert {name: (finished / name).read_bytes() for name in names} == before


def test_nothing_runs_over_the_margin_on_paper():
    """Lines are broken by their number of characters; the widest letters of the font still fit."""
    from matplotlib.textpath import TextPath

    for text in ("Ausgewogene Sprache wie in jedem Bericht mit 12.34 nm und slices 1–9 " * 4,):
        for line in wrapped(text, 5.0, 8.5):
            assert TextPath((0, 0), line, size=8.5).get_extents().width / 72.0 <= 5.0


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (("volume.ome.zarr", "metrics.csv", "ligaments.csv"), "No plane of the volume is final yet"),
        (("examples.npz", "examples"), "No data yet"),
        (("summary.json",), "Not finished"),
        (("slices.csv", "summary.json", "volume.ome.zarr", "metrics.csv", "examples.npz"), "Not finished"),
    ],
    ids=["no volume", "no faces", "no summary", "little"],
)
def test_a_report_survives_missing_pieces(finished, tmp_path, pieces, words):
    """A run that ended badly lacks files: the rest is told."""
    copy = shutil.copytree(finished, tmp_path / "copy", ignore=shutil.ignore_patterns("report*"))
    for name in pieces:
        path = copy / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert words in seen(write_report(copy).read_text(encoding="utf-8")).text
    assert (copy / "report.pdf").read_bytes().startswith(b"%PDF")


def test_a_run_of_gaps_only_has_a_report(tmp_path):
    """Every index is a gap, one channel, no ruler."""
    outputs = Outputs(tmp_path)
    configuration = parse(
        {**CONFIGURATION, "channels": [{"name": "2kV", "voltage_kv": 2.0}]}, where=Path("/n/c")
    )
    with closing(open_journal(outputs.journal, as_toml_table(configuration), now)) as journal:
        with journal.transaction():
            for index in (1, 2, 3):
                gap = SliceMessage(index=index, status=Status.GAP, reason="unreadable: no strip")
                journal.append(as_record(gap))
        RunTables(outputs, configuration.channel_names, configuration.drift.outlier_z).finish(journal)
    text = seen(write_report(tmp_path).read_text(encoding="utf-8")).text
    assert text.count("unreadable: no strip") == 3
    assert "without a ruler nothing measures the thickness" in text


def test_foreign_text_cannot_become_markup(page):
    """Names of folders and messages are shown as they are."""
    assert "<Übung>" not in page
    assert "<14 nm>" not in page
    text = seen(page).text
    assert "Kurs & <Übung>" in text
    assert "<14 nm>" in text


def test_pixels_of_a_face_get_their_true_proportions(finished):
    """Foreshortened rows: 50 voxels over 31 rows, 80 over 61 columns."""
    pixel_y, pixel_x = read_contents(finished).face_pixel_nm or (0.0, 0.0)
    assert pixel_y == pytest.approx(49 * GRID_NM / 30)
    assert pixel_x == pytest.approx(79 * GRID_NM / 60)


def test_a_run_that_has_only_begun_has_a_page_too(tmp_path):
    """No slice, no plane, no summary: said so, and no figure pretends otherwise."""
    configuration = parse(CONFIGURATION, where=Path("/nowhere/config.toml"))
    open_journal(Outputs(tmp_path).journal, as_toml_table(configuration), now).close()
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert "Not finished" in text
    assert "No plane of the volume is final yet" in text
    assert "<figure>" not in text
    assert not list(tmp_path.glob("*.png"))
    assert (tmp_path / "report.pdf").exists()


def test_a_wrong_folder_is_refused(tmp_path):
    """With the remedy, and nothing is written into it."""
    with pytest.raises(FolderError, match=r"journal\.sqlite.*run\.output"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_journal_is_refused(tmp_path):
    """A file of that name is not yet a journal."""
    (tmp_path / "journal.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(JournalError):
        write_report(tmp_path)


def test_a_folder_that_cannot_take_the_page_is_named(finished, tmp_path):
    """Something else is in the way of a figure."""
    copy = shutil.copytree(finished, tmp_path / "copy", ignore=shutil.ignore_patterns("report*"))
    (copy / "report-thickness.png").mkdir()
    with pytest.raises(StoreError, match=r"report-thickness\.png"):
        write_report(copy)


def test_gaps_are_listed_as_ranges_with_their_reasons():
    """Consecutive gaps of one reason are one entry, whatever their details say."""
    reasons = {4: "missing: a", 5: "missing: b", 6: "unreadable: c", 8: "unreadable: d", 9: ""}
    rows = [{"slice": str(index), "reason": reason} for index, reason in reasons.items()]
    assert gap_list(rows) == "4–5 (missing), 6 (unreadable), 8 (unreadable), 9 (no reason given)"
    assert gap_list([]) == ""
