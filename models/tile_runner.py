"""Runs batches of tiles; when the device's memory is exhausted, fewer tiles at once, then on the CPU.

A GPU is shared with other programs; what fitted this morning may not fit tonight. The step down is for good,
and whoever runs the network can ask what was given up (:meth:`TileRunner.told`, :attr:`TileRunner.refusals`).
"""

from collections.abc import Callable, Mapping
from time import perf_counter
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
LEAST_GAIN = 1.2
"""A GPU has to be so many times faster than the CPU; what only claims to be one is as fast."""
CANARY_RUNS = 3
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
        clock: seconds that never go back.
    """

    def __init__(
        self,
        runtime: Runtime,
        batch_tiles: int,
        on_cpu: Callable[[], Runtime],
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._runtime, self._on_cpu, self._clock = runtime, on_cpu, clock
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
            except (Fail, RuntimeException, RuntimeError) as problem:  # the last: outside of a session
                if self.provider == providers.CPU or not _is_exhausted(problem):
                    raise
                self._step_down(len(part))
                continue
            done += len(part)
        return np.concatenate(results)

    def compare_with_cpu(self, batch: Batch) -> None:
        """Leave a device that claims to be faster than the CPU, and is not, for the CPU."""
        if self.provider != providers.CPU:
            self.run(batch)  # without the memory for a single tile it is left already
        if self.provider == providers.CPU:
            return
        cpu = self._on_cpu()
        claimed_s, cpu_s = (shortest_s(one.run, batch, self._clock) for one in (self._runtime, cpu))
        if claimed_s * LEAST_GAIN > cpu_s:
            self._refusals[self.provider] = f"a test tile takes it {claimed_s:.3f} s, the CPU {cpu_s:.3f} s"
            self._runtime = cpu

    def _step_down(self, tiles: int) -> None:
        if tiles > 1:
            self._batch_tiles = tiles // 2
            self._steps.append(f"{self.provider}: memory exhausted by {tiles} tiles, now {self._batch_tiles}")
            return
        self._refusals[self.provider] = "its memory is exhausted by a single tile"
        self._steps.append(f"{self.provider}: memory exhausted by a single tile, now on the CPU")
        self._runtime = self._on_cpu()


def shortest_s(
    run: Callable[[Batch], Batch], batch: Batch, clock: Callable[[], float] = perf_counter
) -> float:
    """Time of a batch: the shortest of several, after one to warm up."""
    run(batch)
    seconds: list[float] = []
    for _ in range(CANARY_RUNS):
        start = clock()
        run(batch)
        seconds.append(clock() - start)
    return min(seconds)


def _is_exhausted(problem: Exception) -> bool:
    text = str(problem).lower()
    return any(sign in text for sign in EXHAUSTED)
