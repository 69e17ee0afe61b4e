"""Commands on their way from the thread that answers requests to the run, which reads them between slices."""

from __future__ import annotations

from collections import OrderedDict
from queue import Empty, Full, Queue

from daemon.errors import WireError
from daemon.requests import AnyCommand

INBOX_COMMANDS = 100
TOKENS_REMEMBERED = 10_000


class Inbox:
    """Commands on their way to the runner, at most a hundred; each token of a key's holder only once."""

    def __init__(self) -> None:
        self._commands: Queue[AnyCommand] = Queue(INBOX_COMMANDS)
        self._tokens: OrderedDict[tuple[str, str], None] = OrderedDict()

    def put(self, command: AnyCommand) -> None:
        """Add a command, unless it is one that was added before.

        Raises
        ------
        WireError
            Too many are waiting.
        """
        if (command.key, command.token) in self._tokens:
            return
        try:
            self._commands.put_nowait(command)
        except Full as error:
            raise WireError(
                "too many commands are waiting", where="control", remedy="Wait for the slice in hand."
            ) from error
        self._remember(command)

    def waiting(self) -> list[AnyCommand]:
        """All waiting commands, oldest first; they stay."""
        with self._commands.mutex:
            return list(self._commands.queue)

    def drain(self) -> list[AnyCommand]:
        """All waiting commands, oldest first."""
        commands: list[AnyCommand] = []
        try:
            while True:
                commands.append(self._commands.get_nowait())
        except Empty:
            return commands

    def _remember(self, command: AnyCommand) -> None:
        if command.token:
            self._tokens[command.key, command.token] = None
        if len(self._tokens) > TOKENS_REMEMBERED:
            self._tokens.popitem(last=False)
