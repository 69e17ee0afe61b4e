"""Which kind of file system a folder lies on: network shares send no change events of other machines."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Final

from daemon.operating_system import mount_table

_NETWORK_TYPES: Final = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "drvfs", "fuse", "gfs2", "glusterfs", "gpfs"),
        *("lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs"),
    }
)


class Locality(StrEnum):
    """Whether the kernel tells of every change in a folder."""

    LOCAL = "local"
    NETWORK = "network"


def locality(folder: Path, mounts: str | None = None) -> Locality:
    """Where ``folder`` lies; ``mounts`` is text like ``mount_table``'s.

    Where there is no such table (other systems), everything counts as local: scanning finds what events miss.
    """
    kind = _type_at(os.path.realpath(folder), mount_table() if mounts is None else mounts)
    base = kind.split(".")[0]
    return Locality.NETWORK if kind in _NETWORK_TYPES or base in _NETWORK_TYPES else Locality.LOCAL


def _type_at(path: str, mounts: str) -> str:
    """File-system type of the innermost mount that holds ``path``; a later mount hides an earlier one."""
    best, kind = "", ""
    for line in mounts.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split()
        if not separator or len(fields) < 5 or not after.split():
            continue
        point = _unescaped(fields[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, after.split()[0]
    return kind


def _unescaped(field: str) -> str:
    """proc(5): blanks, tabs, newlines and backslashes stand as three octal digits."""
    for code in ("040", "011", "012", "134"):
        field = field.replace(f"\\{code}", chr(int(code, 8)))
    return field
