"""Registration of a fiducial with known shifts: ours, five other packages and the Cramér–Rao bound.

Each cell is the root mean square error of both components over the same pairs of noisy pictures, shifted by
up to 3 px. A package that raises an error is given `GIVEN_UP_PX`. Where the mark is eroded, striped or
inverted, the other packages are used as a user would: on the pictures as they are.
"""

from dataclasses import dataclass, replace
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from algorithms.fiducials import FiducialRegion, register_image, start_registration
from algorithms.registration import ShiftEstimate, estimate_shift, reference_of
from algorithms.residual_noise import noise_variance
from algorithms.translation import translate
from benchmarks.fiducial_scene import FiducialScene, bound_px, other_voltage, picture
from benchmarks.registration_peers import PEERS, Picture, Register

DOSES = (400.0, 150.0, 60.0, 25.0, 10.0)
"""Electrons per pixel: from a patient to a hasty scan."""
REALISTIC_DOSE = 60.0
GIVEN_UP_PX = 10.0
SEED = 7
FULL_FRAME = (2048, 3072)

Errors = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cell:
    """One condition at one dose: errors (trials, 2) of every method, px."""

    case: str
    dose: float
    errors: dict[str, Errors]
    chi2: float
    """Mean squared ratio of our errors to our claimed standard errors."""
    bound_px: float

    def rmse_px(self, method: str) -> float:
        return float(np.sqrt(np.mean(self.errors[method] ** 2)))

    def best_peer_px(self) -> float:
        return min(self.rmse_px(name) for name in PEERS)


def _cases(dose: float) -> dict[str, tuple[FiducialScene, FiducialScene]]:
    """Scenes of the reference and of the moving picture."""
    plain = FiducialScene(dose=dose)
    return {
        "within a voltage": (plain, plain),
        "across voltages": (plain, other_voltage(plain)),
        "half eroded": (plain, replace(plain, eroded=0.5)),
        "curtains": (replace(plain, curtain=8.0), replace(plain, curtain=8.0)),
    }


def ours(reference: Picture, moving: Picture) -> ShiftEstimate:
    noise, image_noise = noise_variance(reference), noise_variance(moving)
    prepared = reference_of(reference, noise, image_noise)
    return estimate_shift(prepared, moving, (0, 0), search_px=8, any_polarity=True)


def _error(method: Register, reference: Picture, moving: Picture, truth: tuple[float, float]) -> list[float]:
    try:
        found = method(reference, moving)
    except (cv2.error, RuntimeError):
        return [GIVEN_UP_PX, GIVEN_UP_PX]
    return [found[0] - truth[0], found[1] - truth[1]]


def _cell(case: str, scenes: tuple[FiducialScene, FiducialScene], trials: int, seed: int) -> Cell:
    rng = np.random.default_rng(seed)
    errors: dict[str, list[list[float]]] = {name: [] for name in ("ours", *PEERS)}
    ratios: list[float] = []
    for _ in range(trials):
        truth = (float(rng.uniform(-3, 3)), float(rng.uniform(-3, 3)))
        reference = picture(scenes[0], (0.0, 0.0), rng).astype(np.float32)
        moving = picture(scenes[1], truth, rng).astype(np.float32)
        for name, method in PEERS.items():
            errors[name].append(_error(method, reference, moving, truth))
        found = ours(reference, moving)
        own = np.array([found.dy_px - truth[0], found.dx_px - truth[1]])
        errors["ours"].append(own.tolist())
        ratios.append(float(own @ np.linalg.solve(found.covariance_px2, own)) / 2.0)
    arrays = {name: np.array(values) for name, values in errors.items()}
    return Cell(case, scenes[0].dose, arrays, float(np.mean(ratios)), bound_px(*scenes))


def _measured(trials: int) -> list[Cell]:
    return [
        _cell(case, scenes, trials, SEED + 100 * row + column)
        for row, dose in enumerate(DOSES)
        for column, (case, scenes) in enumerate(_cases(dose).items())
    ]


def _seconds_per_frame() -> tuple[float, float]:
    """Seconds to register and to translate one frame of 3072×2048 px with one fiducial."""
    rng = np.random.default_rng(SEED)
    frame = rng.poisson(60.0, FULL_FRAME).astype(np.uint8)
    scene = FiducialScene()
    side = scene.side_px
    state = start_registration((FiducialRegion(600, 500, side, side, 64),), ("2kV",), "2kV")
    seconds: list[float] = []
    for number in range(4):
        shift = (0.0, 0.0) if number == 0 else (float(rng.normal(0, 3)), float(rng.normal(0, 3)))
        frame[500 : 500 + side, 600 : 600 + side] = picture(scene, shift, rng)
        start = perf_counter()
        state, _ = register_image(state, "2kV", frame)
        seconds.append(perf_counter() - start)
    start = perf_counter()
    translate(frame, 0.4, -3.3)
    return min(seconds[1:]), perf_counter() - start


def _table(cells: list[Cell]) -> Table:
    table = Table(title="Registration error, px (RMS of one component)")
    for heading in ("case", "electrons/px", "bound", "ours", "χ²/dof", *PEERS):
        table.add_column(heading, justify="left" if heading == "case" else "right")
    for cell in sorted(cells, key=lambda c: c.case):
        bound = f"{cell.bound_px:.4f}"
        peers = [f"{cell.rmse_px(name):.4f}" for name in PEERS]
        own = (f"{cell.rmse_px('ours'):.4f}", f"{cell.chi2:.2f}")
        table.add_row(cell.case, f"{cell.dose:.0f}", bound, *own, *peers)
    return table


def _key(case: str) -> str:
    return case.replace(" ", "_")


def _figures(cells: list[Cell]) -> dict[str, float]:
    plain = [cell for cell in cells if cell.case == "within a voltage"]
    squared = np.mean([(cell.rmse_px("ours") / cell.bound_px) ** 2 for cell in plain])
    figures = {
        "rmse_px": next(cell.rmse_px("ours") for cell in plain if cell.dose == REALISTIC_DOSE),
        "ratio_to_crb": float(np.sqrt(squared)),
        "ratio_to_best_peer": max(cell.rmse_px("ours") / cell.best_peer_px() for cell in cells),
        "chi2_dof": float(np.mean([cell.chi2 for cell in cells])),
    }
    for cell in cells:
        figures[f"rmse_px_{_key(cell.case)}_{cell.dose:.0f}"] = cell.rmse_px("ours")
        figures[f"ratio_to_best_peer_{_key(cell.case)}_{cell.dose:.0f}"] = (
            cell.rmse_px("ours") / cell.best_peer_px()
        )
    return figures


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """The table for people and the flat figures; `quick` draws few pairs: ratios scatter by a fifth."""
    cells = _measured(4 if quick else 24)
    figures = _figures(cells)
    figures["seconds_per_frame"], figures["translate_seconds"] = _seconds_per_frame()
    return _table(cells), figures
