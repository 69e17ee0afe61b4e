"""The settings of a training beside what it leaves: a folder is not gone on with under others."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from models.errors import CheckpointDamagedError, CheckpointMismatchError

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
        CheckpointDamagedError: what was written before is damaged.
    """
    kept = {key: value for key, value in settings.items() if key not in OF_THE_MACHINE}
    ours = json.loads(json.dumps({**kept, "annotated slices": data_sha256}))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "settings.json"
    if path.is_file():
        _compare(_kept(path), ours, path)
        return
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(ours, indent=1), encoding="utf-8")
    unfinished.replace(path)


def _kept(path: Path) -> dict[str, Any]:
    try:
        theirs = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise _damaged(path, str(problem)) from problem
    if not isinstance(theirs, dict):
        raise _damaged(path, "it is no table")
    return cast("dict[str, Any]", theirs)


def _damaged(path: Path, problem: str) -> CheckpointDamagedError:
    return CheckpointDamagedError(
        f"the settings of the training that was begun here cannot be read: {problem}",
        str(path),
        "Train into an empty folder; or, with the settings of before for sure, remove this file.",
    )


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
