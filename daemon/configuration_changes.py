"""What may change in a configuration between two starts of a run, and what would make it another run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from daemon.errors import JournalError

FREE_KEYS: Final = frozenset(
    {
        "publish",
        "monitor",
        "abort",
        "alerts",
        "watchdog",
        "health",
        "run.observer",
        "run.scan_interval_s",
        "run.quiet_after_s",
        "run.look_ahead",
    }
)
"""What may change between two starts without touching any result."""
ACCEPTABLE_KEYS: Final = frozenset(
    {
        *("run.expected_slices", "run.missing_after_s", "run.stalled_after_s", "run.sentinel"),
        *("segmentation.providers", "segmentation.allow_cpu_fallback", "segmentation.threads"),
    }
)
"""What may change if somebody asks for it: later slices may be judged otherwise, earlier ones stay right."""


def accepted_changes(
    before: Mapping[str, Any], now: Mapping[str, Any], acceptable: frozenset[str], where: Path
) -> tuple[str, ...]:
    """The keys (``table`` or ``table.key``) in which two configurations differ; ``where`` is the journal.

    Raises
    ------
    JournalError
        One of them is not ``acceptable``, nor is its table.
    """
    changed = sorted(
        f"{table}.{key}" if key else table
        for table in before.keys() | now.keys()
        for key in _changed_keys(before.get(table), now.get(table))
    )
    refused = [key for key in changed if not acceptable & {key, key.partition(".")[0]}]
    if refused:
        on_request = all(ACCEPTABLE_KEYS & {key} for key in refused)
        raise JournalError(
            f"the run was begun with another configuration; changed: {', '.join(refused)}",
            where=str(where),
            remedy="Start with --accept-changes to go on with it, or undo the change."
            if on_request
            else "Undo the change to continue the run, or choose another run.output to start a new one.",
        )
    return tuple(changed)


def _changed_keys(before: object, after: object) -> list[str]:
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        return [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    return [""]
