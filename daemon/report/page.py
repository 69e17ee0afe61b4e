"""The report as one self-contained HTML file; its figures also as PNG beside it."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from daemon.report.contents import Contents, column, read_contents
from daemon.report.figures import PUBLISHED, all_figures
from daemon.volume_store import write_atomically

CAPTIONS: Final = {
    "thickness": "Thickness of every slice with its standard error, and its distribution.",
    "registration": "Shift of every image; added to its coordinates it gives those of the first slice.",
    "faces": "The last slice: registered images, and the segmentation drawn over the first of them.",
    "cuts": "Three orthogonal cuts through the middle of the isotropic volume.",
    "metrics": "Solid fraction and anisotropy errors as the volume grows; dotted: published for real "
    "hierarchical nanoporous gold (Sardhara et al. 2024, late fusion).",
}
STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem 1.2rem .2rem 0;
border-bottom: 1px solid #8884; vertical-align: top; } td.n { font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; } figure img { width: 100%; background: #fff; border-radius: 6px; }
figcaption { color: #777; font-size: .9rem; } .verdict { font-size: 1.05rem; padding: .6rem .9rem;
border-left: 5px solid #009E73; background: #009E7318; } .verdict.bad { border-color: #D55E00;
background: #D55E0018; }
"""


def write_report(folder: Path) -> Path:
    """Write ``report.html`` and ``report-*.png`` into the output folder of a run; return the page's path.

    Raises
    ------
    FolderError
        The folder is not the output of a run.
    StoreError
        The page cannot be written.
    """
    contents = read_contents(folder)
    images = {name: _png(figure) for name, figure in all_figures(contents).items()}
    for name, data in images.items():
        (folder / f"report-{name}.png").write_bytes(data)
    write_atomically(folder / "report.html", render(contents, images))
    return folder / "report.html"


def render(contents: Contents, images: dict[str, bytes]) -> str:
    """The page as HTML text; nothing in it is loaded from anywhere else."""
    project = escape(str(contents.configuration["run"]["folder"]))
    sections = [
        _verdict(contents),
        _figure("thickness", images),
        "<h2>Slices</h2>" + _table(_slice_facts(contents)),
        "<h2>Alarms</h2>" + _alarms(contents.alarms),
        "<h2>Registration</h2>" + _figure("registration", images),
        "<h2>Segmentation</h2>" + _figure("faces", images),
        "<h2>Volume</h2>" + _figure("cuts", images) + _table(_volume_facts(contents)),
        "<h2>Anisotropy</h2>" + _figure("metrics", images) + _table(_anisotropy_facts(contents)),
        "<h2>Provenance</h2>" + _table(_provenance(contents)),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>slicewatch report</title>'
        f"<style>{STYLE}</style></head><body><h1>FIB-SEM tomography report</h1><p>{project}</p>"
        + "".join(sections)
        + "</body></html>\n"
    )


def _verdict(contents: Contents) -> str:
    reason = contents.summary.get("finish_reason") or "still running"
    values = column(contents.slices, "thickness_nm")
    kept = sum(row["status"] != "gap" for row in contents.slices)
    text = f"{reason}: {kept} slices, {len(contents.slices) - kept} gaps"
    if np.isfinite(values).any():
        text += f", mean thickness {np.nanmean(values):.2f} nm (σ {np.nanstd(values):.2f} nm)"
    bad = reason not in ("COMPLETED", "STOPPED", "still running") or contents.alarms
    return f'<p class="verdict{" bad" if bad else ""}">{escape(text)}.</p>'


def _slice_facts(contents: Contents) -> dict[str, str]:
    sources: dict[str, int] = {}
    for row in contents.slices:
        if row["thickness_source"]:
            sources[row["thickness_source"]] = sources.get(row["thickness_source"], 0) + 1
    gaps = [f"{row['slice']} ({row['reason']})" for row in contents.slices if row["status"] == "gap"]
    depth = column(contents.slices, "depth_nm")
    sigma = column(contents.slices, "thickness_sigma_nm")
    milled = np.nanmax(depth) if np.isfinite(depth).any() else np.nan
    return {
        "Slice indices": str(len(contents.slices)),
        "Milled depth": _number(milled, "nm"),
        "Thickness from": ", ".join(f"{name}: {count}" for name, count in sources.items())
        + (" — 'target' is an assumption, not a measurement" if "target" in sources else ""),
        "Standard error of a thickness": _number(
            float(np.nanmedian(sigma)) if np.isfinite(sigma).any() else np.nan, "nm (median)"
        ),
        "Gaps": ", ".join(gaps) or "none",
    }


def _volume_facts(contents: Contents) -> dict[str, str]:
    z, y, x = contents.shape
    grid = contents.grid_nm
    return {
        "Voxels (z, y, x)": f"{z} × {y} × {x}",
        "Voxel": f"{grid:g} nm, isotropic",
        "Extent": f"{z * grid / 1e3:.3f} × {y * grid / 1e3:.3f} × {x * grid / 1e3:.3f} µm",
        "Interpolation": contents.configuration["volume"]["interpolation"],
    }


def _anisotropy_facts(contents: Contents) -> dict[str, str]:
    if not contents.metrics:
        return {"Metrics": "no plane is final yet"}
    last = contents.metrics[-1]
    rows = {"Solid fraction": last["solid_fraction"]}
    for name, label in (("e_tpcf", "e TPCF"), ("e_lpf", "e LPF"), ("e_d", "e D")):
        rows[label] = f"{last[name] or 'not defined yet'} (published, real sample: {PUBLISHED[name]:g})"
    return rows


def _provenance(contents: Contents) -> dict[str, str]:
    wanted = ("version", "model", "model_sha256", "provider", "run", "finish_reason", "seconds_per_slice")
    return {key: str(contents.summary[key]) for key in wanted if contents.summary.get(key) is not None}


def _alarms(alarms: list[dict[str, Any]]) -> str:
    if not alarms:
        return "<p>None.</p>"
    rows = "".join(
        f"<tr><td class='n'>{alarm['slice_index']}</td><td>{escape(alarm['kind'])}</td>"
        f"<td>{escape(alarm['message'])}<br>{escape(alarm['remedy'])}</td></tr>"
        for alarm in alarms
    )
    return f"<table><tr><th>slice</th><th>kind</th><th>what and remedy</th></tr>{rows}</table>"


def _table(facts: dict[str, str]) -> str:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td class='n'>{escape(value)}</td></tr>" for name, value in facts.items()
    )
    return f"<table>{rows}</table>"


def _figure(name: str, images: dict[str, bytes]) -> str:
    if name not in images:
        return "<p>No data.</p>"
    data = base64.b64encode(images[name]).decode("ascii")
    caption = escape(CAPTIONS[name])
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _number(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}" if np.isfinite(value) else "not known"


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
