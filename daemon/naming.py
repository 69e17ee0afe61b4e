"""The slice number in an image's path: the only thing a name is ever trusted for.

Names also tell why no slice comes: a series of images that the pattern passes over.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_TIFF: Final = (".tif", ".tiff")
_LARGEST_NUMBER: Final = 10**9
"""A larger one (a time stamp, a serial number) counts no slices; beyond 64 bits no record could hold it."""


def slice_number(path: Path, pattern: str) -> int | None:
    """The group ``slice`` where ``pattern`` is found in ``folder/name`` of a path; None where it is not.

    None, too, for a number beyond 10⁹: such a file is none of the run's.

    Case does not matter (Windows writes ``.TIF`` as readily as ``.tif``). Folders further up are not looked
    at: where somebody keeps his projects must not decide what is an image.
    """
    found = re.search(pattern, f"{path.parent.name}/{path.name}", re.IGNORECASE)
    number = int(found["slice"]) if found and found["slice"].isdecimal() else -1
    return number if 0 <= number <= _LARGEST_NUMBER else None


def longest_series(paths: Iterable[str]) -> list[str]:
    """The most TIFF files of one folder whose names differ in digits only; none if they are fewer than two.

    A single picture beside the acquisition, an overview say, is no series.
    """
    series: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        folder, name = os.path.split(path)
        if name.casefold().endswith(_TIFF):
            series[folder, re.sub(r"[0-9]+", "#", name)].append(path)
    longest = max(series.values(), key=len, default=[])
    return longest if len(longest) > 1 else []


def mismatch(strangers: Iterable[str], pattern: str) -> str:
    """What to say when nothing matches ``pattern`` but ``strangers`` hold a series; else nothing."""
    series = longest_series(strangers)
    if not series:
        return ""
    return f"none of {len(series)} TIFF files matches '{pattern}', for example {Path(min(series)).name}"
