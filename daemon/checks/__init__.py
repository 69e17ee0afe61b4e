"""``slicewatch check``: everything a run needs, looked at before it starts; nothing is changed."""

from daemon.checks.listing import print_checks

__all__ = ["print_checks"]
