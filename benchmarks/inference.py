"""Seconds for one triple: ONNX Runtime as the daemon uses it, and torch on the same processor beside it.

The network is the shipped architecture with fresh weights: its speed does not depend on them.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table

from models.architectures import ResidualUNet
from models.export import Provenance, export_network
from models.fusion import LateFusion
from models.normalisation import Normalisation, face_limits, normalise
from models.session import Segmenter, open_segmenter, segment

CHANNELS, VOLTAGES_KV = ("1kV", "2kV", "4kV"), (1.0, 2.0, 4.0)
THREADS = 2


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Time and memory of a 3072×2048 triple, or of one of a quarter of its pixels scaled up."""
    height, width = (512, 768) if quick else (2048, 3072)
    scale = 2048 * 3072 / (height * width)
    window = np.random.default_rng(0).integers(0, 256, (3, 7, height, width), dtype=np.uint8)
    network = LateFusion([ResidualUNet() for _ in CHANNELS]).eval()
    segmenter = _exported(network)
    ours = scale * best_of(2, lambda: segment(segmenter, window))
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # before torch adds its own
    torch.set_num_threads(THREADS)
    eager = scale * best_of(2, lambda: by_torch(network, window))
    one_tile = scale * best_of(1, lambda: segment(replace(segmenter, largest_tile_px=4096), window))
    table = Table("3072×2048, three voltages, 7 slices", "seconds", title="inference")
    table.add_row(
        f"ONNX Runtime, tiles of {segmenter.largest_tile_px} px, {segmenter.provider}", f"{ours:.2f}"
    )
    table.add_row("ONNX Runtime, the image in one piece", f"{one_tile:.2f}")
    table.add_row(f"torch {torch.__version__}, eager, {THREADS} threads", f"{eager:.2f}")
    return table, {
        "seconds_per_triple": ours,
        "torch_seconds_per_triple": eager,
        "untiled_seconds_per_triple": one_tile,
        "speedup_vs_torch": eager / ours,
        "peak_mib": peak_mib,
    }


def best_of(times: int, act: Callable[[], object]) -> float:
    """The shortest of several runs, after none to warm up: other programs only make it longer."""
    durations: list[float] = []
    for _ in range(times):
        start = perf_counter()
        act()
        durations.append(perf_counter() - start)
    return min(durations)


@torch.inference_mode()
def by_torch(network: LateFusion, window: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The same from torch, the image in one piece, normalised by the same code."""
    cut = Normalisation()
    scaled = [
        np.stack([normalise(image, face_limits(image, cut), cut) for image in channel]) for channel in window
    ]
    return network(torch.from_numpy(np.stack(scaled))[None])[0].numpy()


def _exported(network: LateFusion) -> Segmenter:
    provenance = Provenance("late_fusion", CHANNELS, VOLTAGES_KV, 7, 2, Normalisation(), "untrained")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "untrained.onnx"
        export_network(network, provenance, path)
        return open_segmenter(path, threads=THREADS)
