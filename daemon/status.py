"""``slicewatch status``: one snapshot of a running daemon, for people or for a script.

``figures`` takes the numbers from the messages; the terminal and the JSON object show the same ones.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from daemon.client import Answer, Client
from daemon.items import FinishReason, RunState, Status, ThicknessSource
from daemon.keys import read_client_key
from daemon.messages import AlarmMessage, DriftMessage, HeartbeatMessage, RunMessage, ThicknessMessage
from daemon.tables import known
from daemon.view import RunView

_CPU: Final = "CPUExecutionProvider"
_BAR: Final = 24
_CLOSE: Final = 0.7
"""Evidence above this share of its threshold is shown as a warning."""
_END_STYLES: Final = {
    FinishReason.COMPLETED: "green",
    FinishReason.STOPPED: "yellow",
    FinishReason.DRIFT_ABORT: "bold red",
    FinishReason.ERRORED: "bold red",
}

Figures = dict[str, Any]


def print_status(endpoint: str, keys: Path | None = None, *, as_json: bool) -> None:
    """Ask the daemon at its control endpoint, with the key file ``keys``, and print what it is doing.

    Raises
    ------
    UnreachableError
        No daemon answers.
    """
    with Client(control=endpoint, key=read_client_key(keys)) as client:
        answer = client.snapshot()
    told = figures(answer)
    if as_json:
        typer.echo(json.dumps(known(told)))
    else:
        Console(highlight=False).print(terminal_view(told))


def figures(answer: Answer) -> Figures:
    """What a snapshot says, flat; unknown numbers are NaN, what was never told is None."""
    view = RunView()
    view.begin(answer)
    run = view.run or RunMessage(state=RunState.STARTING)
    newest = max(view.slices, default=None)
    return {
        "run": answer.envelope.run,
        "epoch": answer.envelope.epoch,
        "state": str(run.state),
        "finish_reason": str(run.finish_reason) if run.finish_reason else None,
        "detail": run.detail,
        "project": run.project,
        "slice": newest,
        "slices_done": run.slices_done,
        "slices_expected": run.slices_expected,
        "gaps": [index for index, told in view.slices.items() if told.status is Status.GAP],
        "planes": run.planes,
        **_thickness(run, view.thickness),
        "drift": _drift(view.drift),
        "alarms": len(view.alarms),
        "alarms_unacknowledged": _unacknowledged(list(view.alarms.values())),
        "armed": run.armed,
        "armed_by": run.armed_by,
        "armed_at": run.armed_at.isoformat() if run.armed_at else None,
        "escalation": _escalation(run, view.heartbeat),
        "progress_age_s": view.heartbeat.progress_age_s if view.heartbeat else math.nan,
        "model": run.model,
        "provider": run.provider,
        "provider_wanted": run.provider_wanted,
        "registration": run.registration,
        "last_image_age_s": _image_age_s(answer, run),
        **_books(run, view.heartbeat),
    }


def terminal_view(told: Figures) -> RenderableType:
    """The figures as a person reads them, what needs attention in colour."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", justify="right")
    rows.add_column()
    for name, value in (
        ("project", told["project"] or "not known yet"),
        ("slice", _progress(told)),
        ("last image", _age(told["last_image_age_s"])),
        ("thickness", _thickness_text(told)),
        ("drift", _drift_text(told["drift"])),
        ("abort", _abort_text(told)),
        ("files", _ledger_text(told)),
        ("network", _network_text(told)),
        ("alarms", _alarms_text(told)),
    ):
        rows.add_row(name, value)
    return Panel(rows, title=_title(told), title_align="left", expand=False, padding=(0, 1))


def _escalation(run: RunMessage, heartbeat: HeartbeatMessage | None) -> Figures:
    """How far an alarm has come on its way to the microscope; the heartbeat counts the grace period down."""
    told = run.escalation
    if heartbeat is not None and heartbeat.escalation.alarm == told.alarm:
        told = heartbeat.escalation
    return {
        "stage": told.stage,
        "alarm": told.alarm,
        "cause": told.cause,
        "grace_left_s": told.grace_left_s if math.isfinite(told.grace_left_s) else None,
    }


def _thickness(run: RunMessage, told: dict[int, ThicknessMessage]) -> Figures:
    """The newest thickness that is known, else nothing but where thickness comes from."""
    newest = max((index for index, t in told.items() if math.isfinite(t.thickness_nm)), default=None)
    last = told[newest] if newest is not None else None
    return {
        "depth_nm": last.depth_nm if last else math.nan,
        "thickness_slice": newest,
        "thickness_nm": last.thickness_nm if last else math.nan,
        "thickness_sigma_nm": last.thickness_sigma_nm if last else math.nan,
        "thickness_source": str(last.source if last else run.thickness_source),
        "target_thickness_nm": run.target_thickness_nm,
    }


def _drift(told: dict[int, DriftMessage]) -> Figures | None:
    if not told:
        return None
    last = told[max(told)]
    return {
        "slice": last.index,
        "verdict": last.verdict,
        "alarm": last.alarm,
        "statistics": dict(last.statistics),
        "threshold": last.threshold,
        "mean_nm": last.mean_nm,
        "sigma_nm": last.sigma_nm,
    }


def _unacknowledged(alarms: Sequence[AlarmMessage]) -> list[Figures]:
    return [
        {"id": a.id, "kind": a.kind, "slice": a.slice_index, "message": a.message, "remedy": a.remedy}
        for a in alarms
        if not a.acknowledged_by
    ]


def _books(run: RunMessage, heartbeat: HeartbeatMessage | None) -> Figures:
    """The newest ledger: a heartbeat's is younger than the run's."""
    newest = heartbeat or run
    return {
        "ledger": dict(newest.ledger),
        "ledger_balanced": newest.ledger_balanced,
        "rss_mib": heartbeat.rss_mib if heartbeat else math.nan,
        "uptime_s": heartbeat.uptime_s if heartbeat else math.nan,
    }


def _image_age_s(answer: Answer, run: RunMessage) -> float:
    """All three times are the daemon's own, so no other clock matters."""
    now = answer.envelope.time
    ages = [(now - run.last_image_at).total_seconds()] if run.last_image_at else []
    ages += [
        event.message.last_image_age_s + (now - event.envelope.time).total_seconds()
        for event in answer.events
        if isinstance(event.message, HeartbeatMessage)
    ]
    return min((age for age in ages if math.isfinite(age)), default=math.nan)


def _title(told: Figures) -> Text:
    reason = told["finish_reason"]
    style = _END_STYLES[FinishReason(reason)] if reason else "green"
    text = Text.assemble("slicewatch: ", (f"finished, {reason}" if reason else told["state"], style))
    return text.append(f" ({told['detail']})") if told["detail"] else text


def _progress(told: Figures) -> Text:
    of = f" of {told['slices_expected']}" if told["slices_expected"] else ""
    text = Text(f"{told['slices_done']}{of} done, {told['planes']} planes of the volume final")
    gaps: list[int] = told["gaps"]
    if gaps:
        listed = ", ".join(map(str, gaps[:8])) + (", …" if len(gaps) > 8 else "")
        text.append(f"; {len(gaps)} GAP{'S' * (len(gaps) > 1)}: {listed}", "yellow")
    return text


def _age(seconds: float) -> Text:
    if not math.isfinite(seconds):
        return Text("none yet", "yellow")
    return Text(f"{timedelta(seconds=round(max(seconds, 0.0)))} ago (h:mm:ss)")


def _thickness_text(told: Figures) -> Text:
    source = ThicknessSource(told["thickness_source"])
    if not math.isfinite(told["thickness_nm"]):
        return Text("not known yet: nothing has been milled", "dim")
    if source is ThicknessSource.TARGET:
        return Text(f"ASSUMED {told['thickness_nm']:.2f} nm: nothing measures it", "bold yellow")
    sigma = told["thickness_sigma_nm"]
    error = f" ± {sigma:.2f}" if math.isfinite(sigma) else ""
    text = Text(f"{told['thickness_nm']:.2f}{error} nm (slice {told['thickness_slice']}, from {source})")
    return text.append(f", depth {told['depth_nm']:.0f} nm")


def _drift_text(drift: Figures | None) -> RenderableType:
    if drift is None:
        return Text("no verdict yet", "dim")
    bars = Table.grid(padding=(0, 1))
    for name, value in drift["statistics"].items():
        share = value / drift["threshold"]
        style = "bold red" if share >= 1.0 else "yellow" if share >= _CLOSE else "green"
        filled = min(_BAR, max(0, round(_BAR * share)))
        bars.add_row(name, Text("█" * filled, style) + Text("·" * (_BAR - filled), "dim"), f"{share:.0%}")
    baseline = ""
    if math.isfinite(drift["mean_nm"]):
        baseline = f", run's own {drift['mean_nm']:.2f} ± {drift['sigma_nm']:.2f} nm"
    verdict = Text(f"{drift['verdict'] or 'none'} at slice {drift['slice']}{baseline}")
    verdict.stylize("bold red" if drift["alarm"] else "")
    return Group(verdict, bars)


def _abort_text(told: Figures) -> Text:
    escalation: Figures = told["escalation"]
    by = f" by {told['armed_by']}" if told["armed_by"] else ""
    armed = Text(f"armed{by}", "bold yellow") if told["armed"] else Text("not armed: alarms only tell")
    match escalation["stage"]:
        case "grace":
            left = escalation["grace_left_s"]
            left_s = f" in {left:.0f} s" if left is not None else ""
            pending = f"; STOPS THE MICROSCOPE{left_s} unless alarm #{escalation['alarm']} is acknowledged"
            return armed.append(pending, "bold red")
        case "aborting" | "aborted" as stage:
            return armed.append(f"; {stage}: {escalation['cause']}", "bold red")
        case _:
            return armed


def _ledger_text(told: Figures) -> Text:
    books = ", ".join(f"{count} {name}" for name, count in told["ledger"].items()) or "none seen"
    if told["ledger_balanced"]:
        return Text(f"{books}: all accounted for")
    return Text(f"{books}: NOT ALL ACCOUNTED FOR", "bold red")


def _network_text(told: Figures) -> Text:
    provider, wanted = told["provider"], told["provider_wanted"]
    text = Text(f"{told['model'] or 'none'} on {provider or 'nothing yet'}")
    if provider == _CPU and wanted not in ("", _CPU):
        text.append(f", FELL BACK from {wanted}", "yellow")
    return text


def _alarms_text(told: Figures) -> RenderableType:
    alarms: list[Figures] = told["alarms_unacknowledged"]
    if not alarms:
        return Text(f"none to acknowledge ({told['alarms']} in all)")
    lines = [Text(f"{len(alarms)} not acknowledged ({told['alarms']} in all)", "bold red")]
    for alarm in alarms[-8:]:
        lines.append(
            Text(f"#{alarm['id']} slice {alarm['slice']}, {alarm['kind']}: {alarm['message']}", "red")
        )
        if alarm["remedy"]:
            lines.append(Text(f"   → {alarm['remedy']}"))
    return Group(*lines)
