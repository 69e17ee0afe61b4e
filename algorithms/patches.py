"""The anisotropy as the papers give it: mean over lateral patches, each measured by itself.

Sardhara et al. (slice thickness, section 2.4.2) evaluate patches of 256 x 256 px. A patch is a stack of its
own: only segments that lie inside it count. The spread between patches is the sampling uncertainty of one
patch, and over the root of their number that of the mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.volume_figures import Estimate, figures
from algorithms.volume_metrics import MetricsState, add_plane, add_unmeasured_plane, merge, start_metrics

Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PatchStates:
    """Stacks of all whole patches of a region, row by row; ``corners`` are their first (y, x) in px."""

    patch_px: int
    corners: tuple[tuple[int, int], ...]
    stacks: tuple[MetricsState, ...]


@dataclass(frozen=True, slots=True)
class PatchFigures:
    """Means over ``patches`` patches with their standard errors; NaN where not (yet) defined."""

    patches: int
    solid_fraction: Estimate
    e_tpcf: Estimate
    e_lpf: Estimate
    e_d: Estimate


def start_patches(height: int, width: int, *, patch_px: int = 256, lags: int = 100) -> PatchStates:
    """Empty stacks for all patches that fit into the region whole.

    Raises ValueError if none does.
    """
    if not 0 < patch_px <= min(height, width):
        raise ValueError(
            f"patches: none of {patch_px} px fits into {height} x {width} px; choose a smaller one"
        )
    rows = range(0, height - patch_px + 1, patch_px)
    columns = range(0, width - patch_px + 1, patch_px)
    corners = tuple((y, x) for y in rows for x in columns)
    empty = start_metrics(patch_px, patch_px, lags=lags, block_px=patch_px)
    return PatchStates(patch_px, corners, (empty,) * len(corners))


def add_plane_to_patches(patches: PatchStates, labels: Labels) -> PatchStates:
    """The stacks with one more plane ``(y, x)`` of the region."""
    side = patches.patch_px
    parts = (labels[y : y + side, x : x + side] for y, x in patches.corners)
    stacks = (add_plane(stack, part) for stack, part in zip(patches.stacks, parts, strict=True))
    return PatchStates(side, patches.corners, tuple(stacks))


def add_unmeasured_plane_to_patches(patches: PatchStates) -> PatchStates:
    """The stacks with one more position at which nothing was measured."""
    stacks = tuple(add_unmeasured_plane(stack) for stack in patches.stacks)
    return PatchStates(patches.patch_px, patches.corners, stacks)


def merge_patches(above: PatchStates, below: PatchStates) -> PatchStates:
    """The stacks of two consecutive blocks as one. Raises ValueError if their patches differ."""
    if (above.patch_px, above.corners) != (below.patch_px, below.corners):
        raise ValueError(f"patches: {above.patch_px} px and {below.patch_px} px do not merge; cut both alike")
    pairs = zip(above.stacks, below.stacks, strict=True)
    return PatchStates(above.patch_px, above.corners, tuple(merge(a, b) for a, b in pairs))


def patch_figures(patches: PatchStates, voxel_nm: float) -> PatchFigures:
    """Mean and standard error over the patches; a patch without a value (no solid) does not enter."""
    each = [figures(stack, voxel_nm) for stack in patches.stacks]
    return PatchFigures(
        patches=len(each),
        solid_fraction=_mean([one.solid_fraction for one in each]),
        e_tpcf=_mean([one.e_tpcf for one in each]),
        e_lpf=_mean([one.e_lpf for one in each]),
        e_d=_mean([one.e_d for one in each]),
    )


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    values = np.asarray([estimate.value for estimate in estimates])
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Estimate(np.nan, np.nan)
    sigma = float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else np.nan
    return Estimate(float(values.mean()), sigma)
