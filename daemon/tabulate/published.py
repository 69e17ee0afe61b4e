"""The published figures that ours stand beside, on the papers' own synthetic data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from models.mimicking_sets import Scores

SEGMENTATION: Final[Mapping[str, Scores]] = {
    "late_fusion": (0.225, 0.944, 0.995),
    "early_fusion": (2.8, 20.33, 0.93),
    "intermediate_fusion": (2.58, 6.92, 0.94),
    "unet_1kv": (0.245, 0.963, 0.994),
    "unet_2kv": (0.654, 2.512, 0.985),
    "unet_4kv": (1.407, 6.466, 0.967),
    "kmeans_1kv": (4.455, 8.776, 0.904),
    "kmeans_2kv": (9.490, 15.573, 0.815),
    "kmeans_4kv": (18.626, 20.904, 0.698),
}
"""MP, MGP, MDS of Sardhara et al. 2024, Tables 2 and 3, on their Monte Carlo images."""

TRUE_SOLID_FRACTION: Final = 0.123
SOLID_FRACTION: Final[Mapping[str, float]] = {
    "late_fusion": 0.123,
    "unet_1kv": 0.123,
    "unet_2kv": 0.123,
    "unet_4kv": 0.121,
    "kmeans_1kv": 0.147,
    "kmeans_2kv": 0.180,
    "kmeans_4kv": 0.258,
}
"""Found by each method where TRUE_SOLID_FRACTION is right (the same paper)."""

RECONSTRUCTION: Final[Mapping[str, Scores]] = {
    "RNN": (4.89, 19.98, 0.89),
    "RCS": (3.12, 13.52, 0.93),
    "RML": (2.35, 10.04, 0.95),
    "DNN": (19.97, 81.62, 0.53),
    "SRCS": (5.29, 22.38, 0.88),
}
"""MP, MGP, MDS of 250 mimicking data sets (Sardhara et al. 2023, Tables 2 and 3)."""

TRUE_ANISOTROPY: Final = (0.0965, 0.0087, 0.0120)
"""e_TPCF, e_LPF, e_D of the papers' synthetic structure itself."""


@dataclass(frozen=True, slots=True)
class Adapted:
    """MP % on synthetic images, and e_TPCF, e_LPF, e_D on a real sample."""

    synthetic_mp: float
    errors: Scores


ADAPTATION: Final[Mapping[str, tuple[Adapted, Adapted]]] = {
    "unet_1kv": (Adapted(0.245, (0.145, 0.059, 0.030)), Adapted(0.401, (0.132, 0.047, 0.029))),
    "unet_2kv": (Adapted(0.654, (0.169, 0.091, 0.037)), Adapted(0.833, (0.121, 0.096, 0.059))),
    "unet_4kv": (Adapted(1.407, (0.271, 0.181, 0.138)), Adapted(1.809, (0.140, 0.038, 0.017))),
}
"""Without and with domain adaptation: Sardhara et al. 2025, Tables 3 and 4."""
