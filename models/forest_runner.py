"""Runs a forest where a network would run: tiles in, probabilities of the phases out.

The features are ours (:mod:`models.forest_features`), the trees are ONNX Runtime's.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from models.forest_features import as_table, window_features
from models.runtime import Runtime
from models.tile_runner import Batch

ROWS = 8192
"""Pixels given to the forest at once."""


@dataclass(frozen=True, slots=True)
class ForestRunner:
    """A forest on the processor; a :class:`models.tile_runner.BatchRunner`.

    ``runtime`` uses one thread; ``threads`` of them work side by side, each on pixels of its own: those of
    ONNX Runtime's own sharing wait for each other at every call.
    """

    runtime: Runtime
    features: str
    classes: int
    threads: int

    @property
    def provider(self) -> str:
        """Where the trees run."""
        return self.runtime.provider

    @property
    def refusals(self) -> Mapping[str, str]:
        """Each provider that was asked for in vain, and why."""
        return self.runtime.refusals

    @property
    def batch_tiles(self) -> int:
        """Features of one tile are enough in memory."""
        return 1

    def told(self) -> tuple[str, ...]:
        """It steps down from nothing."""
        return ()

    def run(self, batch: Batch) -> Batch:
        """(batch, channel, slice, y, x) to (batch, class, y, x)."""
        return np.stack([self._tile(window) for window in batch])

    def _tile(self, window: Batch) -> Batch:
        table = as_table(window_features(self.features, window, self.threads))
        blocks = [table[first : first + ROWS] for first in range(0, len(table), ROWS)]
        with ThreadPoolExecutor(self.threads) as pool:
            parts = list(pool.map(self.runtime.run, blocks))
        return np.ascontiguousarray(np.concatenate(parts).T).reshape(self.classes, *window.shape[-2:])
