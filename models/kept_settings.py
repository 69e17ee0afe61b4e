"""The settings of a training beside what it leaves: a folder is not gone on with under others."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from models.errors import CheckpointMismatchError

OF_THE_MACHINE = ("threads", "device")
"""These may differ: scenes and checkpoints serve any machine."""


def keep_settings(folder: Path, settings: Mapping[str, Any], data_sha256: str = "") -> None:
    """Write what a training in ``folder`` depends on, or compare it with what was written before.

    Args:
        folder: of the training.
        settings: as plain values.
        data_sha256: of the annotated slices.

    Raises:
        CheckpointMismatchError: something differs.
    """
    kept = {key: value for key, value in settings.items() if key not in OF_THE_MACHINE}
    ours = json.loads(json.dumps({**kept, "annotated slices": data_sha256}))
    path = folder / "settings.json"
    if path.is_file():
        _compare(json.loads(path.read_text(encoding="utf-8")), ours, path)
    else:
        path.write_text(json.dumps(ours, indent=1), encoding="utf-8")


def _compare(theirs: dict[str, Any], ours: dict[str, Any], path: Path) -> None:
    different = sorted(_different(theirs, ours))
    if different:
        raise CheckpointMismatchError(
            f"the training that was begun here had other settings: {', '.join(different)}",
            str(path),
            "Train with the settings of before, or into an empty folder.",
        )


def _different(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    """Dotted names of what is not the same."""
    for key in theirs.keys() | ours.keys():
        before, now = theirs.get(key), ours.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from (f"{key}.{name}" for name in _different(before, now))
        elif before != now:
            yield key
