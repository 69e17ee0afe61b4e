"""What was published on real hierarchical nanoporous gold, and how to cite it."""

from __future__ import annotations

from typing import Final, NamedTuple


class Published(NamedTuple):
    """Anisotropy errors of one way to reconstruct the real sample."""

    way: str
    source: str
    e_tpcf: float
    e_lpf: float
    e_d: float


FUSION: Final = "2024, table 4"
THICKNESS: Final = "2023"
LATE_FUSION: Final = Published("late fusion of 1, 2 and 4 kV", FUSION, 0.1206, 0.0489, 0.0119)
"""What this software does, on the published images."""
REAL_SAMPLE: Final = (
    LATE_FUSION,
    Published("network on 1 kV", FUSION, 0.1454, 0.0591, 0.0304),
    Published("network on 2 kV", FUSION, 0.1686, 0.0911, 0.0370),
    Published("network on 4 kV", FUSION, 0.2708, 0.1810, 0.1383),
    Published("k-means on 1 kV", FUSION, 0.1645, 0.0531, 0.0312),
    Published("slices placed by ruler, inpainted", THICKNESS, 0.21, 0.06, 0.02),
    Published("slices placed by ruler, 10 nm grid, cubic", THICKNESS, 0.22, 0.07, 0.04),
    Published("slices placed by the microscope's estimate, inpainted", THICKNESS, 0.26, 0.17, 0.10),
    Published("slices not placed, nearest neighbour", THICKNESS, 0.24, 0.15, 0.09),
)
SOLID_FRACTION: Final = "0.12–0.13"
"""Of the published sample, as weighed and as its synthetic likeness was made."""

CITATIONS: Final = (
    "Slice thickness, repositioning and the anisotropy errors: T. Sardhara, A. Shkurmanov, Y. Li, S. Shi, "
    "C. J. Cyron, R. C. Aydin, M. Ritter, Role of slice thickness quantification in the 3D reconstruction of "
    "FIB tomography data of nanoporous materials, Ultramicroscopy (2023), doi:10.1016/j.ultramic.2023.113878"
    ".",
    "Segmentation by late fusion of several voltages: T. Sardhara, A. Shkurmanov, Y. Li, L. Riedel, S. Shi, "
    "C. J. Cyron, R. C. Aydin, M. Ritter, Enhancing 3D Reconstruction Accuracy of FIB Tomography Data Using "
    "Multi-voltage Images and Multimodal Machine Learning, Nanomanufacturing and Metrology 7, 4 (2024), "
    "doi:10.1007/s41871-024-00223-y.",
)
