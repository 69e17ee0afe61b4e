"""Cost of the streaming metrics per plane, at growing height, against recomputing with PoreSpy, and
exactness.
"""

import resource
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from time import perf_counter, process_time

import numpy as np
import porespy
from numpy.typing import NDArray
from rich.table import Table

from algorithms.correlation import two_point_correlation
from algorithms.lineal_path import lineal_path
from algorithms.structures import hierarchical_structure, solid_at
from algorithms.volume_figures import figures
from algorithms.volume_metrics import MetricsState, add_plane, merge, start_metrics

VOXEL_NM = 2.5
LAGS = 100
SEED = 7

Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scale:
    """Plane size and heights for the cost (64 from empty, and 64 behind a full window of lags, among them),
    edge of the cube for PoreSpy, timing rounds."""

    height_px: int
    width_px: int
    heights: tuple[int, ...]
    cube_px: int
    rounds: int = 24


QUICK = Scale(height_px=512, width_px=768, heights=(64, 164, 256, 512), cube_px=128)
FULL = Scale(height_px=2048, width_px=3072, heights=(64, 164, 256, 1024), cube_px=256)


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Seconds per plane, its growth, memory, the speedup over PoreSpy, the difference to batch."""
    scale = QUICK if quick else FULL
    result = plane_costs(scale)
    # Read before PoreSpy, whose padded transforms need several times the memory of everything else.
    result["peak_memory_mib"] = _peak_mib()
    result |= against_porespy(scale.cube_px)
    result["peak_memory_porespy_mib"] = _peak_mib()
    table = Table("figure", "value", title=f"{scale.width_px} x {scale.height_px} px, {LAGS} lags")
    for name, value in result.items():
        table.add_row(name, f"{value:.6g}")
    return table, result


def plane_costs(scale: Scale) -> dict[str, float]:
    """Seconds of the processor to add a plane at each height, and what they grow by.

    ``growth_ratio``: the tallest stack's over the lowest one's, which has fewer planes to compare with and is
    cheaper for that; ``growth_ratio_full_window``: over that of the lowest stack that holds all lags. Rounds
    go over all heights in turn, and a ratio is the median of the rounds' own, for what other programs slow
    down they slow down for a while. Of a height's seconds the least counts: others only ever add time.
    """
    sample = _structure(16, scale.height_px, scale.width_px)
    stacks = dict(_stacks(scale, sample))
    rounds = np.asarray([[_addition(one, sample) for one in stacks.values()] for _ in range(scale.rounds)])
    seconds = dict(zip(stacks, rounds.T, strict=True))
    full_window = min(height for height in stacks if height >= LAGS)
    named = {f"seconds_per_plane_at_{height}": float(costs.min()) for height, costs in seconds.items()}
    named["growth_ratio"] = _growth(seconds, min(stacks))
    named["growth_ratio_full_window"] = _growth(seconds, full_window)
    return named | {"state_mib": _kept_bytes(stacks[max(stacks)]) / 2**20}


def _stacks(scale: Scale, sample: Labels) -> Iterator[tuple[int, MetricsState]]:
    """A state of each height; doubled by merging where that gets there, which gives the same counts."""
    state = start_metrics(scale.height_px, scale.width_px, lags=LAGS)
    for height in scale.heights:
        while 2 * state.planes <= height and state.planes >= LAGS:
            state = merge(state, state)
        while state.planes < height:
            state = add_plane(state, _plane(sample, state.planes))
        yield height, state


def _growth(seconds: Mapping[int, NDArray[np.float64]], lower: int) -> float:
    """Median over rounds of the tallest stack's seconds over a lower one's."""
    return float(np.median(seconds[max(seconds)] / seconds[lower]))


def _kept_bytes(state: MetricsState) -> int:
    """Of the counts and of the planes that a state keeps."""
    counts = state.region.counts
    arrays = [getattr(counts, one.name) for one in fields(counts)]
    return sum(array.nbytes for array in (*arrays, *state.head, *state.tail))


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _addition(state: MetricsState, sample: Labels) -> float:
    """Seconds of the processor for one more plane; the state itself stays as it is."""
    plane = _plane(sample, state.planes)
    begin = process_time()
    add_plane(state, plane)
    return process_time() - begin


def against_porespy(edge_px: int) -> dict[str, float]:
    """A live update of a cube's metrics, against computing its TPCF and LPF anew with PoreSpy."""
    cube = _structure(edge_px, edge_px, edge_px)
    state = start_metrics(edge_px, edge_px, lags=LAGS)
    for plane in cube[:-1]:
        state = add_plane(state, plane)
    begin = perf_counter()
    state = add_plane(state, cube[-1])
    curves = figures(state, VOXEL_NM)
    streaming = perf_counter() - begin
    solid = cube == 1
    porespy_seconds = _seconds(lambda: recompute_with_porespy(solid))
    differences = (curves.tpcf - two_point_correlation(solid, LAGS), curves.lpf - lineal_path(solid, LAGS))
    return {
        "porespy_seconds": porespy_seconds,
        "streaming_seconds": streaming,
        "speedup_vs_porespy": porespy_seconds / streaming,
        "max_abs_difference_to_batch": float(np.nanmax(np.abs(differences))),
    }


def recompute_with_porespy(solid: NDArray[np.bool_]) -> None:
    """What a program without streaming does for every new plane: the correlation, and the chords of three
    axes.
    """
    porespy.metrics.two_point_correlation(solid, bins=LAGS)
    for axis in range(3):
        chords = porespy.filters.apply_chords(solid, axis=axis, trim_edges=False, label=True)
        lengths = porespy.filters.region_size(chords)
        porespy.metrics.lineal_path_distribution(lengths, bins=LAGS)


def _seconds(work: Callable[[], object]) -> float:
    begin = perf_counter()
    work()
    return perf_counter() - begin


def _structure(planes: int, height: int, width: int) -> Labels:
    structure = hierarchical_structure(np.random.default_rng(SEED))
    z_nm, y_nm, x_nm = (np.arange(size, dtype=np.float64) * VOXEL_NM for size in (planes, height, width))
    return solid_at(structure, z_nm, y_nm, x_nm)


def _plane(sample: Labels, index: int) -> Labels:
    """Planes up and down through the sample: as tall a stack as wanted without jumps."""
    turn = 2 * (len(sample) - 1)
    step = index % turn
    return sample[min(step, turn - step)]
