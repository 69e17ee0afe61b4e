"""What all ways of synthesizing images ask: are these voltages possible, and whose is this folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from algorithms.electron_transport.tables import LOWEST_BEAM_KEV
from daemon.errors import ConfigurationError
from daemon.volume_store import make_folder, write_atomically

Check = tuple[bool, str, str]
"""Whether all is well; what is wrong otherwise, and the remedy."""


def channel_names(voltages_kv: Sequence[float]) -> tuple[str, ...]:
    """Of the images of each voltage, such as "2kV"."""
    return tuple(f"{voltage:g}kV" for voltage in voltages_kv)


def voltage_checks(voltages_kv: Sequence[float], highest_kv: float, known: str) -> tuple[Check, Check]:
    """That each lies within what is ``known``, and is there once. NaN lies outside."""
    given = ", ".join(f"{voltage:g}" for voltage in voltages_kv)
    return (
        (
            all(LOWEST_BEAM_KEV <= voltage <= highest_kv for voltage in voltages_kv),
            f"{given} kV: {known} from {LOWEST_BEAM_KEV:g} to {highest_kv:g} kV",
            "Give other values of --voltage.",
        ),
        (
            len(set(channel_names(voltages_kv))) == len(voltages_kv),
            f"voltages repeat: {given} kV",
            "Give every --voltage once.",
        ),
    )


def claim(path: Path, plan: str, what: str) -> bool:
    """Write a folder's plan to ``path``, or make sure that it is the one there; whether it was there.

    Raises
    ------
    ConfigurationError
        The folder holds ``what`` of another plan.
    StoreError
        It cannot be made or written.
    """
    if not path.is_file():
        make_folder(path.parent)
        write_atomically(path, plan)
        return False
    if path.read_bytes() != plan.encode():
        raise ConfigurationError(
            f"the folder holds {what} of another kind",
            where=str(path),
            remedy="Give another folder, or the same options to go on with these.",
        )
    return True
