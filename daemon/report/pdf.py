"""The report on paper: A4 pages set by matplotlib, which is there anyway; no browser, no other program.

Blocks flow down the page and break to the next; a picture or a row of a table is never torn apart. Widths of
texts are estimated from their numbers of characters, a little too wide, so nothing runs over the margin.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

import numpy as np
from matplotlib import image as images
from matplotlib import rc_context
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from daemon.report.blocks import (
    Block,
    Bullets,
    Document,
    Paragraph,
    Picture,
    Table,
    Tiles,
    Tone,
    Verbatim,
    Verdict,
)
from daemon.report.style import GREEN, GREY, ORANGE, RED

PAGE_IN: Final = (8.27, 11.69)
MARGIN_IN: Final = 0.75
_WIDTH_IN: Final = PAGE_IN[0] - 2 * MARGIN_IN
_POINT_IN: Final = 1.0 / 72.0
_LEADING: Final = 1.35
_EM: Final = 0.54
"""Mean width of a character in heights, DejaVu Sans, on the wide side; monospaced ones have 0.602."""
_MONO_EM: Final = 0.605
_TEXT: Final = 8.5
_CAPTION_IN: Final = 0.4
_TONES: Final[dict[Tone, str]] = {"good": GREEN, "warn": ORANGE, "bad": RED}
_SETTINGS: Final[Any] = {
    "pdf.fonttype": 42,
    "font.family": "DejaVu Sans",
    "figure.constrained_layout.use": False,
}


def as_pdf(document: Document, pngs: Mapping[str, bytes]) -> bytes:
    """The document as PDF, the same bytes for the same content."""
    buffer = io.BytesIO()
    with rc_context(_SETTINGS), _Pages(buffer, document.title) as pages:
        pages.text(document.title, size=17, weight="bold")
        pages.text(document.subtitle, color=GREY)
        for section in document.sections:
            if section.title:
                pages.heading(section.title, beside_in=_least_height(section.blocks[0], pngs))
            for block in section.blocks:
                _set(pages, block, pngs)
    return buffer.getvalue()


class _Pages:
    """Pages under way: ``down`` is how far the current one is filled, in inches from its top."""

    def __init__(self, target: io.BytesIO, title: str) -> None:
        self._file = PdfPages(
            target, metadata={"Title": title, "Creator": "slicewatch", "CreationDate": None}
        )
        self._number = 0
        self._page = self._fresh()

    def __enter__(self) -> _Pages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.savefig(self._page)
        self._file.close()

    def room(self, height_in: float) -> float:
        """Where the next thing of this height begins; on a new page if it does not fit on this one."""
        if self.down + height_in > PAGE_IN[1] - MARGIN_IN and self.down > MARGIN_IN:
            self._file.savefig(self._page)
            self._page = self._fresh()
        begins = self.down
        self.down += height_in
        return begins

    def heading(self, title: str, beside_in: float) -> None:
        """A title that stands on one page with what follows it, which needs ``beside_in``."""
        self.keep_together(0.55 + beside_in)
        self.write(MARGIN_IN, self.room(0.55) + 0.25, title, size=12, weight="bold")

    def keep_together(self, height_in: float) -> None:
        """Begin a new page unless this much is left of the current one."""
        if self.down + height_in > PAGE_IN[1] - MARGIN_IN:
            self.down = PAGE_IN[1]

    def text(self, text: str, *, size: float = _TEXT, indent_in: float = 0.0, **style: Any) -> None:
        """Wrapped text, then a small space."""
        for line in wrapped(text, _WIDTH_IN - indent_in, size):
            top = self.room(size * _LEADING * _POINT_IN)
            self.write(MARGIN_IN + indent_in, top, line, size=size, **style)
        self.down += 0.05

    def write(self, x_in: float, y_in: float, text: str, **style: Any) -> None:
        """One line; (x, y) is its upper left corner on the page."""
        at = x_in / PAGE_IN[0], 1.0 - y_in / PAGE_IN[1]
        self._page.text(*at, text, va="top", parse_math=False, **style)

    def picture(self, png: bytes) -> None:
        """A picture as wide as the text, unless that were higher than two thirds of a page."""
        pixels = images.imread(io.BytesIO(png))
        wide, high = _picture_size(pixels.shape)
        self.keep_together(high + _CAPTION_IN)
        top = self.room(high)
        left = MARGIN_IN + (_WIDTH_IN - wide) / 2
        place = (left / PAGE_IN[0], 1 - (top + high) / PAGE_IN[1], wide / PAGE_IN[0], high / PAGE_IN[1])
        axes = self._page.add_axes(place)
        axes.imshow(pixels, aspect="auto", interpolation="none")
        axes.set_axis_off()
        self.down += 0.06

    def rule(self, color: str, width: float) -> None:
        """A line across the page."""
        y = 1.0 - self.room(0.05) / PAGE_IN[1]
        span = (MARGIN_IN / PAGE_IN[0], 1.0 - MARGIN_IN / PAGE_IN[0])
        self._page.add_artist(_line(span, y, color, width))

    def _fresh(self) -> Figure:
        self._number += 1
        page = Figure(figsize=PAGE_IN)
        foot = MARGIN_IN * 0.55 / PAGE_IN[1]
        page.text(0.5, foot, f"slicewatch · {self._number}", ha="center", size=7, color=GREY)
        self.down = MARGIN_IN
        return page


def _picture_size(shape: tuple[int, ...]) -> tuple[float, float]:
    """Width and height in inches of a picture of (rows, columns, …) pixels."""
    wide = min(_WIDTH_IN, 0.64 * PAGE_IN[1] * shape[1] / shape[0])
    return wide, wide * shape[0] / shape[1]


def _least_height(block: Block, pngs: Mapping[str, bytes]) -> float:
    """What must fit under a heading, in inches: a whole picture, or a few lines of anything else."""
    if not isinstance(block, Picture):
        return 0.6
    return _picture_size(images.imread(io.BytesIO(pngs[block.name])).shape)[1] + _CAPTION_IN


def _line(span: tuple[float, float], y: float, color: str, width: float) -> Any:
    return Line2D(span, (y, y), color=color, linewidth=width)


def wrapped(text: str, width_in: float, size: float, em: float = _EM) -> list[str]:
    """Lines of the text that fit into a width; words longer than that are broken."""
    characters = max(4, int(width_in / (size * em * _POINT_IN)))
    return textwrap.wrap(text, characters, break_on_hyphens=False) or [""]


def _set(pages: _Pages, block: Block, pngs: Mapping[str, bytes]) -> None:
    match block:
        case Verdict():
            _set_verdict(pages, block)
        case Tiles():
            _set_table(pages, Table(block.figures))
        case Paragraph():
            pages.keep_together(1.0 if block.text.endswith(":") else 0.0)
            pages.text(block.text)
        case Bullets():
            for item in block.items:
                pages.text(f"• {item}", indent_in=0.1)
        case Table():
            _set_table(pages, block)
        case Picture():
            pages.picture(pngs[block.name])
            pages.text(block.caption, size=7.5, color=GREY)
        case Verbatim():
            _set_verbatim(pages, block)


def _set_verdict(pages: _Pages, verdict: Verdict) -> None:
    pages.rule(_TONES[verdict.tone], 5.0)
    pages.room(0.08)
    pages.text(f"{verdict.headline}.", size=11, weight="bold")
    for caution in verdict.cautions:
        pages.text(f"• {caution}", indent_in=0.1)


def _set_table(pages: _Pages, table: Table) -> None:
    rows = [row for row in (table.heads, *table.rows) if row]
    if not rows:
        return
    widths = _column_widths(rows)
    for row in rows:
        lines = [wrapped(cell, width - 0.08, _TEXT) for cell, width in zip(row, widths, strict=True)]
        height = max(map(len, lines)) * _TEXT * _LEADING * _POINT_IN + 0.02
        top, left = pages.room(height), MARGIN_IN
        is_head = row is table.heads
        for number, (cell, width) in enumerate(zip(lines, widths, strict=True)):
            faint = is_head or (not table.heads and number == 0)
            for n, line in enumerate(cell):
                at = top + n * _TEXT * _LEADING * _POINT_IN
                pages.write(left, at, line, size=_TEXT, color=GREY if faint else "black")
            left += width
    pages.down += 0.08


def _column_widths(rows: list[tuple[str, ...]]) -> list[float]:
    """Inches: as wide as the longest cell wants, the widest columns giving way until the page holds all."""
    longest = [max(len(row[n]) for row in rows) + 2 for n in range(len(rows[0]))]
    wanted = np.array(longest, dtype=float) * _TEXT * _EM * _POINT_IN
    room = _WIDTH_IN
    limit = float(wanted.max())
    while np.minimum(wanted, limit).sum() > room:
        limit *= 0.97
    return np.minimum(wanted, limit).tolist()


def _set_verbatim(pages: _Pages, block: Verbatim) -> None:
    pages.text(block.title, weight="bold")
    for line in block.text.splitlines():
        for part in wrapped_code(line, _WIDTH_IN, 6.5):
            pages.write(
                MARGIN_IN, pages.room(6.5 * 1.2 * _POINT_IN), part, size=6.5, family="DejaVu Sans Mono"
            )


def wrapped_code(line: str, width_in: float, size: float) -> list[str]:
    """A line with its indentation, broken hard where it is too long."""
    characters = int(width_in / (size * _MONO_EM * _POINT_IN))
    return [line[n : n + characters] for n in range(0, max(len(line), 1), characters)]
