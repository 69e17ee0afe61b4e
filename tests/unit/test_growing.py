"""A slice that is not shown where it lies is told, with how far and what to do."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from algorithms.resampling import NativePixels
from algorithms.slice_filling import INTERPOLATIONS
from daemon.config import VolumeSection
from daemon.items import Alarm, PlaneKind
from daemon.placement_figures import placement_figures
from daemon.stages.growing import close_growth, grow, judge_place, measure_planes, start_growth
from daemon.stages.quantifying import add_to_material, material_row, start_material
from daemon.volume_store import open_volume

EVERY_10_NM = [0.0, 9.0, 21.0, 33.0, 41.0, 52.0, 60.0, 73.0]
THIN_IN_A_ROW = [0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0]


def placed(depths_nm: list[float], grid_nm: float) -> tuple[list[float], list[Alarm]]:
    """Displacements and alarms of slices at these depths whose target is 10 nm."""
    face = np.zeros((2, 8, 8), np.float32)
    section = VolumeSection(grid_nm=grid_nm, metric_patch_px=0)
    state = start_growth((8, 8), NativePixels(2.5, 2.5), section, 10.0)
    apart, raised = list[float](), list[Alarm]()
    for index, depth_nm in enumerate(depths_nm):
        state, one, _ = grow(state, INTERPOLATIONS["nearest"], index, depth_nm, face)
        apart.append(one.displacement_nm)
        raised += judge_place(state, one)
    return apart, raised


@pytest.mark.parametrize("depths_nm", [EVERY_10_NM, THIN_IN_A_ROW], ids=["usual", "thin"])
def test_on_a_fine_grid_slices_stand_at_their_depth(depths_nm: list[float]) -> None:
    """Within half a voxel, and nothing is said."""
    apart, raised = placed(depths_nm, 2.5)
    assert np.abs(apart).max() <= 1.25
    assert raised == []


def test_a_queue_on_a_coarse_grid_is_told_at_1_2_4_slices() -> None:
    """Slices of 4 nm on a 10 nm grid: each is pushed 6 nm further than the last one, and the alarms carry the
    measurement, the limit and the remedy."""
    apart, raised = placed(THIN_IN_A_ROW, 10.0)
    np.testing.assert_allclose(apart, 6.0 * np.arange(8))
    assert [alarm.slice_index for alarm in raised] == [1, 2, 4]
    assert [alarm.measurement for alarm in raised] == pytest.approx([6.0, 12.0, 24.0])
    assert {alarm.limit for alarm in raised} == {5.0}
    assert "volume.grid_nm of at most half" in raised[0].remedy


@pytest.mark.parametrize("kind", [float, str], ids=["values", "text"])
def test_places_of_a_run_in_numbers(kind: type) -> None:
    """From rows of the table, as values or as its text; gaps and provisional slices have no place."""
    apart: NDArray[np.float64] = np.asarray([0.5, -1.5, 7.0])
    rows = [{"displacement_nm": kind(value)} for value in apart] + [{"displacement_nm": ""}, {}]
    figures = placement_figures(rows, 5.0)
    assert figures["displacement_mean_nm"] == pytest.approx(3.0)
    assert figures["displacement_largest_nm"] == 7.0
    assert figures["slices_displaced"] == 1
    assert np.isnan(placement_figures([], 5.0)["displacement_mean_nm"])


@pytest.mark.slow
def test_a_wide_gap_goes_through_store_and_metrics_without_filling_memory(tmp_path: Path) -> None:
    """Two slices 200 planes apart: every plane is stored and measured, with memory for less than half a byte
    a voxel between them."""
    filling = INTERPOLATIONS["nearest"]
    side, gap, section = 192, 200, VolumeSection(grid_nm=2.5, metric_patch_px=0, metric_lags=4)
    rng = np.random.default_rng(2)
    state = start_growth((side, side), NativePixels(2.5, 2.5), section, 10.0)
    store = open_volume(tmp_path, (side, side), 2.5, 2, {})
    rows = 0
    tracemalloc.start()
    for index, depth_nm in enumerate([0.0, 10.0, 10.0 + 2.5 * gap, None]):
        if depth_nm is None:
            state, final = close_growth(state, filling)
        else:
            face = rng.random((2, side, side), dtype=np.float32)
            state, _, final = grow(state, filling, index, depth_nm, face)
        for planes in final:
            store.append(planes.first, planes.labels)
            state, metrics = measure_planes(state, planes)
            rows += len(metrics)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == store.planes == 5 + gap
    assert peak_bytes < gap * side**2 / 2


def test_phases_are_counted_where_there_are_more_than_two():
    """Shares of all planes so far; two phases need no word beside the solid fraction."""
    state = start_material(64, 64, lags=4)
    two = np.zeros((64, 64), np.uint8)
    two[:16] = 1
    state = add_to_material(state, two, PlaneKind.MEASURED)
    assert material_row(state, 0, PlaneKind.MEASURED, 5.0).phase_fractions == ""
    three = np.zeros((64, 64), np.uint8)
    three[:32] = 2
    state = add_to_material(state, three, PlaneKind.INTERPOLATED)
    row = material_row(state, 1, PlaneKind.INTERPOLATED, 5.0)
    assert [float(share) for share in row.phase_fractions.split()] == [0.625, 0.125, 0.25]
    state = add_to_material(state, two, PlaneKind.BRIDGED)
    assert material_row(state, 2, PlaneKind.BRIDGED, 5.0).phase_fractions == row.phase_fractions
