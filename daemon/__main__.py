"""``slicewatch`` on the command line; every error becomes one clear line and an exit code, no traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

# Before numpy is imported, which reads it once: the ruler's fits are too small to be shared out, and on a
# busy machine BLAS threads that wait for each other made them up to ten times slower (2 cores, 2026-11-20).
# The network has a thread pool of its own, set by segmentation.threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from daemon.errors import SlicewatchError
from daemon.operating_system import allow_many_descriptors, share_one_heap

share_one_heap()
allow_many_descriptors()


def main() -> None:
    """Run the command line and exit with its code (DESIGN §4)."""
    from daemon.cli import app

    ending_in_words(app)


def ending_in_words(command: Callable[[], object]) -> None:
    """Run a command; an error that has a remedy is told in three lines, and its code is the process's."""
    from models.errors import ModelError

    try:
        command()
    except (SlicewatchError, ModelError) as error:
        from rich.console import Console

        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print(f"error: {error.what}", style="bold red", markup=False)
        console.print(f"  where: {error.where}\n  remedy: {error.remedy}", markup=False)
        sys.exit(getattr(error, "exit_code", 1))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
