"""Arguments that several commands share, and how a command ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from daemon.items import FinishReason

Keys = Annotated[
    Path | None, typer.Option("--keys", metavar="NAME.key", help="The key file you were given, if it asks.")
]
ConfigPath = Annotated[Path, typer.Argument(help="Configuration file (TOML); config.toml explains each key.")]
Connect = Annotated[
    str,
    typer.Option("--connect", metavar="ENDPOINT", help="The daemon's control endpoint (publish.control)."),
]
EXIT_CODES: Final = {
    FinishReason.COMPLETED: 0,
    FinishReason.STOPPED: 0,
    FinishReason.DRIFT_ABORT: 3,
    FinishReason.ERRORED: 1,
}
"""Of a command that processes a run, by why the run ended."""
Json = Annotated[bool, typer.Option("--json", help="Machine-readable: one JSON object, last line of stdout.")]


def leave(exit_code: int) -> None:
    """End the command; what it said is out before."""
    sys.stdout.flush()
    raise typer.Exit(exit_code)
