"""A network's file and the checksum beside it, as ``sha256sum`` writes and checks it."""

import hashlib
from pathlib import Path

from models.errors import ModelFileCorruptError, ModelFileMissingError


def checksum_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def write_checksum(path: Path) -> str:
    """Write ``<path>.sha256`` beside a file; returns the checksum."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    checksum_path(path).write_text(f"{sha256}  {path.name}\n", encoding="ascii")
    return sha256


def read_checked(path: Path) -> tuple[bytes, str]:
    """A network's bytes and their sha256.

    Raises:
        ModelFileMissingError: there is no such file.
        ModelFileCorruptError: ``<path>.sha256`` states another checksum.
    """
    if not path.is_file():
        raise ModelFileMissingError(
            "there is no network at this path",
            str(path),
            "Correct the configured path; the networks that come with slicewatch lie in models/zoo.",
        )
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    stated = checksum_path(path)
    if stated.is_file() and stated.read_text(encoding="ascii").split()[:1] != [sha256]:
        raise ModelFileCorruptError(
            "the network is not the one that its checksum was made for",
            str(path),
            f"Fetch the file again; if you replaced it on purpose, remove {stated.name}.",
        )
    return content, sha256
