"""The words of an alert: what has happened, how the run stands, and what to do; for mail and for chat."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import PurePath
from typing import Any, Final

from daemon.alerts.policy import Notice
from daemon.messages import AlarmMessage, ThicknessMessage
from daemon.view import RunView

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_IN_A_LINE: Final = 40


def subject(notice: Notice, view: RunView) -> str:
    """One line: the newest alarm by name."""
    project = PurePath(view.run.project).name if view.run else ""
    named = f"slicewatch {project}".rstrip()
    if notice.new:
        return f"{named}: {_counted(notice.new)}"
    if notice.again:
        return f"{named}: still {_counted(notice.again)}"
    if notice.ended:
        return f"{named}: the run has ended ({notice.ended})"
    return f"{named}: how the run stands"


def text(notice: Notice, view: RunView) -> str:
    """The whole of it as plain text; it holds nothing but what the daemon also publishes."""
    parts = [
        _section("New", notice.new),
        _section("Not acknowledged yet", notice.again),
        f"The run has ended: {notice.ended}." if notice.ended else "",
        standing(view),
        "Acknowledge alarms on the dashboard; until then they come again." if notice.new else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def standing(view: RunView) -> str:
    """How far the run has come and how thick its slices are."""
    run = view.run
    if run is None:
        return "Nothing has been heard of the run."
    of = f" of {run.slices_expected}" if run.slices_expected else ""
    lines = [
        f"State: {run.state}. Slices: {run.slices_done}{of}, gaps: {run.gaps}, planes: {run.planes}.",
        f"Abort: {'armed' if run.armed else 'not armed'}{f' by {run.armed_by}' if run.armed_by else ''}.",
    ]
    known = [told for _, told in sorted(view.thickness.items()) if isfinite(told.thickness_nm)]
    if known:
        lines.append(_thickness(known))
    if run.escalation.stage != "quiet":
        lines.append(f"Escalation: {run.escalation.stage}, because {run.escalation.cause}.")
    return "\n".join(lines)


def for_slack(notice: Notice, view: RunView) -> dict[str, Any]:
    """The body that Slack, Mattermost and their like take."""
    return {"text": f"*{subject(notice, view)}*\n{text(notice, view)}"}


def for_teams(notice: Notice, view: RunView) -> dict[str, Any]:
    """The body that a Teams workflow takes: an adaptive card."""
    head = {"type": "TextBlock", "text": subject(notice, view), "weight": "Bolder", "wrap": True}
    body = {"type": "TextBlock", "text": text(notice, view).replace("\n", "\n\n"), "wrap": True}
    card = {"type": "AdaptiveCard", "version": "1.4", "body": [head, body]}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _counted(alarms: Sequence[AlarmMessage]) -> str:
    more = f" and {len(alarms) - 1} more" if len(alarms) > 1 else ""
    return f"{alarms[-1].kind}{more}"


def _section(title: str, alarms: Sequence[AlarmMessage]) -> str:
    if not alarms:
        return ""
    lines = [f"{title}:"]
    for alarm in alarms:
        where = f", slice {alarm.slice_index}" if alarm.slice_index else ""
        lines.append(f"- #{alarm.id} {alarm.kind}{where}: {alarm.message}")
        if alarm.remedy:
            lines.append(f"  Do: {alarm.remedy}")
    return "\n".join(lines)


def _thickness(known: list[ThicknessMessage]) -> str:
    """The newest value, and the last forty as blocks: a chart where no picture can go."""
    last = known[-1]
    error = f" ± {last.thickness_sigma_nm:.2f}" if isfinite(last.thickness_sigma_nm) else ""
    values = [told.thickness_nm for told in known[-_IN_A_LINE:]]
    low, high = min(values), max(values)
    steps = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    line = "".join(_BLOCKS[round((value - low) * steps)] for value in values)
    return (
        f"Thickness: {last.thickness_nm:.2f}{error} nm (slice {last.index}, from {last.source}); "
        f"{low:.1f} to {high:.1f} nm: {line}"
    )
