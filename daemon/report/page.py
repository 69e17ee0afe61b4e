"""The report as one self-contained HTML file; its figures also as PNG beside it."""

from __future__ import annotations

import base64
import json
from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np

from daemon.errors import StoreError
from daemon.items import FinishReason
from daemon.report import facts
from daemon.report.contents import Contents, read_contents
from daemon.report.figures import all_figures
from daemon.volume_store import write_atomically

CAPTIONS: Final = {
    "thickness": "Thickness of the slice milled before each face with its standard error; its distribution.",
    "drift": "Evidence of the sequential tests on thickness after every slice; a test alarms at 1.",
    "registration": "Shift of every image: added to its coordinates it gives those of the first slice.",
    "faces": "The last slice: registered images with the contrast of each stretched, and the segmentation.",
    "cuts": "Three orthogonal cuts through the middle of the isotropic volume; z is depth into the sample.",
    "ligaments": "Share of the solid by local thickness: the largest disc inside it, on measured faces.",
    "metrics": "Solid fraction, anisotropy errors and mean ligament diameters in three planes as the volume "
    "grows. Dotted: published for real hierarchical nanoporous gold (Sardhara et al. 2024, late fusion).",
}
STYLE: Final = (Path(__file__).with_name("style.css")).read_text(encoding="utf-8")


def write_report(folder: Path) -> Path:
    """Write ``report.html`` and ``report-*.png`` into the output folder of a run; return the page's path.

    Raises
    ------
    FolderError
        The folder is not the output of a run.
    JournalError
        Its journal is damaged.
    StoreError
        The page cannot be written.
    """
    contents = read_contents(folder)
    images = all_figures(contents)
    for name, data in images.items():
        _write_png(folder / f"report-{name}.png", data)
    write_atomically(folder / "report.html", render(contents, images))
    return folder / "report.html"


def render(contents: Contents, images: dict[str, bytes]) -> str:
    """The page as HTML text; nothing in it is loaded from anywhere else."""
    folder = str(contents.configuration["run"]["folder"])
    sections = [
        _headline(contents),
        _tiles(facts.key_figures(contents)),
        _section("Slice thickness", _figure("thickness", images), _drift(contents, images)),
        _table(facts.slice_facts(contents)),
        _sources(contents),
        _section("Alarms", _alarms(contents.alarms)),
        _section("Segmentation", _figure("faces", images)),
        _section("Volume", _figure("cuts", images), _table(facts.volume_facts(contents))),
        _section("Structure", _figure("metrics", images), _structure(contents, images)),
        _section("Registration", _figure("registration", images)),
        _truth(contents),
        _section("Provenance", _table(facts.provenance(contents)), _configuration(contents)),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>slicewatch report</title>'
        f"<style>{STYLE}</style></head><body><header><h1>FIB-SEM tomography</h1>"
        f"<p>{escape(folder)}</p></header><main>{''.join(sections)}</main></body></html>\n"
    )


def _headline(contents: Contents) -> str:
    reason = contents.summary.get("finish_reason")
    is_bad = reason in (FinishReason.DRIFT_ABORT, FinishReason.ERRORED)
    warned = facts.cautions(contents)
    tone = "bad" if is_bad else "warn" if warned or reason != FinishReason.COMPLETED else "good"
    items = "".join(f"<li>{escape(text)}</li>" for text in warned)
    listed = f"<p>Before you use these results:</p><ul>{items}</ul>" if warned else ""
    return f'<div class="verdict {tone}"><strong>{escape(facts.headline(contents))}.</strong>{listed}</div>'


def _tiles(figures: dict[str, str]) -> str:
    tiles = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for name, value in figures.items()
    )
    return f'<div class="tiles">{tiles}</div>'


def _section(title: str, *parts: str) -> str:
    return f"<h2>{escape(title)}</h2>{''.join(parts)}"


def _alarms(alarms: list[dict[str, Any]]) -> str:
    if not alarms:
        return "<p>None.</p>"
    rows = "".join(_alarm(alarm) for alarm in alarms)
    return _headed(["slice", "kind", "what and remedy", "acknowledged by"], rows)


def _alarm(alarm: dict[str, Any]) -> str:
    remedy = f"<br><em>{escape(alarm['remedy'])}</em>" if alarm["remedy"] else ""
    return (
        f"<tr><td>{alarm['slice_index']}</td><td>{escape(alarm['kind'])}</td>"
        f"<td>{escape(alarm['message'])}{remedy}</td>"
        f"<td>{escape(alarm['acknowledged_by']) or 'nobody'}</td></tr>"
    )


def _drift(contents: Contents, images: dict[str, bytes]) -> str:
    if "drift" in images or not contents.drift:
        return _figures(["drift"], images)
    slices = contents.configuration["drift"]["warmup_slices"]
    return f"<p>Drift could not be judged yet: the first {slices} slices teach what is usual in this run.</p>"


def _structure(contents: Contents, images: dict[str, bytes]) -> str:
    if not contents.metrics:
        return "<p>No plane of the volume is final yet.</p>"
    return _anisotropy(contents) + _figures(["ligaments"], images) + _table(facts.structure_facts(contents))


def _sources(contents: Contents) -> str:
    """What the other sources of thickness would have said where the ruler measured."""
    rows = facts.source_rows(contents)
    if not rows:
        return ""
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return _headed(["against the ruler", "slices", "bias", "scatter"], body)


def _anisotropy(contents: Contents) -> str:
    rows = facts.anisotropy_rows(contents)
    has_truth = any(np.isfinite(_or_nan(truth)) for _, _, truth, _ in rows)
    heads = ["", "this volume", *(["true structure"] if has_truth else []), "published, real sample"]
    body = "".join(
        f"<tr><th>{label}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in (ours, *([truth] if has_truth else []), published))
        + "</tr>"
        for label, ours, truth, published in rows
    )
    return _headed(heads, body)


def _truth(contents: Contents) -> str:
    told = facts.truth_facts(contents)
    return _section("Against the emulator's truth", _table(told)) if told else ""


def _configuration(contents: Contents) -> str:
    text = json.dumps(contents.configuration, indent=2, ensure_ascii=False)
    return f"<details><summary>Configuration of the run</summary><pre>{escape(text)}</pre></details>"


def _table(rows: dict[str, str]) -> str:
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items()
    )
    return f"<table><tbody>{cells}</tbody></table>"


def _headed(heads: list[str], rows: str) -> str:
    cells = "".join(f"<th>{head}</th>" for head in heads)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"


def _figure(name: str, images: dict[str, bytes]) -> str:
    return _figures([name], images) or "<p>No data yet.</p>"


def _figures(names: list[str], images: dict[str, bytes]) -> str:
    return "".join(_picture(images[name], CAPTIONS[name]) for name in names if name in images)


def _picture(png: bytes, caption: str) -> str:
    text = escape(caption)
    source = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    return f'<figure><img alt="{text}" src="{source}"><figcaption>{text}</figcaption></figure>'


def _write_png(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise StoreError(
            f"the figure cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="Check free space and rights of the output folder.",
        ) from error


def _or_nan(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan
