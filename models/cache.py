"""Where this user keeps what can be made again but takes long."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/slicewatch``, or ``~/.cache/slicewatch``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slicewatch"
