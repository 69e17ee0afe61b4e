"""``slicewatch`` on the command line; every error becomes one clear line and an exit code, no traceback."""

from __future__ import annotations

import sys

from daemon.errors import SlicewatchError


def main() -> None:
    """Run the command line and exit with its code (DESIGN §4)."""
    from rich.console import Console

    from daemon.cli import app
    from models.errors import ModelError

    try:
        app()
    except (SlicewatchError, ModelError) as error:
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print(f"error: {error.what}", style="bold red", markup=False)
        console.print(f"  where: {error.where}\n  remedy: {error.remedy}", markup=False)
        sys.exit(getattr(error, "exit_code", 1))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
