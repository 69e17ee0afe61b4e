"""Numbers as people read them: with a unit, and a dash where nothing is known."""

from __future__ import annotations

import math

UNKNOWN = "–"


def length(nm: float) -> str:
    """A length in nm, µm or mm."""
    if not math.isfinite(nm):
        return UNKNOWN
    for limit, divisor, unit in ((1e3, 1.0, "nm"), (1e6, 1e3, "µm")):
        if abs(nm) < limit:
            return f"{nm / divisor:.4g} {unit}"
    return f"{nm / 1e6:.4g} mm"


def lengths(*nm: float) -> str:
    """Known lengths times each other, ``2.58 × 2.23 × 0.348 µm``: in the unit of the longest."""
    longest = max(nm)
    divisor, unit = (1.0, "nm") if longest < 1e3 else (1e3, "µm") if longest < 1e6 else (1e6, "mm")
    return " × ".join(f"{one / divisor:.3g}" for one in nm) + f" {unit}"


def with_sigma(value: float, sigma: float, unit: str, digits: int = 2) -> str:
    """``10.20 ± 0.31 nm``; without ± when no error is known."""
    if not math.isfinite(value):
        return UNKNOWN
    error = f" ± {sigma:.{digits}f}" if math.isfinite(sigma) else ""
    return f"{value:.{digits}f}{error} {unit}"


def number(value: float, digits: int = 3) -> str:
    """A plain number with fixed digits."""
    return f"{value:.{digits}f}" if math.isfinite(value) else UNKNOWN


def duration(seconds: float) -> str:
    """``42 s``, ``3 min 20 s``, ``2 h 05 min``, ``3 d 4 h``."""
    if not math.isfinite(seconds):
        return UNKNOWN
    whole = max(0, round(seconds))
    minutes, s = divmod(whole, 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if whole < 60:
        return f"{s} s"
    if hours < 1:
        return f"{m} min {s:02d} s"
    return f"{h} h {m:02d} min" if days < 1 else f"{days} d {h} h"
