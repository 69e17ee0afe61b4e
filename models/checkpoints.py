"""Checkpoints of trainings: written whole or not at all, refused when damaged or of another recipe."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from models.errors import CheckpointDamagedError, CheckpointMismatchError


def save_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write it beside the one of before, then in its place."""
    unfinished = path.with_suffix(".part")
    torch.save(dict(content), unfinished)
    unfinished.replace(path)


def load_checkpoint(path: Path, parts: Sequence[str]) -> dict[str, Any]:
    """A checkpoint, written on whatever device; torch copies what is taken from it to where it belongs.

    Raises:
        CheckpointDamagedError: it cannot be read, or one of ``parts`` is missing.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
        missing = set(parts) - set(content)
    except Exception as problem:  # whatever a damaged byte makes torch raise, errors of its own among them
        raise _damaged(path, str(problem).partition("\n")[0] or type(problem).__name__) from problem
    if missing:
        raise _damaged(path, f"it has no {', '.join(sorted(missing))}")
    return content


def require_recipe(content: Mapping[str, Any], recipe: Mapping[str, Any], path: Path) -> None:
    """Make sure that a checkpoint was left by this recipe.

    Raises:
        CheckpointMismatchError: it was not.
    """
    if json.loads(content["recipe"]) != json.loads(json.dumps(recipe)):
        raise CheckpointMismatchError(
            "the training that was interrupted here followed another recipe",
            str(path),
            "Train with the recipe of before, or into an empty folder.",
        )


def _damaged(path: Path, problem: str) -> CheckpointDamagedError:
    return CheckpointDamagedError(
        f"the state of the interrupted training is damaged: {problem}",
        str(path),
        "Remove this file: its stage begins anew, the others go on.",
    )
