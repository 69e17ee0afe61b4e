"""Thickness from the ruler against the Cramér–Rao bound, under everything a long run does to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from algorithms.bar_profile import bar_shape
from algorithms.ruler import advance, combine_readings, read_depth, start_ruler
from benchmarks.first_verdict import first_verdict_seconds
from benchmarks.ruler_scene import RulerScene, curtains, render

MEAN_NM, SIGMA_NM = 10.16, 3.12
SHAPE = (MEAN_NM / SIGMA_NM) ** 2
VOLTAGE_DOSES = {"1kV": 0.7, "2kV": 1.0, "4kV": 1.4}
"""Channels and their dose relative to the scene's."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scenario:
    """A run: its scene, which images it has, and what happens to slice ``i`` (keywords of ``render``).

    ``lost`` marks are gone in the second half.
    """

    scene: RulerScene
    channels: tuple[str, ...] = tuple(VOLTAGE_DOSES)
    happens: Callable[[int], dict[str, Any]] = field(default=lambda _: {})
    lost: tuple[int, ...] = ()
    drift_px: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """Per slice: true and measured depth, and the claimed error of the thickness since the face before, nm.

    ``first_*``: the same of the slice's first image alone, the first verdict; NaN on the first slice.
    """

    truth: Array
    depth: Array
    step_sigma: Array
    first_depth: Array
    first_step_sigma: Array
    seconds_per_image: float

    def thickness_error(self) -> Array:
        """Measured minus true thickness (n - 1,), nm."""
        return np.diff(self.depth) - np.diff(self.truth)

    def squared_deviations(self) -> Array:
        """(error / claimed error)² of every thickness."""
        return self.thickness_error() ** 2 / self.step_sigma[1:] ** 2

    def squared_first_deviations(self) -> Array:
        """(error / claimed error)² of every first verdict: one image against all of the face before."""
        first_nm = self.first_depth[1:] - self.depth[:-1]
        return (first_nm - np.diff(self.truth)) ** 2 / self.first_step_sigma[1:] ** 2


REALISTIC = RulerScene(curtain=0.02, curtain_columns=12.0)
"""3.26 nm px, 100 nm marks at 45°, 90 rows, 50 pA and 30 µs: about 150 detected electrons a pixel at 2 kV."""

LONG = replace(
    REALISTIC, angle_deg=18.4, places=((60.4, 0), (150.7, 1), (400.2, 1), (1040.9, 0)), rows=60, dose=400.0
)
"""500 slices: the marks travel 1.7 µm and must not meet."""


JUDGED = ("rmse_nm", "ratio_to_crb", "chi2_dof", "first_image_chi2_dof")
"""Figures of the realistic scenario that stand for all."""

SLICES = 54
"""Slices of a run: the marks of the realistic scene have not met by then."""

SCENARIOS = {
    "realistic": Scenario(REALISTIC),
    "one_image": Scenario(REALISTIC, ("2kV",)),
    "drift": Scenario(REALISTIC, ("2kV",), lambda i: {"gain": 1.0 - 0.004 * i}, drift_px=0.4),
    "curtaining": Scenario(replace(REALISTIC, curtain=0.06, curtain_columns=6.0), ("2kV",)),
    "magnification": Scenario(REALISTIC, ("2kV",), lambda i: {"magnification": 2e-3 * (i >= SLICES // 2)}),
    "mark_lost": Scenario(REALISTIC, ("2kV",), lambda i: {"lost": (1,) * (i >= SLICES // 2)}, lost=(1,)),
}
"""What happens to a run; the first, a triple of images under the published conditions, is judged."""


def follow(scenario: Scenario, slices: int, seed: int) -> Outcome:
    """Measure a run of gamma-distributed slices; every image has a stage shift that is guessed to 0.3 px."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([[0.0], np.cumsum(rng.gamma(SHAPE, MEAN_NM / SHAPE, slices))])
    state = start_ruler(scenario.scene.marks(), scenario.scene.pixel_size_nm)
    rows: list[tuple[float, float, float, float]] = []
    reading_time = 0.0
    for number, depth in enumerate(truth):
        images = _images(scenario, number, float(depth), rng)
        begun = perf_counter()
        readings = tuple(read_depth(state, image, name, (0.0, guess)) for name, image, guess in images)
        together = combine_readings(state, readings)
        state = advance(state, together)
        reading_time += perf_counter() - begun
        alone = readings[0]
        rows.append((together.depth_nm, together.step_sigma_nm, alone.depth_nm, alone.step_sigma_nm))
    depth, sigma, first, first_sigma = np.array(rows).T
    seconds = reading_time / truth.size / len(scenario.channels)
    return Outcome(truth, depth, sigma, first, first_sigma, seconds)


def _images(
    scenario: Scenario, number: int, depth_nm: float, rng: np.random.Generator
) -> list[tuple[str, NDArray[np.uint8], float]]:
    stripes = curtains(scenario.scene, rng)  # they hang on the face: the same in all its images
    images: list[tuple[str, NDArray[np.uint8], float]] = []
    for name in scenario.channels:
        shift = float(rng.normal(scenario.drift_px * number, 1.0))
        scene = replace(scenario.scene, dose=scenario.scene.dose * VOLTAGE_DOSES[name])
        conditions = scenario.happens(number)
        image = render(scene, depth_nm, rng, shift_x_px=shift, stripes=stripes, **conditions)
        images.append((name, image, shift + float(rng.normal(0.0, 0.3))))
    return images


def bound_nm(scenario: Scenario) -> float:
    """The bound on the RMSE of a scenario's thickness, nm."""
    whole = thickness_bound_nm(scenario.scene, scenario.channels, ())
    less = thickness_bound_nm(scenario.scene, scenario.channels, scenario.lost)
    return float(np.sqrt((whole**2 + less**2) / 2.0))


def thickness_bound_nm(scene: RulerScene, channels: tuple[str, ...], lost: tuple[int, ...]) -> float:
    """Cramér–Rao bound (nm) of one thickness without the marks ``lost``.

    Profile, noise and zeros are known; shifts, and amplitudes, backgrounds, blurs and widths of all marks,
    are not; curtains are common to the images of a face.
    """
    information = np.zeros((1 + len(channels), 1 + len(channels)))
    for x_px, direction in (place for mark, place in enumerate(scene.places) if mark not in lost):
        centre = _centre_information(scene, channels, x_px)
        slope = direction * np.tan(np.radians(scene.angle_deg)) / scene.pixel_size_nm
        moves = np.hstack([np.full((len(channels), 1), slope), -np.eye(len(channels))])
        information += moves.T @ centre @ moves
    return float(np.sqrt(2.0 * np.linalg.inv(information)[0, 0]))


def _centre_information(scene: RulerScene, channels: tuple[str, ...], x_px: float) -> Array:
    """Fisher information (k, k) of one mark's centres in k images, all else about it unknown."""
    width = scene.mark_width_nm / scene.pixel_size_nm
    half = int(1.5 * width)
    x = np.arange(-half, half + 1, dtype=np.float64)
    shape, slopes = bar_shape(x, 0.0, width, scene.blur_px)
    signal = scene.background * (1.0 + 0.1 * x_px / scene.width) + scene.contrast * shape
    one = np.vstack([scene.contrast * slopes, shape[None], np.ones((1, x.size)), x[None]])
    count, size = len(channels), x.size
    noise = np.kron(np.ones((count, count)), scene.curtain_covariance(signal))
    for k, name in enumerate(channels):
        block = slice(k * size, (k + 1) * size)
        noise[block, block] += np.diag(scene.shot_variance(signal) / VOLTAGE_DOSES[name])
    design = np.kron(np.eye(count), one)
    full = np.linalg.inv(design @ np.linalg.solve(noise, design.T))
    centres = np.arange(count) * one.shape[0]
    return np.asarray(np.linalg.inv(full[np.ix_(centres, centres)]), dtype=np.float64)


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """RMSE (nm), ratio to the bound and χ²/dof of every scenario, and the depth error after 500 slices."""
    runs = 2 if quick else 8
    title = f"thickness, {runs} × {SLICES} slices a condition"
    table = Table("condition", "RMSE nm", "bound nm", "ratio", "χ²/dof", "first", "ms an image", title=title)
    figures: dict[str, float] = {}
    for name, scenario in SCENARIOS.items():
        outcomes = [follow(scenario, SLICES, seed) for seed in range(runs)]
        rmse = float(np.sqrt(np.mean([outcome.thickness_error() ** 2 for outcome in outcomes])))
        chi2 = float(np.mean([outcome.squared_deviations() for outcome in outcomes]))
        first = float(np.mean([outcome.squared_first_deviations() for outcome in outcomes]))
        seconds = float(np.mean([outcome.seconds_per_image for outcome in outcomes]))
        bound = bound_nm(scenario)
        figures |= {f"rmse_nm_{name}": rmse, f"ratio_to_crb_{name}": rmse / bound, f"chi2_dof_{name}": chi2}
        figures[f"first_image_chi2_dof_{name}"] = first
        figures["seconds_per_image"] = seconds
        cells = (
            f"{rmse:.3f}",
            f"{bound:.3f}",
            f"{rmse / bound:.2f}",
            f"{chi2:.2f}",
            f"{first:.2f}",
            f"{1e3 * seconds:.0f}",
        )
        table.add_row(name, *cells)
    figures |= {key: figures[f"{key}_realistic"] for key in JUDGED}
    figures["cumulative_depth_error_nm"] = cumulative_error_nm(500)
    table.add_row("depth after 500 slices", f"{figures['cumulative_depth_error_nm']:.3f}", "", "", "", "", "")
    figures["first_verdict_seconds"] = seconds = first_verdict_seconds()
    table.add_row("first verdict, file of 3072×2048 px", "", "", "", "", "", f"{1e3 * seconds:.0f}")
    return table, figures


def cumulative_error_nm(slices: int) -> float:
    """RMS error of the absolute depth over the last tenth of a long run, nm."""
    outcome = follow(Scenario(LONG, ("2kV",)), slices, seed=99)
    return float(np.sqrt(np.mean((outcome.depth - outcome.truth)[-slices // 10 :] ** 2)))
