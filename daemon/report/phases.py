"""What the report says of a material of more than two phases."""

from __future__ import annotations

from daemon.report.contents import Contents, Row


def is_comparable(contents: Contents) -> bool:
    """Whether figures of nanoporous gold may stand beside those of this volume: it has two phases as well."""
    return not (contents.metrics and contents.metrics[-1].get("phase_fractions"))


def phase_shares(last: Row) -> dict[str, str]:
    """Shares of the volume by phase from the last row of ``metrics.csv``; nothing of two phases."""
    told = (last.get("phase_fractions") or "").split()
    shares = " / ".join(f"{100 * float(share):.2f} %" for share in told)
    return {"Shares of the volume, pore first": shares} if told else {}
