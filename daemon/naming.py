"""The slice number in an image's path: the only thing a name is ever trusted for."""

from __future__ import annotations

import re
from pathlib import Path


def slice_number(path: Path, pattern: str) -> int | None:
    """The group ``slice`` where ``pattern`` is found in ``folder/name`` of a path; None where it is not.

    Case does not matter (Windows writes ``.TIF`` as readily as ``.tif``). Folders further up are not looked
    at: where somebody keeps his projects must not decide what is an image.
    """
    found = re.search(pattern, f"{path.parent.name}/{path.name}", re.IGNORECASE)
    return int(found["slice"]) if found and found["slice"].isdecimal() else None
