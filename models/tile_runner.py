"""Runs batches of tiles; when the device's memory is exhausted, fewer tiles at once, then on the CPU.

A GPU is shared with other programs; what fitted this morning may not fit tonight. The step down is for good,
and whoever runs the network can ask what was given up (:meth:`TileRunner.told`, :attr:`TileRunner.refusals`).
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import (  # pyright: ignore[reportMissingImports]
    Fail,
    RuntimeException,
)

from models import providers
from models.runtime import Runtime

EXHAUSTED = ("out of memory", "failed to allocate memory", "alloc_failed", "cudaerrormemoryallocation")
"""How CUDA, cuBLAS, cuDNN and ONNX Runtime's arena say it, in lower case."""
Batch = NDArray[np.float32]


class BatchRunner(Protocol):
    """What :func:`models.session.segment` needs of a network; see :class:`TileRunner` for each part."""

    @property
    def provider(self) -> str: ...
    @property
    def refusals(self) -> Mapping[str, str]: ...
    @property
    def batch_tiles(self) -> int: ...
    def told(self) -> tuple[str, ...]: ...
    def run(self, batch: Batch) -> Batch: ...


class TileRunner:
    """A network on some hardware, with a way down.

    Args:
        runtime: to begin with.
        batch_tiles: tiles at once, at most.
        on_cpu: starts the same network on the CPU.
    """

    def __init__(self, runtime: Runtime, batch_tiles: int, on_cpu: Callable[[], Runtime]) -> None:
        self._runtime, self._on_cpu = runtime, on_cpu
        self._refusals = dict(runtime.refusals)
        self._batch_tiles = batch_tiles
        self._steps: list[str] = []

    @property
    def provider(self) -> str:
        """The hardware it runs on now."""
        return self._runtime.provider

    @property
    def refusals(self) -> Mapping[str, str]:
        """Each provider that was asked for in vain or given up, and why."""
        return self._refusals

    @property
    def batch_tiles(self) -> int:
        """Tiles at once, at most."""
        return self._batch_tiles

    def told(self) -> tuple[str, ...]:
        """Every step down since this was last asked, in words."""
        steps, self._steps = tuple(self._steps), []
        return steps

    def run(self, batch: Batch) -> Batch:
        """Probabilities of a batch of tiles, as many at once as the device's memory holds."""
        results: list[Batch] = []
        done = 0
        while done < len(batch):
            part = batch[done : done + self._batch_tiles]
            try:
                results.append(self._runtime.run(part))
            except (Fail, RuntimeException) as problem:
                if self.provider == providers.CPU or not _is_exhausted(problem):
                    raise
                self._step_down(len(part))
                continue
            done += len(part)
        return np.concatenate(results)

    def _step_down(self, tiles: int) -> None:
        if tiles > 1:
            self._batch_tiles = tiles // 2
            self._steps.append(f"{self.provider}: memory exhausted by {tiles} tiles, now {self._batch_tiles}")
            return
        self._refusals[self.provider] = "its memory is exhausted by a single tile"
        self._steps.append(f"{self.provider}: memory exhausted by a single tile, now on the CPU")
        self._runtime = self._on_cpu()


def _is_exhausted(problem: Exception) -> bool:
    text = str(problem).lower()
    return any(sign in text for sign in EXHAUSTED)
