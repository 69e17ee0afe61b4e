"""Logs: stable dotted events with key/values; for people on a terminal, JSON lines anywhere else."""

from __future__ import annotations

import logging
import sys

import structlog

SECRET_KEYS = frozenset({"password", "secret", "token", "secret_key"})


def configure_logs(*, verbose: bool = False) -> None:
    """Send every event to standard error; standard output belongs to results."""
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(pad_event_to=24)
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_secrets,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _without_secrets(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {key: "***" if key in SECRET_KEYS else value for key, value in event.items()}
