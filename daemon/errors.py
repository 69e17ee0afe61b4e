"""The one tree of errors: every error says what went wrong, where, and what to do about it."""

from __future__ import annotations


class SlicewatchError(Exception):
    """What happened, where, and the remedy.

    ``exit_code`` is the process exit status when the error ends a command (DESIGN §4).
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str, remedy: str) -> None:
        super().__init__(what, where, remedy)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} [{self.where}]. {self.remedy}"


class ConfigurationError(SlicewatchError):
    """The configuration, or what it points to, cannot be used."""

    exit_code = 2


class FolderError(ConfigurationError):
    """The acquisition folder is missing, unreadable, or not an acquisition."""


class CalibrationError(SlicewatchError):
    """The first images show nothing that a configuration could be made of."""


class FileUnreadableError(SlicewatchError):
    """One image file is damaged or foreign: it is quarantined and the run goes on."""


class JournalError(SlicewatchError):
    """The journal is damaged, foreign, or belongs to another configuration."""


class StoreError(SlicewatchError):
    """An output could not be written; the run cannot keep its promise that nothing is lost."""


class DiskFullError(StoreError):
    """There is no room left for an output: the run pauses until there is."""


class WireError(SlicewatchError):
    """A socket could not be bound, or a peer spoke nonsense to a client that needs sense."""


class UnreachableError(WireError):
    """No daemon answers at the endpoint."""

    exit_code = 4


class ActionError(SlicewatchError):
    """An abort action could not be carried out or was not confirmed."""


class DeliveryError(SlicewatchError):
    """A mail or a web hook was not taken by its receiver."""
