"""A network's file and the checksum beside it, as ``sha256sum`` writes and checks it."""

import hashlib
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from models.errors import ModelFileCorruptError, ModelFileMissingError

UTF_16 = (BOM_UTF16_LE, BOM_UTF16_BE)
"""How text begins that PowerShell has redirected into a file."""


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
        ModelFileMissingError: there is no such file, or none that may be read.
        ModelFileCorruptError: ``<path>.sha256`` states another checksum, or none.
    """
    content = _content(path)
    sha256 = hashlib.sha256(content).hexdigest()
    beside = checksum_path(path)
    if beside.is_file() and _stated(beside) != sha256:
        raise ModelFileCorruptError(
            "the network is not the one that its checksum was made for",
            str(path),
            f"Fetch the file again; if you replaced it on purpose, remove {beside.name}.",
        )
    return content, sha256


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise ModelFileMissingError(
            "there is no network at this path",
            str(path),
            "Correct the configured path; the networks that come with slicewatch lie in models/zoo.",
        )
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ModelFileMissingError(
            f"the network cannot be read: {problem.strerror or problem}",
            str(path),
            "Let this user read the file.",
        ) from problem


def _stated(beside: Path) -> str:
    """The checksum that a file states as its first word, in lower case."""
    try:
        content = beside.read_bytes()
        words = content.decode("utf-16" if content.startswith(UTF_16) else "utf-8-sig").split()
    except (OSError, UnicodeDecodeError):
        words = []
    if not words or not re.fullmatch(r"[0-9a-fA-F]{64}", words[0]):
        raise ModelFileCorruptError(
            "the file beside the network states no checksum",
            str(beside),
            "Write it anew with `sha256sum NAME.onnx > NAME.onnx.sha256`, or remove it.",
        )
    return words[0].lower()
