"""Commands on their way from the thread that answers requests to the run, which reads them between slices.

An abort does not wait for the run: whoever hands it in has it carried out at once, and the run, when it comes
by, puts it on record. A slice in hand, a full disk or a hung driver hold up everything else, never that.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from threading import Lock

from daemon.errors import WireError
from daemon.requests import Abort, AnyCommand

INBOX_COMMANDS = 100
TOKENS_REMEMBERED = 10_000


class Inbox:
    """Commands on their way to the runner, at most a hundred; each token of a key's holder only once.

    ``at_once`` is told of every new command on the thread of its sender, and must not wait; what it raises
    refuses the command.
    """

    def __init__(self, at_once: Callable[[AnyCommand], None] = lambda _command: None) -> None:
        self._at_once = at_once
        self._lock = Lock()
        self._commands: deque[AnyCommand] = deque()
        self._tokens: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._is_open = True

    def put(self, command: AnyCommand) -> None:
        """Add a command, unless it is one that was added before.

        Raises
        ------
        WireError
            Too many are waiting, the run is over and would never read it, or ``at_once`` refuses it.
        """
        with self._lock:
            if (command.key, command.token) in self._tokens:
                return
            self._require_room(command)
            self._at_once(command)
            self._commands.append(command)
            self._remember(command)

    def waiting(self) -> list[AnyCommand]:
        """All waiting commands, oldest first; they stay."""
        with self._lock:
            return list(self._commands)

    def drain(self) -> list[AnyCommand]:
        """All waiting commands, oldest first."""
        with self._lock:
            commands = list(self._commands)
            self._commands.clear()
            return commands

    def put_back(self, commands: Sequence[AnyCommand]) -> None:
        """Let drained commands wait again, before all others."""
        with self._lock:
            self._commands.extendleft(reversed(commands))

    def open(self) -> None:
        """Take commands again: the run goes on after all."""
        with self._lock:
            self._is_open = True

    def close(self) -> None:
        """Refuse every command from now on; what waits still waits."""
        with self._lock:
            self._is_open = False

    def _require_room(self, command: AnyCommand) -> None:
        """A first abort finds room however many others wait."""
        if not self._is_open:
            raise WireError(
                "the run is over: nothing was done", where="control",
                remedy="To stop the microscope, use its own controls.",
            )  # fmt: skip
        is_first_abort = isinstance(command, Abort) and not any(isinstance(c, Abort) for c in self._commands)
        if len(self._commands) >= INBOX_COMMANDS and not is_first_abort:
            raise WireError(
                "too many commands are waiting", where="control", remedy="Wait for the slice in hand."
            )

    def _remember(self, command: AnyCommand) -> None:
        if command.token:
            self._tokens[command.key, command.token] = None
        if len(self._tokens) > TOKENS_REMEMBERED:
            self._tokens.popitem(last=False)
