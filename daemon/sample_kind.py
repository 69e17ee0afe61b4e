"""What the emulated microscope mills; apart from what that needs, so that the command line starts fast."""

from __future__ import annotations

from enum import StrEnum


class SampleKind(StrEnum):
    """Hierarchical nanoporous gold in epoxy at three voltages, or a battery electrode with two detectors."""

    GOLD = "gold"
    ELECTRODE = "electrode"


class Vendor(StrEnum):
    """Whose words the image files speak: tags 34682 and 34683, or tag 34118."""

    FEI = "fei"
    ZEISS = "zeiss"
