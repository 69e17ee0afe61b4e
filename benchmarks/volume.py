"""Writing the growing volume with its pyramid, against plain zarr and tensorstore on the same planes; memory.

Plain zarr and tensorstore write what a program would write first: the full resolution alone, unsharded
pieces of 16 x 256 x 256, zstd, four planes at a time, without a pyramid and without making planes visible
one by one. Ours writes all levels, visible after every slice. ``ratio_to_…`` is our planes per second over
theirs. Every writer is a process of its own, so that its memory is its own.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil
import tensorstore as ts
import zarr
from numpy.typing import NDArray
from rich.table import Table
from zarr.codecs import ZstdCodec

from algorithms.structures import hierarchical_structure, solid_at
from daemon.volume_store import open_volume

VOXEL_NM = 2.5
PLANES_PER_SLICE = 4
PIECE = (16, 256, 256)
SEED = 11

Labels = NDArray[np.uint8]
Write = Callable[[int, Labels], None]


@dataclass(frozen=True, slots=True)
class Scale:
    """Plane size, and planes that are written in all."""

    height_px: int
    width_px: int
    planes: int


QUICK = Scale(512, 512, 400)
FULL = Scale(1024, 1024, 2000)


@dataclass(frozen=True, slots=True)
class Written:
    """Seconds for all planes, without making them; bytes and files on disk; memory in MiB after the first
    quarter and at the end."""

    seconds: float
    bytes: int
    files: int
    memory_early_mib: float
    memory_late_mib: float


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Speed, size and memory of the three writers; ``memory_growth_ratio`` is ours from a quarter to the
    end."""
    scale = QUICK if quick else FULL
    results = {name: _in_own_process(name, scale) for name in WRITERS}
    table = Table("writer", "planes/s", "MB/s", "bytes/voxel", "files", "memory MiB", title=_title(scale))
    voxels = scale.planes * scale.height_px * scale.width_px
    for name, written in results.items():
        table.add_row(
            name,
            f"{scale.planes / written.seconds:.1f}",
            f"{voxels / written.seconds / 1e6:.0f}",
            f"{written.bytes / voxels:.4f}",
            str(written.files),
            f"{written.memory_early_mib:.0f} → {written.memory_late_mib:.0f}",
        )
    ours = results["slicewatch"]
    return table, {
        "planes_per_s": scale.planes / ours.seconds,
        "mb_per_s": voxels / ours.seconds / 1e6,
        "ratio_to_zarr": results["zarr"].seconds / ours.seconds,
        "ratio_to_tensorstore": results["tensorstore"].seconds / ours.seconds,
        "bytes": float(ours.bytes),
        "bytes_per_voxel": ours.bytes / voxels,
        "files": float(ours.files),
        "files_zarr": float(results["zarr"].files),
        "memory_growth_ratio": ours.memory_late_mib / ours.memory_early_mib,
        "memory_mib": ours.memory_late_mib,
    }


def _title(scale: Scale) -> str:
    return f"{scale.planes} planes of {scale.height_px} x {scale.width_px} px, 4 a slice"


def _ours(folder: Path, scale: Scale) -> Write:
    return open_volume(folder, (scale.height_px, scale.width_px), VOXEL_NM, 2, {}).append


def _plain_zarr(folder: Path, scale: Scale) -> Write:
    array = zarr.create_array(
        store=str(folder),
        shape=(scale.planes, scale.height_px, scale.width_px),
        chunks=PIECE,
        dtype="uint8",
        compressors=ZstdCodec(level=3),
    )

    def write(first: int, labels: Labels) -> None:
        array[first : first + len(labels)] = labels

    return write


def _plain_tensorstore(folder: Path, scale: Scale) -> Write:
    metadata = {
        "data_type": "uint8",
        "shape": [scale.planes, scale.height_px, scale.width_px],
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(PIECE)}},
        "codecs": [{"name": "bytes"}, {"name": "zstd", "configuration": {"level": 3}}],
    }
    store = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder)}, "metadata": metadata}
    array = ts.open(store, create=True).result()

    def write(first: int, labels: Labels) -> None:
        array[first : first + len(labels)].write(labels).result()

    return write


WRITERS: dict[str, Callable[[Path, Scale], Write]] = {
    "slicewatch": _ours,
    "zarr": _plain_zarr,
    "tensorstore": _plain_tensorstore,
}


def _in_own_process(name: str, scale: Scale) -> Written:
    settings = json.dumps(asdict(scale))
    command = [sys.executable, "-m", "benchmarks.volume", name, settings]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Written(**json.loads(done.stdout))


def written_by(name: str, scale: Scale) -> Written:
    """Write all planes with one of the writers and look at what is on disk."""
    with tempfile.TemporaryDirectory() as folder:
        write = WRITERS[name](Path(folder) / "v.zarr", scale)
        seconds, early = 0.0, 0.0
        for first, labels in _arrivals(scale):
            begin = perf_counter()
            write(first, labels)
            seconds += perf_counter() - begin
            if first + len(labels) <= scale.planes // 4:
                early = _memory_mib()
        late = _memory_mib()
        sizes = [path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()]
    return Written(seconds, sum(sizes), len(sizes), early, late)


def _arrivals(scale: Scale) -> Iterator[tuple[int, Labels]]:
    """Four planes at a time from a sample that is gone through up and down."""
    structure = hierarchical_structure(np.random.default_rng(SEED))
    z_nm, y_nm, x_nm = (
        np.arange(n, dtype=np.float64) * VOXEL_NM for n in (64, scale.height_px, scale.width_px)
    )
    sample = solid_at(structure, z_nm, y_nm, x_nm)
    there_and_back = np.concatenate((np.arange(64), np.arange(62, 0, -1)))
    order = np.resize(there_and_back, scale.planes)
    for first in range(0, scale.planes, PLANES_PER_SLICE):
        yield first, sample[order[first : first + PLANES_PER_SLICE]]


def _memory_mib() -> float:
    return psutil.Process().memory_info().rss / 2**20


if __name__ == "__main__":
    print(json.dumps(asdict(written_by(sys.argv[1], Scale(**json.loads(sys.argv[2]))))))
