"""The report of a run that went wrong in every way: one page, nothing from elsewhere, nothing hushed up."""

from __future__ import annotations

import base64
import contextlib
import re
import zlib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from daemon.items import ThicknessSource
from daemon.monitor.palette import PHASES as DASHBOARD
from daemon.report import write_report
from daemon.report.charts import metrics
from daemon.report.contents import read_contents
from daemon.report.facts import cautions, gap_list
from daemon.report.pdf import wrapped
from daemon.report.pictures import PHASES, cuts
from daemon.report.story import CAPTIONS, tell

from .report_run import FIGURES, GAPS, GRID_NM, SLICES, seen, write_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    return write_run(tmp_path_factory.mktemp("output"))


@pytest.fixture(scope="module")
def page(finished) -> str:
    return write_report(finished).read_text(encoding="utf-8")


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


def test_an_alarm_of_the_machine_is_of_no_slice(finished):
    """What has no slice is not told of slice 0, and one alarm is not "1 alarms"."""
    contents = read_contents(finished)
    full = dict(contents.alarms[1], slice_index=0, kind="output disk full", message="the run pauses")
    alone = replace(contents, alarms=[full])
    assert "1 alarm was raised (see below)." in cautions(alone)
    section = next(one for one in tell(alone, ()).sections if one.title == "Alarms")
    assert section.blocks[0].rows[0][:2] == ("–", "output disk full")


def test_more_phases_than_two_are_named(finished):
    """Their colours are explained below the cuts, and are those of the dashboard."""
    contents = read_contents(finished)
    three = replace(contents, cuts={name: labels * 2 for name, labels in contents.cuts.items()})
    assert cuts(contents).legends == []
    assert [text.get_text() for text in cuts(three).legends[0].get_texts()] == ["pore", "phase 1", "phase 2"]
    for phase, colour in enumerate(DASHBOARD[2:], 2):
        assert tuple(round(255 * part) for part in PHASES(phase)[:3]) == colour


def test_what_an_axis_cuts_off_is_said_clear_of_the_legend(finished):
    """Above the axes: inside, the legend goes wherever the curves leave room, and lay on the words."""
    contents = read_contents(finished)
    wide = [row | {"e_tpcf_sigma": "4", "band_sigmas": "2"} for row in contents.metrics]
    panel = metrics(replace(contents, metrics=wide)).axes[1]
    assert "cut off, reaches 8.2" in panel.get_title(loc="right")
    assert not panel.texts


def test_pale_words_can_be_read_on_both_grounds(page):
    """Names and captions have a contrast of 4.5 : 1 on white and on the dark of a browser."""
    muted = re.findall(r"--muted: #(\w{6})", page)
    assert len(muted) == 2
    for words, ground in zip(muted, ("ffffff", "121212"), strict=True):
        high, low = sorted((luminance(words), luminance(ground)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = np.array([int(colour[k : k + 2], 16) / 255 for k in (0, 2, 4)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_published_figures_stand_beside_ours(page):
    """With their source, and how to cite software, network and methods."""
    text = seen(page).text
    for value in ("0.1206", "0.0489", "0.0119", "2024, table 4"):
        assert value in text
    cited = text.partition("How to cite")[2]
    assert "slicewatch 0.1.0, network unet (sha256 abababababab…)" in cited
    assert "10.1016/j.ultramic.2023.113878" in cited


def test_gold_is_no_measure_for_a_material_of_three_phases(finished):
    """An electrode's figures are those of phase 1, and nothing of another material stands beside them."""
    contents = read_contents(finished)
    rows = [{**row, "phase_fractions": "0.5 0.3 0.2"} for row in contents.metrics]
    told = str(tell(replace(contents, metrics=rows), FIGURES))
    assert "0.1206" not in told
    assert "Dotted" not in told
    assert "those of phase 1" in told
    figure = metrics(replace(contents, metrics=rows))
    assert figure is not None
    assert not [line for line in figure.axes[1].lines if line.get_linestyle() == ":"]


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


def test_gaps_are_listed_as_ranges_with_their_reasons():
    """Consecutive gaps of one reason are one entry, whatever their details say."""
    reasons = {4: "missing: a", 5: "missing: b", 6: "unreadable: c", 8: "unreadable: d", 9: ""}
    rows = [{"slice": str(index), "reason": reason} for index, reason in reasons.items()]
    assert gap_list(rows) == "4–5 (missing), 6 (unreadable), 8 (unreadable), 9 (no reason given)"
    assert gap_list([]) == ""


def test_who_asked_for_what_is_told(page):
    """Every entry of the audit log: what, by whom and with which key, of which alarm, why."""
    log = page[page.index("Commands and actions") :]
    assert "Ada (control-room)" in log
    assert "reason the detector needs service" in log
    assert "alarm 1, token t-17" in log
