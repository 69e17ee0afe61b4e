"""How the figures of a report look: colours that colour-blind eyes tell apart (Okabe & Ito 2008)."""

from __future__ import annotations

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from daemon.items import ThicknessSource

BLUE: Final = "#0072B2"
SKY: Final = "#56B4E9"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
RED: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
GREY: Final = "#6b7280"
SERIES: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
WIDTH_IN: Final = 9.6

# Colour, marker and words for each source: what was not measured must not look like a measurement.
SOURCES: Final = {
    ThicknessSource.RULER: (BLUE, "o", "measured by the ruler"),
    ThicknessSource.ASV: (PURPLE, "s", "the microscope's own estimate"),
    ThicknessSource.SIMILARITY: (ORANGE, "^", "estimated from similarity"),
    ThicknessSource.TARGET: (RED, "x", "ASSUMED (target)"),
}

RC: Final[Any] = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 150,
    "svg.hashsalt": "slicewatch",  # names inside a drawing are then the same whenever it is drawn
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.4,
}


def legend_above(panel: Axes, columns: int = 4) -> None:
    """A legend outside of the data, above the right end of the axes."""
    panel.legend(ncols=columns, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)


def along_slices(panel: Axes, rows: list[dict[str, str]]) -> None:
    """The same slices along x in every chart, with whole numbers."""
    first, last = int(rows[0]["slice"]), int(rows[-1]["slice"])
    panel.set(xlabel="slice", xlim=(first - 0.6, last + 0.6))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def mark_gaps(panel: Axes, gaps: list[int]) -> None:
    """A band at every slice index that has no slice."""
    for order, index in enumerate(gaps):
        panel.axvspan(
            index - 0.5, index + 0.5, color=RED, alpha=0.18, lw=0, label="gap" if not order else None
        )
