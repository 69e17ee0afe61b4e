"""Logs: stable dotted events with key/values; for people on a terminal, JSON lines anywhere else."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import structlog

MAX_LOG_BYTES: Final = 10_000_000
KEPT_LOGS: Final = 5
SECRET_KEYS: Final = frozenset({"password", "secret", "token", "secret_key"})


def configure_logs(*, verbose: bool = False, file: Path | None = None) -> None:
    """Send every event to standard error, or to ``file``; standard output belongs to results.

    systemd's journal rotates what goes to standard error; a file is rotated here, at 10 MB, five times.
    """
    for_people = file is None and sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_secrets,
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(pad_event_to=24)
            if for_people
            else structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr) if file is None else _RotatingFile(file),
        cache_logger_on_first_use=False,
    )


class _RotatingFile:
    """Gives every structlog logger the one file; opening it twice would rotate it twice."""

    def __init__(self, path: Path, max_bytes: int = MAX_LOG_BYTES, kept: int = KEPT_LOGS) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=max_bytes, backupCount=kept, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(message)s"))
        self._logger = logging.Logger("slicewatch", logging.DEBUG)
        self._logger.addHandler(handler)

    def __call__(self, *_names: object) -> logging.Logger:
        """The logger that writes to the file."""
        return self._logger


def _without_secrets(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {key: "***" if key in SECRET_KEYS else value for key, value in event.items()}
