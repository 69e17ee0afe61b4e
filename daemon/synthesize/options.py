"""The choices of ``slicewatch synthesize``, apart from what they need: the command line starts fast."""

from __future__ import annotations

from enum import StrEnum


class StructureKind(StrEnum):
    """What a sample can look like."""

    LEVELLED_WAVE = "levelled-wave"
    HIERARCHICAL = "hierarchical"
    SPHERES = "spheres"
    ELECTRODE = "electrode"


class Method(StrEnum):
    """How a face is photographed: electron by electron, or fast and without noise (gold in epoxy only)."""

    MONTE_CARLO = "montecarlo"
    NETWORK = "network"
    FORMULA = "formula"
