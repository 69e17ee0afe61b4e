"""What a report is written in: blocks that know neither HTML nor paper, so that both tell the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the run ended, and what must be known before its results are used."""

    tone: Tone
    headline: str
    cautions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tiles:
    """Key figures: name and value."""

    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """Items of one kind."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of as many cells as ``heads``; without heads, the first cell of a row names the others."""

    rows: tuple[tuple[str, ...], ...]
    heads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """One of the report's figures, by name, and what it shows."""

    name: str
    caption: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text whose lines and spaces matter; folded away where that is possible."""

    title: str
    text: str


Block = Verdict | Tiles | Paragraph | Bullets | Table | Picture | Verbatim


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a title; the first section of a report has none."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    subtitle: str
    sections: Sequence[Section]


def facts_table(facts: dict[str, str]) -> Table:
    """A name and a value per row."""
    return Table(tuple(facts.items()))
