"""What the generators' images are worth: segmenters trained on them, on Monte Carlo images and on fast ones
of the same structures, judged on Monte Carlo images of others; how quick they are, how they keep the
structure, and what adapting a network to another microscope brings and costs.

The first run simulates electrons and trains for minutes; both are kept in the user's cache folder.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from rich.table import Table

from benchmarks.gan_rate import seconds_per_face
from benchmarks.gan_segmenters import Trial, TrialEffort, told, trial
from daemon.tabulate.adaptation import Effort as AdaptationEffort
from daemon.tabulate.adaptation import Worth, compared

SERIES = 512
"""Slices, of 512×512 px, of the published figure."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Voltages that segmenters are trained for, how, and the shipped networks that are adapted."""

    voltages_kv: tuple[float, ...]
    trial: TrialEffort = field(default_factory=TrialEffort)
    timed_faces: int = 32
    adaptation: AdaptationEffort | None = None


QUICK = Effort((1.0,), TrialEffort(side_px=96, learned=4, judged=2, steps=12, epochs=3), timed_faces=6)
FULL = Effort((1.0, 2.0, 4.0), adaptation=AdaptationEffort(("unet_4kv",)))


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """All figures; a quick run adapts nothing."""
    effort = QUICK if quick else FULL
    table = Table("figure", "generator", "Monte Carlo", "fast image", title="images to learn from")
    trials = {voltage: trial(effort.trial, voltage) for voltage in effort.voltages_kv}
    figures = _mean_figures(list(trials.values()))
    for voltage, found in trials.items():
        _add_rows(table, voltage, found)
        figures |= {f"{key}_{voltage:g}kv": value for key, value in _figures(found).items()}
    for voltage in effort.voltages_kv:
        seconds = seconds_per_face(voltage, effort.timed_faces)
        figures[f"seconds_512_slices_{voltage:g}kv"] = SERIES * seconds
        shown = f"{seconds:.3f} s a face of {effort.timed_faces}; 512 of them: {SERIES * seconds:.0f} s"
        table.add_row(f"512×512 px, {voltage:g} kV, two threads", shown, "", "")
    figures["seconds_512_slices"] = max(
        value for key, value in figures.items() if key.startswith("seconds_512")
    )
    if effort.adaptation is not None:
        figures |= _adaptation(effort.adaptation, table)
    return table, figures


def _figures(found: Trial) -> dict[str, float]:
    return {
        "mp_ratio_to_montecarlo": found.generated.mp_percent / found.monte_carlo.mp_percent,
        "mp_ratio_fast_to_montecarlo": found.fast.mp_percent / found.monte_carlo.mp_percent,
        "mp_generated_percent": found.generated.mp_percent,
        "mp_montecarlo_percent": found.monte_carlo.mp_percent,
        "mp_fast_percent": found.fast.mp_percent,
        "structure_mean_dice": found.kept.mean_dice,
        "structure_mean_dice_montecarlo": found.monte_carlo.mean_dice,
    }


def _mean_figures(trials: list[Trial]) -> dict[str, float]:
    """Over the voltages: ratios are those of the mean misplaced pixels."""
    every = [_figures(found) for found in trials]
    means = {key: float(np.mean([figures[key] for figures in every])) for key in every[0]}
    truth = means["mp_montecarlo_percent"]
    means["mp_ratio_to_montecarlo"] = means["mp_generated_percent"] / truth
    means["mp_ratio_fast_to_montecarlo"] = means["mp_fast_percent"] / truth
    return means


def _add_rows(table: Table, voltage_kv: float, found: Trial) -> None:
    images = found.generated, found.monte_carlo, found.fast
    table.add_row(f"{voltage_kv:g} kV, misplaced %", *(f"{one.mp_percent:.3f}" for one in images))
    table.add_row(f"{voltage_kv:g} kV, mean Dice", *(f"{one.mean_dice:.4f}" for one in images))
    kept = f"{found.kept.mean_dice:.4f}", f"{found.monte_carlo.mean_dice:.4f}", ""
    table.add_row(f"{voltage_kv:g} kV, structure kept in its images, mean Dice", *kept)


def _adaptation(effort: AdaptationEffort, table: Table) -> dict[str, float]:
    """Of a network at 4 kV: gain in the mean anisotropy error, and the cost in misplaced pixels."""
    from models.adapting import AdaptationSettings

    found = compared(effort, AdaptationSettings(), told)["unet_4kv"]
    shipped, adapted = found.shipped, found.adapted
    figures = {
        "anisotropy_gain_4kv": 1 - adapted.mean_error / shipped.mean_error,
        "anisotropy_gain_over_unadapted_training_4kv": 1 - adapted.mean_error / found.unadapted.mean_error,
        "mp_gain_other_4kv": 1 - adapted.other.mp_percent / shipped.other.mp_percent,
        "synthetic_cost_mp_percent_4kv": adapted.synthetic.mp_percent - shipped.synthetic.mp_percent,
    }
    table.add_section()
    for when in ("shipped", "unadapted", "adapted", "taught"):
        worth: Worth = getattr(found, when)
        errors = " / ".join(f"{error:.4f}" for error in worth.errors)
        table.add_row(f"another microscope, 4 kV, {when}: e_TPCF / e_LPF / e_D", errors, "", "")
        misplaced = f"{worth.other.mp_percent:.3f}, synthetic {worth.synthetic.mp_percent:.3f}"
        table.add_row(f"the same, misplaced % there, {when}", misplaced, "", "")
        figures |= {
            f"mean_anisotropy_error_4kv_{when}": worth.mean_error,
            f"other_mp_percent_4kv_{when}": worth.other.mp_percent,
            f"synthetic_mp_percent_4kv_{when}": worth.synthetic.mp_percent,
        }
    return figures
