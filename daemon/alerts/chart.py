"""The picture of an alert: thickness by slice with its error, target and limits, and the alarms of drift."""

from __future__ import annotations

import io
from math import isfinite

from daemon.messages import RunMessage
from daemon.view import RunView


def thickness_png(view: RunView) -> bytes:
    """A PNG, some 20 kB; empty while no thickness is known.

    Matplotlib is imported here: a daemon that alerts nobody needs none of it.
    """
    known = [told for _, told in sorted(view.thickness.items()) if isfinite(told.thickness_nm)]
    if not known or view.run is None:
        return b""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    panel = figure.subplots()
    errors = [told.thickness_sigma_nm if isfinite(told.thickness_sigma_nm) else 0.0 for told in known]
    at, values = [told.index for told in known], [told.thickness_nm for told in known]
    panel.errorbar(at, values, yerr=errors, fmt="o-", ms=3, lw=0.8, color="#2b6cb0", label="measured ± σ")
    for value, colour, label in _lines(view.run):
        panel.axhline(value, color=colour, lw=1, ls="--", label=label)
    for alarm in view.alarms.values():
        if alarm.kind.startswith("drift"):
            panel.axvline(alarm.slice_index, color="#c53030", lw=1.2)
    panel.set(xlabel="slice", ylabel="slice thickness (nm)", ylim=(0.0, None))
    panel.legend(loc="upper center", bbox_to_anchor=(0.5, 1.18), ncols=4, frameon=False, fontsize="small")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


def _lines(run: RunMessage) -> list[tuple[float, str, str | None]]:
    """Target and limits, as far as they are known; one entry in the legend for both limits."""
    low, high = run.limits_nm
    lines = [
        (run.target_thickness_nm, "#2f855a", f"target {run.target_thickness_nm:g} nm"),
        (low, "#c53030", f"limits {low:g} and {high:g} nm"),
        (high, "#c53030", None),
    ]
    return [line for line in lines if isfinite(line[0])]
