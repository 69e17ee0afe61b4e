"""Network shares are told from local disks by the table of mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.filesystem import Locality, locality

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:45 / /mnt/micro\\040scope rw,relatime shared:2 - cifs //pc/asv rw
41 22 0:46 / /mnt/nfs rw - nfs4 server:/x rw
42 41 8:2 / /mnt/nfs/scratch rw - xfs /dev/sdb rw
43 22 0:47 / /mnt/ssh rw - fuse.sshfs pc: rw
44 22 0:48 / /mnt/ntfs rw - fuseblk /dev/sdc rw
45 22 0:49 / /mnt/over rw - ext4 /dev/sdd rw
46 22 0:50 / /mnt/over rw - nfs server:/y rw
damaged line
"""

CASES = {
    "/data/run": Locality.LOCAL,
    "/mnt/micro scope/run": Locality.NETWORK,
    "/mnt/nfs": Locality.NETWORK,
    "/mnt/nfs/scratch/run": Locality.LOCAL,
    "/mnt/nfsx": Locality.LOCAL,
    "/mnt/ssh/run": Locality.NETWORK,
    "/mnt/ntfs/run": Locality.LOCAL,
    "/mnt/over/run": Locality.NETWORK,
}


@pytest.mark.parametrize(("folder", "kind"), CASES.items())
def test_innermost_and_latest_mount_decides(folder: str, kind: Locality) -> None:
    """Blanks in names, mounts inside mounts and mounts over mounts."""
    assert locality(Path(folder), MOUNTS) is kind


def test_this_machine_can_be_asked(tmp_path: Path) -> None:
    """The machine's own table gives an answer for a folder of its own."""
    assert locality(tmp_path) in Locality
