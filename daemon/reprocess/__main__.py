"""``python -m daemon.reprocess CONFIG CORES``: one run, for as long as whoever started it lives.

Standard input is held open by the attendant. When it closes, the attendant is dead, its work has gone to
another one, and this process would only be in the way of the next: it ends at once, as a kill would end it.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Final

from daemon.__main__ import ending_in_words  # first: it sets what must be set before numpy is imported

LOCK_PATIENCE_S: Final = 120.0
"""For the process before this one to be gone; a file server forgets a dead machine's lock after 90 s."""
ORPHANED: Final = 71
"""Exit code that nobody reads."""


def main(config: Path, cores: int) -> None:
    """Process the run of ``config`` on so many ``cores``, and exit as ``slicewatch reprocess`` does."""
    from daemon.logs import configure_logs
    from daemon.service import run_daemon

    Thread(target=_end_with_the_attendant, name="attendant", daemon=True).start()
    configure_logs()
    sys.exit(run_daemon(config, follow=False, cores=cores, lock_patience_s=LOCK_PATIENCE_S))


def _end_with_the_attendant() -> None:
    """Reads the descriptor itself: Python cannot end while a thread that reads ``sys.stdin`` has its lock."""
    while os.read(0, 1024):
        pass
    os._exit(ORPHANED)


if __name__ == "__main__":
    ending_in_words(partial(main, Path(sys.argv[1]), int(sys.argv[2])))
