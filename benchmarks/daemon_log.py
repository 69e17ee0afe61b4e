"""What a daemon that runs as a process of its own says in its log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

Told = dict[str, Any]


def told(lines: Iterable[str], *events: str) -> Iterable[Told]:
    """The lines of these events, as they come; warnings of libraries are no objects."""
    for line in lines:
        if line.startswith("{") and (said := json.loads(line))["event"] in events:
            yield said
