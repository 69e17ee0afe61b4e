"""How far the volume shows slices from where they lie, over a whole run.

Rows are those of ``slices.csv``, as values or as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def placement_figures(rows: Iterable[Mapping[str, Any]], limit_nm: float) -> dict[str, Any]:
    """The summary's keys on places: mean and largest distance from the depth, nm, NaN without a final slice;
    how many slices are further away than ``limit_nm``."""
    told = (row.get("displacement_nm") for row in rows)
    apart = np.abs([float(value) for value in told if value not in (None, "")])
    apart = apart[np.isfinite(apart)]
    return {
        "displacement_mean_nm": float(apart.mean()) if apart.size else float("nan"),
        "displacement_largest_nm": float(apart.max()) if apart.size else float("nan"),
        "slices_displaced": int(np.count_nonzero(apart > limit_nm)),
    }
