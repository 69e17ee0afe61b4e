"""How far ahead of the oldest undecided slice files are read: the rest stay in the folder, the queue."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from daemon.assembly_state import AssemblyState

MOST_SLICES: Final = 8
"""Slices that may wait for an image, held in memory: more than the later slices that prove one lost."""


@dataclass(frozen=True, slots=True)
class Window:
    """Slice numbers, as files have them, that may be read: all up to ``upto``, and those in ``also``."""

    upto: float = math.inf
    also: frozenset[int] = frozenset()

    def admits(self, number: int) -> bool:
        """Whether a file of this number may be read now."""
        return number <= self.upto or number in self.also


EVERYTHING: Final = Window()


def is_full(state: AssemblyState) -> bool:
    """Whether so many slices wait for an image that no further one may."""
    return len(state.pending) >= MOST_SLICES


def window(state: AssemblyState) -> Window:
    """All numbers while few slices wait; else those that wait, and the one whose turn it is."""
    if not is_full(state) or state.over:
        return EVERYTHING
    shift = state.segments[-1].shift if state.segments else 0
    upto = -math.inf if state.next_index is None else state.next_index - shift
    return Window(upto, frozenset(slice_.index - shift for slice_ in state.pending))
