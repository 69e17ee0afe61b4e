"""``slicewatch keys``: make, list and revoke the keys of a daemon, and set the dashboard's password."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

keys_app = typer.Typer(
    help="Keys for daemons that other machines may reach, and the dashboard's password.",
    no_args_is_help=True,
)
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of keys (publish.curve_keys).")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Who or what holds the key.")]


@keys_app.command("make")
def make(
    folder: Folder,
    name: Name,
    control: Annotated[
        bool, typer.Option("--control", help="It may also command: arm, stop, abort; else it only reads.")
    ] = False,
) -> None:
    """Make a key; its file goes to who shall connect, over a way that nobody else can read."""
    from daemon.keys import Role, make_key

    path = make_key(folder, name, Role.CONTROL if control else Role.READ, datetime.now(UTC))
    typer.echo(f"key: {path}")


@keys_app.command("list")
def list_keys(folder: Folder) -> None:
    """List the keys that are let in."""
    from daemon.keys import listed_keys

    for key in listed_keys(folder):
        typer.echo(f"{key.name:<40} {key.role:<8} made {key.made:%Y-%m-%d %H:%M} UTC")


@keys_app.command("revoke")
def revoke(folder: Folder, name: Name) -> None:
    """Let a key in no more: no request from now on, no new connection; see docs/security.md."""
    from daemon.keys import revoke_key

    revoke_key(folder, name)
    typer.echo(f"revoked: {name}")


@keys_app.command("password")
def password(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the password's hash; new.")],
) -> None:
    """Set the dashboard's password: asked for twice, or one line on standard input."""
    from daemon.passwords import write_password

    said = (
        typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        if sys.stdin.isatty()
        else sys.stdin.readline().rstrip("\r\n")
    )
    write_password(file, said)
    typer.echo(f"password: {file}")
