"""Verdicts on pictures: each names its own trouble, tells it once, and stays silent in a run in control."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from algorithms.image_health import image_health
from algorithms.steadiness import Steadiness, Tolerance, limit_sigmas, step
from algorithms.structures import levelled_wave_field
from benchmarks.steadiness import disagreements, run_length
from daemon.config import Configuration, parse
from daemon.items import ChannelShift, Frame, FrameMetadata, RegisteredSlice
from daemon.stages.inspecting import begin_inspecting, inspect

TOLERANCE = Tolerance(down=0.22, up=np.inf, scatter=0.07)
WARMUP = 20
SIGMAS = limit_sigmas(60_000.0)
METADATA = FrameMetadata("electron", 2.0, "TLD", 3.26, None, 52.0, False, None)

Change = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def configuration() -> Configuration:
    """One channel, everything else default."""
    table = {
        "run": {"folder": "a", "output": "b"},
        "channels": [{"name": "2kV", "voltage_kv": 2.0}],
        "drift": {"warmup_slices": WARMUP},
    }
    return parse(table, where=Path("c"))


@pytest.fixture(scope="module")
def faces() -> list[np.ndarray]:
    """Faces of a random structure, bright on dark, without noise: (slice) of (96, 96) in 0…1."""
    field = levelled_wave_field(96, 3.0, 60.0, np.random.default_rng(3)).values
    return [1.0 / (1.0 + np.exp(-6.0 * (field[n] - 0.4))) for n in range(40)]


def alarms_of(faces: list[np.ndarray], change: Change, first: int = 26) -> list[tuple[str, int]]:
    """Kind and slice of every alarm when ``change`` happens to the grey values from slice ``first`` on."""
    rng = np.random.default_rng(4)
    state, told = begin_inspecting(), list[tuple[str, int]]()
    settings = configuration()
    for index, face in enumerate(faces):
        grey = 60.0 + 120.0 * face
        grey = change(grey) if index >= first else grey
        image = np.clip(grey + rng.normal(0.0, 6.0, grey.shape), 0, 255).astype(np.uint8)
        frame = Frame(Path("x.tif"), index, image, METADATA, "")
        shift = ChannelShift(0.0, 0.0, 0.1, 1.0, "fiducial")
        state, alarms = inspect(state, settings, RegisteredSlice(index, {"2kV": frame}, {"2kV": shift}))
        assert all(alarm.remedy and np.isfinite(alarm.limit) for alarm in alarms)
        told += [(alarm.kind, alarm.slice_index) for alarm in alarms]
    return told


Grey = NDArray[np.float64]


def blurred(grey: Grey) -> Grey:
    return ndimage.gaussian_filter(grey, 2.5)


def flat(grey: Grey) -> Grey:
    return grey.mean() + 0.5 * (grey - grey.mean())


def dark(grey: Grey) -> Grey:
    return 0.6 * grey


def shining_through(grey: Grey) -> Grey:
    return np.maximum(grey, 60.0 + 0.7 * ndimage.maximum_filter(grey - 60.0, 9))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("focus lost", blurred),
        ("contrast lost", flat),
        ("brightness shifted", dark),
        ("shine-through shifted", shining_through),
    ],
)
def test_each_trouble_has_its_own_verdict(kind: str, change: Change, faces: list[np.ndarray]) -> None:
    """The verdict comes with the third slice in trouble, and once."""
    told = [(what, index) for what, index in alarms_of(faces, change) if what == kind]
    assert told == [(kind, 28)]


def test_a_steady_run_is_not_disturbed(faces: list[np.ndarray]) -> None:
    """Nothing is said while nothing happens."""
    assert alarms_of(faces, lambda grey: grey) == []


def test_focus_is_told_apart_from_brightness_and_contrast(faces: list[np.ndarray]) -> None:
    """Grey values may be scaled and moved as they like: sharpness and shine-through do not see it."""
    plain = image_health(60.0 + 120.0 * faces[0])
    changed = image_health(20.0 + 40.0 * faces[0])
    assert changed.sharpness == pytest.approx(plain.sharpness, rel=1e-4)
    assert changed.shine_through == pytest.approx(plain.shine_through, rel=1e-4)
    assert changed.contrast == pytest.approx(plain.contrast / 3.0, rel=1e-4)


def test_white_noise_is_neither_focus_nor_contrast(faces: list[np.ndarray]) -> None:
    """Pixel noise of half the structure's spread changes sharpness and contrast by less than 5 %."""
    clean = 60.0 + 120.0 * np.tile(faces[0], (4, 4))
    noisy = clean + np.random.default_rng(5).normal(0.0, 0.5 * clean.std(), clean.shape)
    assert image_health(noisy).sharpness == pytest.approx(image_health(clean).sharpness, rel=0.05)
    assert image_health(noisy).contrast == pytest.approx(image_health(clean).contrast, rel=0.05)


def test_an_empty_picture_says_nothing() -> None:
    """A uniform image has no focus: its numbers are NaN and judge nothing."""
    health = image_health(np.full((40, 40), 7, np.uint8))
    assert np.isnan([health.sharpness, health.contrast, health.shine_through]).all()
    assert step(Steadiness(count=30), TOLERANCE, health.sharpness, WARMUP, SIGMAS)[0] == Steadiness(count=30)


def false_alarms(series: np.ndarray, tolerance: Tolerance, sigmas: float = SIGMAS) -> int:
    """Alarms in one series that is in control throughout."""
    state, count = Steadiness(), 0
    for value in series:
        state, standing = step(state, tolerance, float(value), WARMUP, sigmas)
        count += standing.begins
    return count


@pytest.mark.parametrize("wander", [0.0, 0.5, 0.8])
def test_false_alarms_are_as_rare_as_asked_for(wander: float) -> None:
    """However much of the number wanders, 400 slices asked for are kept in 120 runs of 1000."""
    length = run_length(400.0, wander, runs=120, longest=1000, warmup=WARMUP, seed=6)
    assert length.interval[1] >= length.mean >= 400.0


def test_a_longer_promise_asks_for_more_evidence() -> None:
    """The limit grows with the run length, and never falls below what a person would call unusual."""
    limits = [limit_sigmas(length) for length in (10.0, 5e3, 6e4, 1e6)]
    assert limits == sorted(limits)
    assert 2.5 <= limits[0] < limits[-1] < 5.0


def test_the_benchmark_measures_what_the_daemon_does() -> None:
    """Its arithmetic for many runs at once and the daemon's step agree on every first alarm."""
    assert disagreements(runs=30, slices=200) == 0


def test_two_odd_slices_are_no_alarm_and_three_are() -> None:
    """One charging image or two are not the state of the instrument."""
    series = np.zeros(60)
    series[30:32] = -0.6
    assert false_alarms(series, TOLERANCE) == 0
    series[32] = -0.6
    assert false_alarms(series, TOLERANCE) == 1


def test_changed_tilt_correction_is_told_once(faces: list[np.ndarray]) -> None:
    """The first slice whose rows had to be resampled raises an alarm, the next ones do not."""
    state, told = begin_inspecting(), list[int]()
    frame = Frame(Path("x.tif"), 0, (255 * faces[0]).astype(np.uint8), METADATA, "")
    shift = ChannelShift(0.0, 0.0, 0.1, 1.0, "fiducial")
    for index in range(5):
        notes = ("tilt correction is on",) if index in (2, 3) else ()
        slice_ = RegisteredSlice(index, {"2kV": replace(frame, notes=notes)}, {"2kV": shift})
        state, alarms = inspect(state, configuration(), slice_)
        told += [alarm.slice_index for alarm in alarms]
    assert told == [2]


@pytest.mark.filterwarnings("error")
def test_a_region_narrower_than_the_lags_has_no_sharpness() -> None:
    """A sliver of an image says what it can, its brightness, and nothing of its structure; no warning."""
    health = image_health(np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8))
    assert health.brightness == 3.5
    assert np.isnan(health.sharpness)
