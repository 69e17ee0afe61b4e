"""``slicewatch watchdog`` and ``abort``: notice that the daemon is dead, and stop the microscope."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.command_options import ConfigPath, Keys, leave


def watchdog(
    config: ConfigPath,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What it has told; default: beside CONFIG."),
    ] = None,
) -> None:
    """Look once whether the daemon is dead or hung, and tell people; for a timer. Exit 5: it is."""
    from daemon.alerts.watchdog import look_once

    leave(look_once(config, state))


def abort(
    config: ConfigPath,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; stop nothing.")] = False,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who stops the microscope.")] = "",
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    keys: Keys = None,
) -> None:
    """Stop the microscope through the running daemon, or rehearse it."""
    from daemon.checks.rehearsal import ask_to_abort, print_rehearsal

    if dry_run:
        raise typer.Exit(0 if print_rehearsal(config) else 1)
    ask_to_abort(config, by, reason, keys)
