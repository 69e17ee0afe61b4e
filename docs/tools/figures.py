"""The figures of the explanations, computed, not drawn: ``python docs/tools/figures.py`` writes them."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from algorithms.drift import start_drift, step  # noqa: E402
from algorithms.electrons import EPOXY, VISIBLE_SHARE, electron_range_nm, visibility  # noqa: E402
from algorithms.structures import hierarchical_structure  # noqa: E402
from daemon.report.pictures import PHASES  # noqa: E402
from daemon.report.style import BLUE, GREEN, ORANGE, RC, RED  # noqa: E402
from daemon.tabulate.reconstruction import variants  # noqa: E402
from models.mimicking_sets import MEASURED, Scale, mimicking_set  # noqa: E402

IMAGES = ROOT / "docs" / "images"
GRID_NM = 2.5
MEAN_NM, SIGMA_NM = 10.16, 3.12
SEED = 7


def thickness() -> Figure:
    """A section along z of one mimicking data set: truth, equal slices, repositioned slices."""
    rng = np.random.default_rng(SEED)
    data = mimicking_set(hierarchical_structure(rng), Scale(1, 1, 24, 160), MEASURED, rng)
    rebuilders = variants()
    shown = {
        "truth": data.truth,
        "every slice 10 nm thick": rebuilders["DNN"](data),
        "each slice at its depth": rebuilders["RCS"](data),
    }
    fullest = int(np.argmax(data.truth.sum(axis=(0, 2))))
    figure = Figure(figsize=(9.6, 2.6))
    for panel, (title, volume) in zip(figure.subplots(1, 3, sharey=True), shown.items(), strict=True):
        section = volume[: len(data.truth), fullest]
        height, width = (side * GRID_NM for side in section.shape)
        panel.imshow(section, cmap=PHASES, vmin=0, vmax=PHASES.N - 1, extent=(0, width, height, 0))
        panel.set(title=title, xlabel="x (nm)")
        panel.grid(visible=False)
    figure.axes[0].set(ylabel="depth z (nm)", ylim=(len(data.truth) * GRID_NM, 0))
    return figure


def fusion() -> Figure:
    """How deep each voltage sees into epoxy."""
    figure = Figure(figsize=(6.4, 2.8))
    panel = figure.subplots()
    for voltage, colour in ((1.0, BLUE), (2.0, ORANGE), (4.0, GREEN)):
        reach_nm = electron_range_nm(EPOXY, voltage) / 2
        depth_nm = np.linspace(0.0, 190.0, 400)
        share = visibility((depth_nm / reach_nm).astype(np.float32))
        panel.plot(depth_nm, share, color=colour, label=f"{voltage:g} kV")
    panel.axhline(VISIBLE_SHARE, color="grey", lw=0.8, ls=":")
    panel.set(xlabel="depth below the face, in epoxy (nm)", ylabel="share of the signal from below")
    panel.set(xlim=(0, 190), ylim=(0, 1))
    panel.legend()
    return figure


def drift() -> Figure:
    """Sixty slices whose mean grows from slice 36 on, and the strongest evidence after each."""
    rng = np.random.default_rng(SEED)
    means = np.where(np.arange(60) < 35, MEAN_NM, MEAN_NM + 1.5 * SIGMA_NM)
    values = rng.gamma((means / SIGMA_NM) ** 2, SIGMA_NM**2 / means)
    state, evidence = start_drift(), list[float]()
    for value in values:
        state, (verdict, *_) = step(state, float(value), 0.05)
        evidence.append(
            verdict.evidence if verdict.kind in ("steady", "thicker", "thinner", "spread") else np.nan
        )
    slices = np.arange(1, 61)
    figure = Figure(figsize=(9.6, 3.4))
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(slices, values, "o", ms=3.5, color=BLUE)
    above.plot(slices, means, color=GREEN, lw=1.2, label="true mean")
    above.set(ylabel="thickness (nm)", ylim=(0, None))
    below.plot(slices, evidence, color=BLUE)
    below.axhline(1.0, color=RED, ls="--", lw=1, label="alarm")
    below.set(ylabel="evidence / threshold", xlabel="slice", ylim=(0, None))
    for panel in (above, below):
        panel.legend(loc="upper left")
    return figure


def main() -> None:
    """Write all figures."""
    with mpl.rc_context({**RC, "savefig.dpi": 110}):
        for name, make in {"why-thickness": thickness, "why-fusion": fusion, "drift-evidence": drift}.items():
            make().savefig(IMAGES / f"{name}.png", bbox_inches="tight")


if __name__ == "__main__":
    main()
