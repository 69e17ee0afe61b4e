"""``slicewatch calibrate``: look, propose, say what is missing."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from daemon.calibrate.drawing import draw
from daemon.calibrate.first_images import first_images
from daemon.calibrate.proposal import Proposal, propose
from daemon.errors import CalibrationError, ConfigurationError, StoreError
from daemon.toml_text import toml_text
from daemon.volume_store import write_atomically


def calibrate(
    folder: Path,
    *,
    picture: Path | None = None,
    config: Path | None = None,
    reference_kv: float | None = None,
    target_nm: float | None = None,
) -> Proposal:
    """Propose a configuration for the acquisition in ``folder``; write it and a picture where asked to.

    Raises
    ------
    CalibrationError
        Neither a ruler nor a fiducial was found; the picture is written all the same.
    ConfigurationError
        The folder holds no usable images, the reference voltage is not among them, or ``config`` is there.
    StoreError
        A file cannot be written.
    """
    if config is not None:
        _refuse_existing(config)
    output = folder.absolute().parent / f"{folder.absolute().name}-slicewatch"
    channels, unreadable = first_images(folder)
    proposal = propose(folder, output, channels, reference_kv, target_nm, unreadable)
    if picture is not None:
        draw(proposal, picture)
    if proposal.ruler is None and not proposal.fiducials:
        what = "; ".join(lack.what for lack in proposal.lacks)
        remedy = " ".join(lack.remedy for lack in proposal.lacks)
        raise CalibrationError(what, where=str(proposal.first.path), remedy=remedy)
    if config is not None:
        _write(config, _text(proposal))
    return proposal


def _refuse_existing(config: Path) -> None:
    """Somebody may have corrected that file by hand for hours."""
    if config.exists():
        raise ConfigurationError(
            "the configuration is there already, and is not overwritten",
            where=str(config),
            remedy="Give --config another name, or move that file away.",
        )


def _write(config: Path, text: str) -> None:
    try:
        write_atomically(config, text)
    except StoreError as error:
        raise StoreError(
            f"the configuration cannot be written: {error.__cause__ or error}",
            where=str(config),
            remedy="Give --config a name in a folder that has room and may be written to.",
        ) from error


def print_proposal(proposal: Proposal, *, with_table: bool) -> None:
    """Say what was found and what was not; the configuration too when it went to no file."""
    console = Console(highlight=False, soft_wrap=True)
    for words in proposal.found:
        console.print(f"[green]found[/]    {escape(words)}")
    for lack in proposal.lacks:
        console.print(f"[yellow]missing[/]  {escape(lack.what)}\n         [dim]→ {escape(lack.remedy)}[/]")
    if with_table:
        console.print(_text(proposal), markup=False)


def _text(proposal: Proposal) -> str:
    """The configuration with its reasons as comments."""
    said = [*proposal.found, *(f"MISSING {lack.what}. {lack.remedy}" for lack in proposal.lacks)]
    head = "".join(f"# {line}\n" for line in ("Proposed by slicewatch calibrate:", *said))
    return f"{head}\n{toml_text(proposal.table)}"
