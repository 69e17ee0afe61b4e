"""A process that writes many image files at once, each in pieces that end where a reader could be fooled.

Every state of a file between two pieces is one trial: a reader that took the file then would have a torn one.
"""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import numpy as np

from daemon.tiff_layout import Layout, walk

PAUSES_S: Final = (0.05, 0.6)
"""Shortest and longest time from one piece to the next: below and above the watcher's own intervals."""
RESERVED_SHARE: Final = 0.2
"""Files whose size is reserved before they are filled, as network copies do."""
TIFF_HEADER: Final = 8


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of a sound image file, and the positions at which its parts begin and end."""

    content: bytes
    borders: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """One file to write: where, from which source, ending its pieces at ``cuts``, from ``start_s`` on."""

    path: Path
    source: int
    cuts: tuple[int, ...]
    start_s: float
    reserved: bool
    seed: int


def source_of(path: Path) -> Source:
    """A file that is there, taken apart: header, directories, tag values, strips, last bytes."""
    content = path.read_bytes()
    layout = walk(lambda offset, length: content[offset : offset + length], len(content), str(path))
    return Source(content, _borders(layout, len(content)))


def _borders(layout: Layout, size: int) -> tuple[int, ...]:
    """Every byte at which a part of the file ends, and the middle of its pixels."""
    ends = {1, 4, TIFF_HEADER, size // 100, size // 2, size * 99 // 100, size * 999 // 1000, size}
    for directory in layout.directories:
        ends |= {directory.offset, directory.offset + 2 + 12 * len(directory.entries)}
        for entry in directory.entries.values():
            ends |= {entry.offset, entry.offset + entry.size // 2, entry.offset + entry.size}
    return tuple(sorted(end for end in ends if 0 < end <= size))


def jobs(folder: Path, sources: list[Source], count: int, pieces: int, span_s: float, seed: int) -> list[Job]:
    """``count`` files, begun at random within ``span_s``, each torn at up to ``pieces`` places."""
    rng = np.random.default_rng(seed)
    made: list[Job] = []
    for number in range(1, count + 1):
        chosen = int(rng.integers(len(sources)))
        path = folder / "SEM Image" / f"SEM Image - SliceImage - {number:05d}.tif"
        reserved = bool(rng.uniform() < RESERVED_SHARE)
        start_s = float(rng.uniform(0.0, span_s))
        made.append(Job(path, chosen, _cuts(sources[chosen], pieces, rng), start_s, reserved, number))
    return made


def _cuts(source: Source, pieces: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Half of the cuts beside the borders of parts, half anywhere, ascending, none at the end."""
    size = len(source.content)
    near = rng.choice(source.borders, pieces // 2) + rng.integers(-1, 2, pieces // 2)
    anywhere = rng.integers(1, size, pieces - len(near))
    return tuple(sorted({int(cut) for cut in (*near, *anywhere) if 0 < cut < size}))


def write(sources: list[Source], wanted: list[Job], told: Connection) -> None:
    """In a process of its own: write all files, each piece in its time; tells (path, finished at) of each.

    Times are of the monotonic clock, which all processes of a machine share.
    """
    begun = time.monotonic()
    turns = [(begun + job.start_s, number, 0) for number, job in enumerate(wanted)]
    rngs = {number: np.random.default_rng(job.seed) for number, job in enumerate(wanted)}
    heapq.heapify(turns)
    while turns:
        due, number, piece = heapq.heappop(turns)
        time.sleep(max(0.0, due - time.monotonic()))
        job = wanted[number]
        _write_piece(job, sources[job.source].content, piece)
        if piece == len(job.cuts):
            told.send((str(job.path), time.monotonic()))
        else:
            heapq.heappush(turns, (due + float(rngs[number].uniform(*PAUSES_S)), number, piece + 1))
    told.send(None)


def _write_piece(job: Job, content: bytes, piece: int) -> None:
    """Piece 0 makes the file; the file is closed after each, as some writers do."""
    begin = job.cuts[piece - 1] if piece else 0
    end = job.cuts[piece] if piece < len(job.cuts) else len(content)
    with job.path.open("r+b" if piece else "wb", buffering=0) as file:
        if piece == 0 and job.reserved:
            file.truncate(len(content))
        file.seek(begin)
        file.write(content[begin:end])
