"""The choices of ``slicewatch synthesize``, apart from what they need: the command line starts fast."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class StructureKind(StrEnum):
    """What a sample can look like."""

    LEVELLED_WAVE = "levelled-wave"
    HIERARCHICAL = "hierarchical"
    SPHERES = "spheres"
    ELECTRODE = "electrode"


class Method(StrEnum):
    """How a face is photographed: electron by electron, or fast and without noise, or fast and then by a
    generator that has learned from the first (both gold in epoxy only)."""

    MONTE_CARLO = "montecarlo"
    NETWORK = "network"
    FORMULA = "formula"
    GAN = "gan"


COUNTED: Final = (Method.MONTE_CARLO, Method.GAN)
"""Their images are counts of electrons; the others' are free of noise."""
SAMPLES: Final = 4000
"""Structures for labelled runs, which nothing else is rendered from."""
