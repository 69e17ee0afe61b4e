"""Triangles as files: binary STL (for printers and finite-element programs) and binary PLY (indexed)."""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from algorithms.surface import SurfacePart

_FACET: Final = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_FACE: Final = np.dtype([("count", "u1"), ("corners", "<i4", 3)])
_PLY_HEADER: Final = """ply
format binary_little_endian 1.0
comment slicewatch, lengths in nm
element vertex {vertices:012d}
property float x
property float y
property float z
element face {triangles:012d}
property list uchar int vertex_indices
end_header
"""


def write_stl(path: Path, parts: Iterable[SurfacePart]) -> int:
    """Write a binary STL file, lengths in nm; the number of triangles.

    Raises
    ------
    OSError
        The disk is full or read-only.
    """
    vertices, count = np.empty((0, 3), dtype=np.float32), 0
    with path.open("wb") as file:
        file.write(b"slicewatch, lengths in nm".ljust(80) + struct.pack("<I", 0))
        first = 0
        for part in parts:
            # Triangles look back no further than to the seam, which the part before has made.
            oldest = int(part.triangles.min(initial=first + len(vertices)))
            vertices = np.concatenate((vertices[oldest - first :], part.vertices))
            first = oldest
            facets = _facets(vertices[part.triangles - first])
            file.write(facets.tobytes())
            count += len(facets)
        file.seek(80)
        file.write(struct.pack("<I", count))
    return count


def write_ply(path: Path, parts: Iterable[SurfacePart]) -> int:
    """Write a binary PLY file, lengths in nm, every vertex once; the number of triangles.

    Raises
    ------
    OSError
        The disk is full or read-only.
    """
    vertices, triangles = 0, 0
    with path.open("wb") as file, tempfile.TemporaryFile(dir=path.parent) as faces:
        file.write(_PLY_HEADER.format(vertices=0, triangles=0).encode())
        for part in parts:
            file.write(part.vertices.astype("<f4").tobytes())
            records = np.empty(len(part.triangles), dtype=_FACE)
            records["count"], records["corners"] = 3, part.triangles
            faces.write(records.tobytes())
            vertices, triangles = vertices + len(part.vertices), triangles + len(records)
        faces.seek(0)
        shutil.copyfileobj(faces, file)
        file.seek(0)
        file.write(_PLY_HEADER.format(vertices=vertices, triangles=triangles).encode())
    return triangles


def _facets(corners: NDArray[np.float32]) -> NDArray[np.void]:
    """STL records of triangles (n, 3, xyz) with their unit normals."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    records = np.zeros(len(corners), dtype=_FACET)
    records["normal"] = normals / np.where(lengths > 0.0, lengths, 1.0)
    records["corners"] = corners
    return records
