"""What the report says of a material of more than two phases."""

from __future__ import annotations

from daemon.report.contents import Contents, Row


def is_like_published(contents: Contents) -> bool:
    """Whether figures of nanoporous gold say anything beside this material: of two phases, not of more."""
    return bool(contents.metrics) and not phase_shares(contents.metrics[-1])


def phase_shares(last: Row) -> dict[str, str]:
    """Shares of the volume by phase from the last row of ``metrics.csv``; nothing of two phases."""
    told = (last.get("phase_fractions") or "").split()
    shares = " / ".join(f"{100 * float(share):.2f} %" for share in told)
    return {"Shares of the volume, pore first": shares} if told else {}
