"""Numbers, times and markup as microscopes write them; anything unreadable is None, never a guess."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from xml.etree import ElementTree

_LONGEST_XML: Final = 1 << 24
_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]*\?>")


def decoded(raw: bytes) -> str:
    """Text up to its terminating NULs; microscopes write UTF-8 or the Windows code page."""
    raw = raw.rstrip(b"\0")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def number(text: str | None) -> float | None:
    """A finite number; ``8.99306e-009`` is Windows' way of writing an exponent. Blank or NaN is None."""
    try:
        value = float((text or "").strip())
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def positive(text: str | None) -> float | None:
    """A number above zero."""
    value = number(text)
    return value if value is not None and value > 0.0 else None


def switch(text: str | None) -> bool | None:
    """yes/no, on/off, true/false in any case; anything else is None."""
    word = (text or "").strip().casefold()
    if word in ("yes", "on", "true", "1"):
        return True
    return False if word in ("no", "off", "false", "0") else None


def moment(text: str | None, formats: Iterable[str]) -> datetime | None:
    """The first of ``formats`` that reads the text."""
    for layout in formats:
        try:
            return datetime.strptime((text or "").strip(), layout)
        except ValueError:
            continue
    return None


def parsed_xml(text: str) -> ElementTree.Element | None:
    """The root of a document without namespaces; None if it is not well formed or declares entities.

    The text is decoded already, so what its declaration says of bytes no longer holds and is left out.
    A document type is refused before parsing: microscopes write none, and entities can grow without bound.
    """
    if len(text) > _LONGEST_XML or "<!DOCTYPE" in text.upper():
        return None
    try:
        root = ElementTree.fromstring(_DECLARATION.sub("", text).strip())  # noqa: S314 - entities are refused above
    except (ElementTree.ParseError, ValueError):
        return None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root
