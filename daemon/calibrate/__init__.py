"""``slicewatch calibrate``: proposes a configuration from the first images."""

from daemon.calibrate.command import calibrate, print_proposal

__all__ = ["calibrate", "print_proposal"]
