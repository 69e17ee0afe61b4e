"""How an emulated beam sees its sample; apart from what that needs, so that the command line starts fast."""

from __future__ import annotations

from enum import StrEnum


class Picture(StrEnum):
    """By closed formulas, by the depth response that a network learned, or electron by electron."""

    FORMULA = "formula"
    NETWORK = "network"
    MONTE_CARLO = "montecarlo"
