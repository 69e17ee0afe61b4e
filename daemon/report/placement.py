"""What a report says of slices that the volume does not show where they lie."""

from __future__ import annotations

import numpy as np

from daemon.placement_figures import placement_figures
from daemon.report.contents import Contents
from daemon.stages.growing import longest_displacement


def placement_facts(contents: Contents) -> dict[str, str]:
    """How far slices stand from their depth; empty without a final slice."""
    told = placement_figures(contents.kept, _limit_nm(contents))
    mean, largest = (told[f"displacement_{key}_nm"] for key in ("mean", "largest"))
    if not np.isfinite(mean):
        return {}
    return {"Slices from their depth": f"{mean:.2f} nm on average, {largest:.2f} nm at most"}


def placement_cautions(contents: Contents) -> list[str]:
    """A word on slices that are further from their depth than a person should leave unread."""
    limit_nm = _limit_nm(contents)
    displaced = placement_figures(contents.kept, limit_nm)["slices_displaced"]
    if not displaced:
        return []
    return [
        f"{displaced} of {len(contents.kept)} slices stand more than {limit_nm:g} nm from their depth in the "
        f"volume, for no nearer plane was free: voxels of {contents.grid_nm:g} nm are too coarse for them."
    ]


def _limit_nm(contents: Contents) -> float:
    return longest_displacement(float(contents.configuration["geometry"]["target_thickness_nm"]))
