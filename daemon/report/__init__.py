"""One page that says what happened: ``slicewatch report OUTPUT_DIR`` (written at each run's end too)."""

from daemon.report.page import write_report

__all__ = ["write_report"]
