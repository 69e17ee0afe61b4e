"""Messages that many threads are the first to understand, all at once; a program of its own, because what a
process has understood once it has understood for good."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from threading import Barrier, Thread

from daemon.items import RunState, Status
from daemon.messages import RunMessage, SliceMessage
from daemon.wire import SCHEMA, Envelope, decode, encode

THREADS = 16
ENVELOPE = Envelope(SCHEMA, "run", 1, 1, datetime(2026, 3, 1, tzinfo=UTC))
TOLD = [
    encode(message, ENVELOPE)
    for message in (RunMessage(state=RunState.WORKING), SliceMessage(index=1, status=Status.GAP))
]


def main() -> None:
    """As the dashboard of several microscopes does it: a thread for each of them."""
    sys.setswitchinterval(1e-6)
    start = Barrier(THREADS)

    def understand() -> None:
        for parts in TOLD:
            start.wait()
            decode(parts)

    threads = [Thread(target=understand) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
