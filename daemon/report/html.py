"""The report as one HTML file that needs nothing from anywhere else."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Final

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
)

STYLE: Final = (Path(__file__).with_name("style.css")).read_text(encoding="utf-8")


def as_html(document: Document, pngs: Mapping[str, bytes]) -> str:
    """The page; every picture is inside it."""
    body = "".join(_section(section, pngs) for section in document.sections)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>slicewatch report</title>'
        f"<style>{STYLE}</style></head><body><header><h1>{escape(document.title)}</h1>"
        f"<p>{escape(document.subtitle)}</p></header><main>{body}</main></body></html>\n"
    )


def _section(section: Section, pngs: Mapping[str, bytes]) -> str:
    title = f"<h2>{escape(section.title)}</h2>" if section.title else ""
    return title + "".join(_block(block, pngs) for block in section.blocks)


def _block(block: Block, pngs: Mapping[str, bytes]) -> str:
    match block:
        case Verdict():
            return _verdict(block)
        case Tiles():
            return _tiles(block)
        case Paragraph():
            return f"<p>{escape(block.text)}</p>"
        case Bullets():
            return _list(block.items)
        case Table():
            return _table(block)
        case Picture():
            return _picture(pngs[block.name], block.caption)
        case Verbatim():
            summary, text = escape(block.title), escape(block.text)
            return f"<details><summary>{summary}</summary><pre>{text}</pre></details>"


def _verdict(verdict: Verdict) -> str:
    listed = f"<p>Before you use these results:</p>{_list(verdict.cautions)}" if verdict.cautions else ""
    return f'<div class="verdict {verdict.tone}"><strong>{escape(verdict.headline)}.</strong>{listed}</div>'


def _tiles(tiles: Tiles) -> str:
    cells = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for name, value in tiles.figures
    )
    return f'<div class="tiles">{cells}</div>'


def _list(items: tuple[str, ...]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _table(table: Table) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.heads)
    head = f"<thead><tr>{heads}</tr></thead>" if heads else ""
    first = "td" if heads else "th"
    rows = "".join(_row(row, first) for row in table.rows)
    return f'<div class="scroll"><table>{head}<tbody>{rows}</tbody></table></div>'


def _row(row: tuple[str, ...], first: str) -> str:
    named, *cells = row
    others = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f"<tr><{first}>{escape(named)}</{first}>{others}</tr>"


def _picture(png: bytes, caption: str) -> str:
    text = escape(caption)
    source = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    return f'<figure><img alt="{text}" src="{source}"><figcaption>{text}</figcaption></figure>'
