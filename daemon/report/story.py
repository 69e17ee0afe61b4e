"""The report in its order: what happened, how good it is, what came out, what made it."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final

from daemon.items import FinishReason
from daemon.report import facts
from daemon.report.acquisition import acquisition_facts, channel_table, registration_table
from daemon.report.blocks import (
    Block,
    Bullets,
    Document,
    Paragraph,
    Picture,
    Section,
    Table,
    Tiles,
    Verbatim,
    Verdict,
    facts_table,
)
from daemon.report.contents import Contents
from daemon.report.phases import is_comparable
from daemon.report.published import CITATIONS, REAL_SAMPLE, SOLID_FRACTION

CAPTIONS: Final = {
    "thickness": "Thickness of the slice milled before each face with its standard error; its distribution.",
    "drift": "Evidence of the sequential tests on thickness after every slice; a test alarms at 1.",
    "registration": "Shift of every image: added to its coordinates it gives those of the first slice; and "
    "the quality of its registration, 1 at best.",
    "faces": "The last slice: registered images with the contrast of each stretched, and the segmentation.",
    "earlier": "Earlier slices in the reference channel, and their segmentation: does it fail anywhere?",
    "cuts": "Three orthogonal cuts through the middle of the isotropic volume; z is depth into the sample.",
    "surface": "The solid from outside, beginning with the first face on top; depth points down.",
    "ligaments": "Share of the solid by local thickness: the largest disc inside it, on measured faces.",
    "metrics": "Solid fraction, anisotropy errors and mean ligament diameters in three planes as the volume "
    "grows; bands hold the material's value with 95 %.",
}
_DOTTED: Final = " Dotted: published for real hierarchical nanoporous gold (late fusion, 2024)."
_AUDITED: Final = (
    "alarm", "cause", "reason", "token", "order", "kind", "target", "attempt", "outcome", "detail",
)  # fmt: skip
"""What is shown of an entry of the audit log, in this order."""
_MOST_ROWS: Final = 60
"""A table that nobody reads to its end hides the one after it; the CSV file has every row."""


def tell(contents: Contents, figures: Collection[str]) -> Document:
    """The whole report; ``figures`` are the names of those that could be drawn."""
    sections = (
        Section("", (_verdict(contents), Tiles(tuple(facts.key_figures(contents).items())))),
        Section("Acquisition", (facts_table(acquisition_facts(contents)), channel_table(contents))),
        Section("Slice thickness", tuple(_thickness(contents, figures))),
        Section("Drift", tuple(_drift(contents, figures))),
        Section("Gaps", tuple(_gaps(contents))),
        Section("Alarms", (_alarms(contents.alarms),)),
        *_asked(contents.audit),
        Section("Registration", (*_drawn(figures, "registration"), registration_table(contents))),
        Section("Segmentation", _drawn(figures, "faces", "earlier")),
        Section("Volume", (*_drawn(figures, "cuts", "surface"), facts_table(facts.volume_facts(contents)))),
        Section("Structure", tuple(_structure(contents, figures))),
        *_truth(contents),
        Section("Software", (facts_table(facts.provenance(contents)), _configuration(contents))),
        Section("How to cite", (Bullets((_software_citation(contents), *CITATIONS)),)),
    )
    return Document("FIB-SEM tomography", str(contents.configuration["run"]["folder"]), sections)


def _verdict(contents: Contents) -> Verdict:
    reason = contents.summary.get("finish_reason")
    warned = tuple(facts.cautions(contents))
    is_bad = reason in (FinishReason.DRIFT_ABORT, FinishReason.ERRORED)
    tone = "bad" if is_bad else "warn" if warned or reason != FinishReason.COMPLETED else "good"
    return Verdict(tone, facts.headline(contents), warned)


def _drawn(figures: Collection[str], *names: str) -> tuple[Block, ...]:
    drawn = tuple(Picture(name, CAPTIONS[name]) for name in names if name in figures)
    return drawn or (Paragraph("No data yet."),)


def _thickness(contents: Contents, figures: Collection[str]) -> list[Block]:
    blocks: list[Block] = [*_drawn(figures, "thickness"), facts_table(facts.slice_facts(contents))]
    sources = facts.source_rows(contents)
    if sources:
        blocks.append(Paragraph("What other sources would have said where the ruler measured:"))
        blocks.append(Table(tuple(sources), ("source", "slices", "bias", "scatter")))
    outliers = facts.outlier_rows(contents)
    if outliers:
        blocks.append(Paragraph("Outliers, the farthest from the mean first:"))
        blocks.append(_cut_short(outliers, ("slice", "thickness", "deviation", "source")))
    return blocks


def _drift(contents: Contents, figures: Collection[str]) -> list[Block]:
    if contents.configuration.get("ruler") is None and not contents.drift:
        return [Paragraph("Not judged: without a ruler nothing measures the thickness.")]
    if "drift" not in figures:
        return [Paragraph(_unjudged(contents.configuration["drift"]))]
    events = tuple(
        (str(alarm["slice_index"]), alarm["kind"], alarm["message"])
        for alarm in contents.alarms
        if alarm["kind"].startswith("drift")
    )
    told = Table(events, ("slice", "event", "measured")) if events else Paragraph("No test has alarmed.")
    return [*_drawn(figures, "drift"), told]


def _unjudged(drift: dict[str, Any]) -> str:
    if any(drift.get("baseline_nm", ())):
        return "Nothing speaks for drift yet, against the given baseline."
    return f"Not judged yet: the first {drift['warmup_slices']} slices teach what is usual in this run."


def _gaps(contents: Contents) -> list[Block]:
    if not contents.gaps:
        return [Paragraph("None: every slice index has its slice.")]
    rows = [(row["slice"], row["reason"] or "no reason given") for row in contents.gaps]
    return [_cut_short(rows, ("slice", "reason"))]


def _alarms(alarms: list[dict[str, Any]]) -> Block:
    if not alarms:
        return Paragraph("None.")
    rows = [
        (
            str(alarm["slice_index"] or "–"),  # 0: of the machine, not of a slice
            alarm["kind"],
            f"{alarm['message']}{' → ' + alarm['remedy'] if alarm['remedy'] else ''}",
            alarm["acknowledged_by"] or "nobody",
        )
        for alarm in alarms
    ]
    return _cut_short(rows, ("slice", "kind", "what → remedy", "acknowledged by"))


def _asked(audit: list[tuple[str, dict[str, Any]]]) -> tuple[Section, ...]:
    """Who asked for what, and every attempt to stop the microscope; nothing where nobody did."""
    if not audit:
        return ()
    rows = [
        (
            time[:19].replace("T", " "),
            body["command"],
            f"{body['by']} ({body['key']})" if body.get("key") else body["by"],
            ", ".join(f"{name} {body[name]}" for name in _AUDITED if body.get(name) not in (None, "")),
        )
        for time, body in audit
    ]
    return (Section("Commands and actions", (_cut_short(rows, ("time (UTC)", "what", "by", "about")),)),)


def _structure(contents: Contents, figures: Collection[str]) -> list[Block]:
    if not contents.metrics:
        return [Paragraph("No plane of the volume is final yet.")]
    ligaments = _drawn(figures, "ligaments") if "ligaments" in figures else ()
    caption = CAPTIONS["metrics"]
    beside = "All figures but the shares of the volume are those of phase 1."
    if is_comparable(contents):
        caption += _DOTTED
        beside = f"The published sample has a solid fraction of {SOLID_FRACTION}."
    drawn = Picture("metrics", caption) if "metrics" in figures else Paragraph("No data yet.")
    return [
        drawn,
        _anisotropy(contents),
        Paragraph(
            "Anisotropy errors are 0 for an isotropic structure without end, and above 0 for every finite "
            f"one. {beside}"
        ),
        *ligaments,
        facts_table(facts.structure_facts(contents)),
    ]


def _anisotropy(contents: Contents) -> Table:
    """This volume, the emulator's truth where there is one, then what was published of a like material."""
    ours = facts.anisotropy_rows(contents)
    published = tuple(
        (f"published: {told.way} ({told.source})", "", f"{told.e_tpcf:g}", f"{told.e_lpf:g}", f"{told.e_d:g}")
        for told in (REAL_SAMPLE if is_comparable(contents) else ())
    )
    return Table((*ours, *published), ("", "solid fraction", "e TPCF", "e LPF", "e D"))


def _truth(contents: Contents) -> list[Section]:
    told = facts.truth_facts(contents)
    return [Section("Against the emulator's truth", (facts_table(told),))] if told else []


def _configuration(contents: Contents) -> Verbatim:
    text = json.dumps(contents.configuration, indent=2, ensure_ascii=False)
    return Verbatim("Configuration of the run", text)


def _software_citation(contents: Contents) -> str:
    told = contents.summary
    version = f" {told['version']}" if told.get("version") else ""
    network = (
        f", network {told['model']} (sha256 {told['model_sha256'][:12]}…)" if told.get("model_sha256") else ""
    )
    run = f", run {told['run']}" if told.get("run") else ""
    return f"This software: slicewatch{version}{network}{run}."


def _cut_short(rows: list[tuple[str, ...]], heads: tuple[str, ...]) -> Table:
    more = len(rows) - _MOST_ROWS
    if more <= 0:
        return Table(tuple(rows), heads)
    note = ("…", f"{more} more, see the tables beside this page", *[""] * (len(heads) - 2))
    return Table((*rows[:_MOST_ROWS], note), heads)
