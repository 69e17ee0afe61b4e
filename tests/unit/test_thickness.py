"""Thickness from depths, and what happens when the ruler is silent."""

import numpy as np
import pytest

from algorithms.ruler import DepthReading
from algorithms.thickness import Estimate, ThicknessState, measure_thickness, start_thickness


def reading(depth_nm: float, sigma_nm: float = 0.2, *, readable: bool = True) -> DepthReading:
    total = 0.0 if depth_nm == 0.0 else float(np.hypot(sigma_nm, 0.2))
    step = float(np.hypot(sigma_nm, 0.2))
    return DepthReading(
        depth_nm, sigma_nm, total, step, 0.0, 0.01, 0.0, 0, (), (), (), np.empty(0), False, 0.0, readable, ()
    )


SILENT = reading(float("nan"), readable=False)


def after(state: ThicknessState, depths: list[float], asv_bias: float | None = None) -> ThicknessState:
    rng = np.random.default_rng(0)
    previous = state.depth_nm
    for depth in depths:
        others = ()
        if asv_bias is not None:
            others = (Estimate("asv", depth - previous + asv_bias + rng.normal(0.0, 0.4)),)
        state, _ = measure_thickness(state, reading(depth), others)
        previous = depth
    return state


def test_thickness_is_the_difference_of_depths_with_both_errors() -> None:
    """The common zero cancels: the error of a thickness has the noise of its two faces only."""
    state = after(start_thickness(10.0), [0.0, 9.0])
    _, record = measure_thickness(state, reading(21.5, 0.3))
    assert record.thickness_nm == pytest.approx(12.5)
    assert record.thickness_sigma_nm == pytest.approx(np.hypot(0.3, 0.2))
    assert (record.source, record.depth_nm) == ("ruler", 21.5)


def test_the_first_face_has_depth_zero_and_no_thickness() -> None:
    """Nothing was milled before the first face: its thickness is NaN, not 0."""
    _, record = measure_thickness(start_thickness(10.0), reading(0.0))
    assert (record.depth_nm, record.depth_sigma_nm) == (0.0, 0.0)
    assert np.isnan(record.thickness_nm)


def test_without_any_source_the_target_is_assumed_and_said_to_be() -> None:
    """No ruler at all: depth grows by the target, its error like a random walk, the source is named."""
    state, _ = measure_thickness(start_thickness(10.0), None)
    for count in (1, 2, 3, 4):
        state, record = measure_thickness(state, None)
        assert record.depth_nm == pytest.approx(10.0 * count)
        assert record.depth_sigma_nm == pytest.approx(record.thickness_sigma_nm * count**0.5)
    assert record.source == "target"
    assert "assumed" in record.notes[0]


def test_a_source_that_agreed_with_the_ruler_is_trusted_when_it_is_silent() -> None:
    """A biased but steady source is learned: used with its bias taken off, and with its scatter as error."""
    depths = list(np.cumsum([0.0, *np.random.default_rng(1).gamma(10.0, 1.0, 40)]))
    state = after(start_thickness(10.0), depths, asv_bias=-2.0)
    _, record = measure_thickness(state, SILENT, (Estimate("asv", 6.0),))
    assert record.source == "asv"
    assert record.thickness_nm == pytest.approx(8.0, abs=0.5)
    assert record.thickness_sigma_nm < 2.5


def test_a_source_that_lied_is_not_trusted() -> None:
    """The acquisition software that reports 1 nm for random slices loses against the target."""
    rng = np.random.default_rng(2)
    state, _ = measure_thickness(start_thickness(10.0), reading(0.0))
    depth = 0.0
    for _ in range(60):
        depth += 10.0 + rng.normal(0.0, 1.0)
        state, _ = measure_thickness(state, reading(depth), (Estimate("asv", rng.choice([1.0, 20.0])),))
    _, record = measure_thickness(state, SILENT, (Estimate("asv", 1.0),))
    assert record.source == "target"


def test_depth_is_absolute_again_after_silent_slices() -> None:
    """Errors made while the ruler was silent do not survive its return."""
    state = after(start_thickness(10.0), [0.0, 10.0])
    for _ in range(3):
        state, _ = measure_thickness(state, SILENT)
    state, back = measure_thickness(state, reading(60.0))
    assert back.depth_nm == pytest.approx(60.0)
    assert back.depth_sigma_nm < 0.3
    assert (back.thickness_nm, back.mean_of_slices) == (pytest.approx(12.5), 4), "50 nm in four slices"
    assert back.thickness_sigma_nm == pytest.approx(np.hypot(0.2, 0.2) / 4)
    _, following = measure_thickness(state, reading(71.0))
    assert following.thickness_nm == pytest.approx(11.0)
    assert following.thickness_sigma_nm == pytest.approx(np.hypot(0.2, 0.2))


def test_a_ruler_first_read_later_counts_from_where_it_was_read() -> None:
    """Unreadable on the first two slices: the ruler's zero lies at the carried depth, with its error."""
    state, _ = measure_thickness(start_thickness(10.0), SILENT)
    state, _ = measure_thickness(state, SILENT)
    state, joined = measure_thickness(state, reading(0.0))
    assert joined.depth_nm == pytest.approx(20.0)
    _, record = measure_thickness(state, reading(12.0))
    assert record.thickness_nm == pytest.approx(12.0)
    assert record.depth_nm == pytest.approx(32.0)
    assert record.depth_sigma_nm > 3.0


def test_lost_slices_share_the_difference_of_depths() -> None:
    """Two mills between two images: the thickness is their mean, and its error half as large."""
    state = after(start_thickness(10.0), [0.0, 10.0])
    _, record = measure_thickness(state, reading(34.0), (), slices_apart=2)
    assert (record.thickness_nm, record.mean_of_slices) == (pytest.approx(12.0), 2)
    assert record.thickness_sigma_nm == pytest.approx(np.hypot(0.2, 0.2) / 2)


def test_other_sources_are_not_judged_by_a_mean_of_several_slices() -> None:
    """The software tells of one slice: after lost ones its value is not compared with their mean."""
    state = after(start_thickness(10.0), [0.0, 10.0], asv_bias=0.0)
    before = state.records
    state, _ = measure_thickness(state, reading(40.0), (Estimate("asv", 9.0),), slices_apart=3)
    assert state.records == before


def test_the_fall_back_is_never_negative() -> None:
    """Software that says 2 nm and was 7 nm too high before would mill upwards: the target stands in."""
    depths = list(np.cumsum([0.0, *[10.0] * 40]))
    state = after(start_thickness(10.0), depths, asv_bias=7.0)
    state, record = measure_thickness(state, SILENT, (Estimate("asv", 2.0),))
    assert record.source == "target"
    assert record.thickness_nm == pytest.approx(10.0, abs=0.2)


def test_a_target_of_nothing_is_refused() -> None:
    """The error names the key and what to write."""
    with pytest.raises(ValueError, match="target_thickness_nm"):
        start_thickness(0.0)
