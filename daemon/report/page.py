"""Writes a report: HTML and PDF of one document, and its figures as PNG and SVG beside them."""

from __future__ import annotations

from pathlib import Path

from daemon.outputs import Outputs
from daemon.report.contents import read_contents
from daemon.report.figures import all_figures
from daemon.report.html import as_html
from daemon.report.pdf import as_pdf
from daemon.report.story import tell
from daemon.volume_store import replace_file, write_atomically


def write_report(folder: Path) -> Path:
    """Write ``report.html``, ``report.pdf`` and ``report-*.png|svg`` into the output folder of a run.

    Returns the page's path.

    Raises
    ------
    FolderError
        The folder is not the output of a run.
    JournalError
        Its journal is damaged.
    StoreError
        Something cannot be written.
    """
    contents, outputs = read_contents(folder), Outputs(folder)
    figures = all_figures(contents)
    pngs = {name: figure.png for name, figure in figures.items()}
    document = tell(contents, figures.keys())
    for name, figure in figures.items():
        replace_file(folder / f"report-{name}.png", figure.png)
        replace_file(folder / f"report-{name}.svg", figure.svg)
    write_atomically(outputs.report, as_html(document, pngs))
    replace_file(outputs.report_pdf, as_pdf(document, pngs))
    return outputs.report
