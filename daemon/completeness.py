"""Is an image file complete? Decided by its content, never by waiting a fixed time.

A file cut at 99 % still shows pixels but has lost its metadata tag; one cut at 99.9 % has lost the tag's
tail. Both fail ``tiff_layout.walk``, because a value then ends beyond the file. What is left to decide here
are files whose size was reserved before they were filled (network copies do that): their metadata text must
end as the microscope ends it, and must not be absent where its siblings carry it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from daemon import tiff_layout
from daemon.errors import FileUnreadableError
from daemon.tiff_layout import FileIncompleteError, Read
from daemon.zero_tail import ends_in_zeros

FEI_INI: Final = 34682
FEI_XML: Final = 34683
ZEISS: Final = 34118
VENDOR_TAGS: Final = (FEI_INI, FEI_XML, ZEISS)
_LONGEST_TEXT: Final = 1 << 24
"""FEI writes 3–90 KiB; a longer text is not metadata and is not read to find its end."""
_ROOT: Final = re.compile(rb"<([A-Za-z_][\w.:-]*)[\s/>]")


class Progress(Enum):
    """How far the writing of a file has come, as far as its content tells."""

    COMPLETE = "complete"
    DOUBTFUL = "doubtful"
    """All parts are there, but the metadata text does not end as expected: padded, or not all written."""
    UNPROVEN = "unproven"
    """All parts are there, but the image ends in zeros: a black bottom, or room that is not filled yet."""
    INCOMPLETE = "incomplete"
    DAMAGED = "damaged"
    """More bytes will not mend it."""
    MISNAMED = "misnamed"
    """Its name cannot be recorded, so its content is not looked at."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the content says, why, and which vendor's metadata tags the file carries."""

    progress: Progress
    reason: str
    vendor_tags: frozenset[int] = frozenset()


def judge_file(path: Path, size: int, expected_tags: Collection[int] = ()) -> Verdict:
    """Judge a file on disk; ``expected_tags`` are the vendor tags that its siblings carry.

    Plain reads, no memory map: a file that shrinks under a map kills the process with SIGBUS.

    Raises
    ------
    OSError
        The file or its share cannot be read now.
    """
    with path.open("rb", buffering=0) as file:

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length) or b""

        return judge(read, size, str(path), expected_tags)


def judge(read: Read, size: int, where: str, expected_tags: Collection[int] = ()) -> Verdict:
    """Judge ``size`` bytes given by ``read``; ``where`` names them in reasons."""
    try:
        layout = tiff_layout.walk(read, size, where)
    except FileIncompleteError as error:
        return Verdict(Progress.INCOMPLETE, error.what)
    except FileUnreadableError as error:
        return Verdict(Progress.DAMAGED, error.what)
    entries = layout.directories[0].entries
    carried = frozenset(code for code in VENDOR_TAGS if code in entries)
    missing = set(expected_tags) - carried
    if missing:
        return Verdict(Progress.INCOMPLETE, f"lacks the metadata tag {min(missing)} of its siblings", carried)
    for code in sorted(carried):
        entry = entries[code]
        if entry.size <= _LONGEST_TEXT and not ends_properly(code, tiff_layout.value(read, entry)):
            return Verdict(
                Progress.DOUBTFUL, f"the metadata text of tag {code} does not end properly", carried
            )
    if ends_in_zeros(read, layout):
        return Verdict(Progress.UNPROVEN, "its last row is zeros: black, or not written yet", carried)
    return Verdict(Progress.COMPLETE, "", carried)


def ends_properly(code: int, text: bytes) -> bool:
    """Whether a vendor's metadata text is all there: no zero-filled tail, last line or element closed."""
    body = text.rstrip(b"\0")
    padding = len(text) - len(body)
    if b"\0" in body or not body.strip():
        return False
    if code == FEI_XML:
        return _closes_its_root(body)
    # One terminating NUL is TIFF's own end mark; without it or with more, only a closed line is proof.
    return padding == 1 or (padding <= 3 and body.endswith(b"\n" if b"\n" in body else b"\r"))


def _closes_its_root(xml: bytes) -> bool:
    root, body = _ROOT.search(xml), xml.rstrip()
    if root is None:
        return False
    is_empty = body.endswith(b"/>") and body.find(b">", root.start()) == len(body) - 1
    return is_empty or body.endswith(b"</" + root[1] + b">")
