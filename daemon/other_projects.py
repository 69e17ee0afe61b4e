"""Two projects in one folder: the run keeps to the one that it began with, and says so once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from daemon.assembly_state import AssemblyState
from daemon.folder_habits import has_delivered


def is_foreign(state: AssemblyState, path: Path) -> bool:
    """Whether the file lies among those of another project."""
    return not has_delivered(state, path) and not {str(path.parent), str(path.parent.parent)}.isdisjoint(
        state.foreign
    )


def is_intruder(state: AssemblyState, path: Path) -> bool:
    """Whether a file whose place is taken belongs to another project, and not to a slice gone wrong.

    It does if its folder has never delivered anything, and lies apart from those that have; or if a whole
    slice is there already, so that every folder of the run is known.
    """
    return not has_delivered(state, path) and (_lies_apart(state, path) or any(state.settled))


def with_other_project(state: AssemblyState, path: Path) -> tuple[AssemblyState, Path]:
    """Remember the other project by the file's folder, or by the one above if all of that is foreign."""
    folder = path.parent.parent if _lies_apart(state, path) else path.parent
    return replace(state, foreign=(*state.foreign, str(folder))), folder


def _lies_apart(state: AssemblyState, path: Path) -> bool:
    above = path.parent.parent
    return all(above not in (Path(h.folder), *Path(h.folder).parents) for h in state.habits)
