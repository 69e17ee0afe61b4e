"""Rulers over long runs: marks hand over to each other, and what happens where none is left."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from algorithms.drift import start_drift, step
from algorithms.ruler import DepthReading, RulerState, advance, read_depth, start_ruler
from algorithms.ruler_marks import RulerMark
from algorithms.ruler_rejoin import rejoin
from algorithms.thickness import ThicknessState, join_ruler, measure_thickness, start_thickness
from benchmarks.ruler_scene import RulerScene, bar_signal, render
from daemon.emulator.ruler_lanes import Lane, lane_marks

PIXEL_NM, WIDTH, ROWS, MARK_NM, ANGLE_DEG = 3.26, 320, 40, 60.0, 30.0
PX_PER_NM = np.tan(np.radians(ANGLE_DEG)) / PIXEL_NM
PARALLEL_PX, DOSE = 30.4, 300.0
LANE = Lane(70.3, 1, 200.0, 200.0 / PX_PER_NM)


@dataclass
class Told:
    """One slice: what was said of it and what is true."""

    source: str
    thickness_nm: float
    thickness_sigma_nm: float
    depth_error_nm: float
    depth_sigma_nm: float
    mean_of_slices: int
    true_nm: float
    readable: bool


def configured(deepest_nm: float, rng: np.random.Generator) -> tuple[RulerMark, ...]:
    """The ruler as a user gives it: the marks of the first face to a px, later ones 4 px off (σ)."""
    size = (4.0, float(ROWS))
    marks = [RulerMark("parallel", round(PARALLEL_PX), *size, 0, ANGLE_DEG, MARK_NM)]
    for mark in lane_marks(LANE, 0.0, deepest_nm):
        x = mark.x_px + (rng.normal(0.0, 4.0) if mark.begins_nm > 0.0 else 0.0)
        depths = (mark.begins_nm, mark.ends_nm)
        marks.append(RulerMark("inclined", round(x), *size, mark.direction, ANGLE_DEG, MARK_NM, *depths))
    return tuple(marks)


def face(
    depth_nm: float, deepest_nm: float, shift_px: float, rng: np.random.Generator, *, blank: bool = False
) -> NDArray[np.uint8]:
    """The image (rows, width) of a face; a blank one shows no mark."""
    columns, signal = np.arange(WIDTH, dtype=np.float64), np.full(WIDTH, 0.28)
    there = [mark for mark in lane_marks(LANE, 0.0, deepest_nm) if mark.is_there(depth_nm)]
    centres = [PARALLEL_PX, *(mark.x_px + PX_PER_NM * (depth_nm - mark.begins_nm) for mark in there)]
    for centre in () if blank else centres:
        signal += 0.3 * bar_signal(columns, centre - shift_px, MARK_NM / PIXEL_NM, 1.3)
    counts = rng.poisson(np.tile(signal, (ROWS + 8, 1)) * DOSE) / DOSE
    return np.clip(np.rint(200.0 * counts), 0, 255).astype(np.uint8)


def remembered(
    ruler: RulerState, thickness: ThicknessState, reading: DepthReading
) -> tuple[RulerState, ThicknessState]:
    """As the daemon's stage does it."""
    joined = rejoin(ruler, reading, thickness.depth_nm - thickness.offset_nm, thickness.depth_sigma_nm)
    if joined is None:
        return advance(ruler, reading), thickness
    return joined, join_ruler(thickness)


def follow(
    slices: int, seed: int, *, blank: range = range(0), ends_nm: float | None = None
) -> tuple[Told, ...]:
    """A run of gamma-distributed slices; the ruler's last mark begins above ``ends_nm``."""
    rng = np.random.default_rng(seed)
    depths = np.concatenate([[0.0], np.cumsum(rng.gamma(10.6, 0.96, slices))])
    deepest = float(depths[-1]) if ends_nm is None else ends_nm
    ruler = start_ruler(configured(deepest, rng), PIXEL_NM)
    thickness, told = start_thickness(10.0), []
    for number, depth in enumerate(depths):
        shift = float(rng.normal())
        image = face(float(depth), deepest, shift, rng, blank=number in blank)
        expected = thickness.depth_nm + (10.0 if number else 0.0) - thickness.offset_nm
        reading = read_depth(ruler, image, "2kV", (0.0, shift + float(rng.normal(0.0, 0.3))), expected)
        thickness, said = measure_thickness(thickness, reading)
        ruler, thickness = remembered(ruler, thickness, reading)
        true = float(depth - depths[number - 1]) if number else float("nan")
        depth_error = said.depth_nm - float(depth)
        errors = (said.thickness_sigma_nm, depth_error, said.depth_sigma_nm)
        told.append(
            Told(said.source, said.thickness_nm, *errors, said.mean_of_slices, true, reading.readable)
        )
    return tuple(told)


@pytest.mark.timeout(300)
def test_marks_hand_over_through_400_slices() -> None:
    """Six marks one after another, placed 4 px off by the user: the ruler measures every slice, as exactly
    behind a hand-over as before, and the depth is still right at the end."""
    told = follow(400, seed=0)[1:]
    assert {t.source for t in told} == {"ruler"}
    assert all(t.mean_of_slices == 1 for t in told)
    pulls = np.array([(t.thickness_nm - t.true_nm) / t.thickness_sigma_nm for t in told])
    assert 0.75 < np.mean(pulls**2) < 1.3
    assert np.abs(pulls).max() < 5.0
    late = np.array([t.thickness_nm - t.true_nm for t in told[-100:]])
    early = np.array([t.thickness_nm - t.true_nm for t in told[:100]])
    assert np.std(late) < 1.25 * np.std(early)
    assert all(abs(t.depth_error_nm) < 5.0 * t.depth_sigma_nm for t in told)
    assert max(abs(t.depth_error_nm) for t in told) < 2.5
    assert min(t.thickness_nm for t in told) > 0.0


@pytest.mark.timeout(120)
def test_new_marks_take_over_where_the_hand_over_was_not_seen() -> None:
    """43 blank images hide it: depth is carried with a growing error; behind them thickness is measured as
    well as before, from a depth whose error stays in every later depth."""
    told = follow(150, seed=1, blank=range(75, 118))
    hidden, behind = told[75:118], told[119:]
    assert not any(t.readable for t in hidden)
    assert {t.source for t in hidden} == {"target"}
    assert {t.source for t in behind} == {"ruler"}
    pulls = np.array([(t.thickness_nm - t.true_nm) / t.thickness_sigma_nm for t in behind])
    assert 0.3 < np.mean(pulls**2) < 2.0
    assert all(t.depth_sigma_nm > hidden[-1].depth_sigma_nm for t in behind)
    assert all(abs(t.depth_error_nm) < 3.0 * t.depth_sigma_nm for t in behind)


@pytest.mark.timeout(120)
def test_without_a_next_mark_the_fall_back_is_told() -> None:
    """Behind the last mark's end the source is named, its error is milling's scatter and grows with depth, no
    thickness is negative or jumps, and the verdict is an unreadable ruler, not drift."""
    told = follow(130, seed=2, ends_nm=700.0)
    behind = told[115:]
    assert told[90].source == "ruler"
    assert {t.source for t in behind} == {"target"}
    assert all(t.thickness_sigma_nm > 2.0 for t in behind)
    assert all(b.depth_sigma_nm > a.depth_sigma_nm for a, b in pairwise(behind))
    assert all(abs(t.depth_error_nm) < 3.5 * t.depth_sigma_nm for t in behind)
    thicknesses = np.array([t.thickness_nm for t in told[1:]])
    assert thicknesses.min() > 0.0
    assert thicknesses.max() < 25.0
    state, verdicts = start_drift(), ()
    for t in told[1:]:
        measured = t.thickness_nm if t.source == "ruler" else float("nan")
        state, verdicts = step(state, measured, t.thickness_sigma_nm, t.mean_of_slices)
    assert [verdict.kind for verdict in verdicts if verdict.alarm] == ["unreadable"]


@pytest.mark.timeout(120)
def test_marks_that_cross_are_not_mistaken_for_each_other() -> None:
    """Two inclined marks meet and part again. In between nothing is read; behind, each is itself: taken for
    each other they would put the face back by as much as is milled."""
    places = ((60.4, 0), (200.7, 1), (420.2, -1), (640.9, 0))
    scene = RulerScene(width=700, rows=40, curtain=0.01, places=places)
    rng = np.random.default_rng(0)
    ruler, thickness, sources = start_ruler(scene.marks(), scene.pixel_size_nm), start_thickness(10.0), []
    for depth in np.arange(0.0, 620.0, 10.0):
        expected = thickness.depth_nm + (10.0 if depth else 0.0)
        reading = read_depth(ruler, render(scene, depth, rng), "2kV", (0.0, 0.0), expected)
        thickness, said = measure_thickness(thickness, reading)
        ruler = advance(ruler, reading)
        sources.append(said.source)
        assert abs(said.depth_nm - depth) < 5.0 * said.depth_sigma_nm + 1e-9
    assert "target" in sources
    assert sources[-10:] == ["ruler"] * 10


def test_a_face_that_comes_back_is_not_believed() -> None:
    """Marks that all say 40 nm less than on the face before are no reading: milling takes away."""
    scene, rng = RulerScene(rows=40), np.random.default_rng(3)
    ruler = start_ruler(scene.marks(), scene.pixel_size_nm)
    for depth in (0.0, 10.0, 20.0, 30.0, 40.0):
        ruler = advance(ruler, read_depth(ruler, render(scene, depth, rng), "2kV"))
    reading = read_depth(ruler, render(scene, 5.0, rng), "2kV", (0.0, 0.0), expected_nm=20.0)
    assert not reading.readable
    assert "not believed" in reading.notes[-1]
