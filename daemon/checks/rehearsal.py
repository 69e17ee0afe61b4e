"""``slicewatch abort``: the stop from the command line, and its rehearsal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from daemon.checks.actions import check_abort, rehearse
from daemon.checks.finding import Level
from daemon.checks.listing import line
from daemon.client import Client
from daemon.config import load
from daemon.errors import ConfigurationError
from daemon.keys import read_client_key


def print_rehearsal(path: Path) -> bool:
    """Print what an abort would do, a line for each action; whether every one of them could be done.

    Raises
    ------
    ConfigurationError
        The configuration cannot be used.
    """
    configuration = load(path)
    console = Console(highlight=False, soft_wrap=True)
    found = [check_abort(configuration), *rehearse(configuration)]
    for finding in found:
        console.print(line(finding))
    console.print("Nothing was stopped.")
    return all(finding.level is not Level.FAIL for finding in found)


def ask_to_abort(path: Path, by: str, reason: str, key: Path | None = None) -> None:
    """Ask the running daemon to stop the microscope; its events say what came of it.

    Raises
    ------
    ConfigurationError
        Nobody signs for it, or the configuration cannot be used.
    WireError
        No daemon answers, or it refuses.
    """
    if not by:
        raise ConfigurationError(
            "an abort needs a name", where="slicewatch abort", remedy="Add --by NAME; --dry-run needs none."
        )
    control = load(path).publish.control
    with Client(control=control, key=read_client_key(key)) as client:
        client.abort(by, reason)
    Console(highlight=False).print("Asked. 'slicewatch status' says what came of it.")
