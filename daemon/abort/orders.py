"""What is asked of the microscope, and what became of it: values that every action takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any

from daemon.items import Alarm


class Request(StrEnum):
    """What the microscope is to do."""

    PAUSE = "PAUSE"
    STOP = "STOP"


class Outcome(StrEnum):
    """How an action ended: only what a peer has answered for is confirmed.

    A mail or a chat message is at most delivered: nobody has promised that the microscope stands still.
    """

    CONFIRMED = "confirmed"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Order:
    """One request to the microscope; ``identifier`` is the same however often it is carried out."""

    request: Request
    run: str
    alarm: str
    cause: Alarm

    @property
    def identifier(self) -> str:
        """By this a receiver knows that it has had the order before."""
        return f"{self.run}/{self.request}/{self.alarm or 'operator'}"

    def as_json(self) -> dict[str, Any]:
        """The order for a script: plain values, unknown numbers None."""
        cause = self.cause
        return {
            "slice": cause.slice_index,
            "kind": cause.kind,
            "message": cause.message,
            "request": str(self.request),
            "order": self.identifier,
            "measurement": cause.measurement if isfinite(cause.measurement) else None,
            "limit": cause.limit if isfinite(cause.limit) else None,
        }


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What became of one action; ``target`` and ``detail`` never hold a secret."""

    kind: str
    target: str
    outcome: Outcome
    detail: str

    @property
    def confirmed(self) -> bool:
        """Whether its effect was seen or answered for."""
        return self.outcome is Outcome.CONFIRMED
