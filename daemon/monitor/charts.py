"""All charts of the dashboard, by the name that stands in their address, and what each of them waits for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from daemon.monitor.chart_frame import Options
from daemon.monitor.metrics_charts import (
    anisotropy_chart,
    ligament_chart,
    lineal_path_chart,
    metrics_chart,
    solid_chart,
    two_point_chart,
)
from daemon.monitor.palette import Palette
from daemon.monitor.registration_charts import quality_chart, shifts_chart
from daemon.monitor.thickness_charts import (
    drift_chart,
    histogram_chart,
    recent_drift_chart,
    recent_thickness_chart,
    thickness_chart,
)
from daemon.view import RunView


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of the run; news of one of its ``topics`` changes it."""

    draw: Callable[[RunView, Palette], Options]
    topics: tuple[str, ...]


_MILLING: Final = ("thickness", "slice", "run")
CHARTS: Final[dict[str, Chart]] = {
    "thickness": Chart(thickness_chart, _MILLING),
    "recent-thickness": Chart(recent_thickness_chart, _MILLING),
    "histogram": Chart(histogram_chart, ("thickness",)),
    "drift": Chart(drift_chart, ("drift",)),
    "recent-drift": Chart(recent_drift_chart, ("drift",)),
    "shifts": Chart(shifts_chart, ("slice",)),
    "quality": Chart(quality_chart, ("slice",)),
    "metrics": Chart(metrics_chart, ("metrics",)),
    "anisotropy": Chart(anisotropy_chart, ("metrics",)),
    "solid": Chart(solid_chart, ("metrics",)),
    "two-point": Chart(two_point_chart, ("metrics",)),
    "lineal-path": Chart(lineal_path_chart, ("metrics",)),
    "ligaments": Chart(ligament_chart, ("metrics",)),
}
