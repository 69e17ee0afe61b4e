"""The volume's layout: compressed pieces of one plane against pieces of sixteen, both in shards of 64 planes.

The figures of docs/decisions/sharding.md. Four planes a write, as a slice brings them; then one cut along z
through everything, read by plain zarr and by tensorstore. Both layouts are written by tensorstore, full
resolution only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import tensorstore as ts
import zarr
from numpy.typing import NDArray
from rich.table import Table

from algorithms.structures import hierarchical_structure, solid_at

VOXEL_NM = 2.5
PLANES_PER_WRITE = 4
SHARD_PLANES = 64
PIECE_PX, SHARD_PX = 256, 1024
SEED = 11
QUICK, FULL = (64, 700, 500), (128, 2100, 1500)
"""Planes, height and width in voxels."""

Labels = NDArray[np.uint8]


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Writing speed, size, and seconds for one cut, by planes of a piece."""
    labels = _labels(QUICK if quick else FULL)
    table = Table("planes a piece", "planes/s", "bytes/voxel", "cut, zarr s", "cut, tensorstore s")
    figures: dict[str, float] = {}
    for depth in (1, 16):
        with tempfile.TemporaryDirectory() as folder:
            measured = _measured(Path(folder) / "array", labels, depth)
        table.add_row(str(depth), *(f"{value:.3g}" for value in measured.values()))
        figures |= {f"{name}_pieces_of_{depth}": value for name, value in measured.items()}
    figures["write_ratio"] = figures["planes_per_s_pieces_of_1"] / figures["planes_per_s_pieces_of_16"]
    return table, figures


def _measured(path: Path, labels: Labels, depth: int) -> dict[str, float]:
    array = ts.open(_layout(path, labels.shape, depth), create=True).result()
    writing = _seconds(lambda: _write(array, labels))
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    middle = labels.shape[1] // 2
    plain: Any = zarr.open_array(str(path), mode="r")
    return {
        "planes_per_s": len(labels) / writing,
        "bytes_per_voxel": size / labels.size,
        "cut_zarr_s": _seconds(lambda: plain[:, middle]),
        "cut_tensorstore_s": _seconds(lambda: array[:, middle].read().result()),
    }


def _write(array: Any, labels: Labels) -> None:
    for first in range(0, len(labels), PLANES_PER_WRITE):
        array[first : first + PLANES_PER_WRITE].write(labels[first : first + PLANES_PER_WRITE]).result()


def _layout(path: Path, shape: tuple[int, ...], depth: int) -> dict[str, Any]:
    """Zarr 3 with the codec sharding_indexed 1.0, as ``daemon.growing_array`` writes it but for the depth."""
    little_endian = {"name": "bytes", "configuration": {"endian": "little"}}
    sharding = {
        "chunk_shape": [depth, PIECE_PX, PIECE_PX],
        "codecs": [little_endian, {"name": "zstd", "configuration": {"level": 3}}, {"name": "crc32c"}],
        "index_codecs": [little_endian, {"name": "crc32c"}],
        "index_location": "end",
    }
    metadata = {
        "data_type": "uint8",
        "shape": list(shape),
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [SHARD_PLANES, SHARD_PX, SHARD_PX]},
        },
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "fill_value": 0,
    }
    return {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}, "metadata": metadata}


def _labels(shape: tuple[int, int, int]) -> Labels:
    """A hierarchical structure on the grid: compresses as the volume does."""
    structure = hierarchical_structure(np.random.default_rng(SEED))
    return solid_at(structure, *(np.arange(side, dtype=np.float64) * VOXEL_NM for side in shape))


def _seconds(act: Callable[[], Any]) -> float:
    begun = perf_counter()
    act()
    return perf_counter() - begun
