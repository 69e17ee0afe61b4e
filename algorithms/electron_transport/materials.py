"""What the sample is made of: mixtures of elements by mass, and their density."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ATOMIC_WEIGHTS: Final[Mapping[int, float]] = {
    1: 1.008, 3: 6.94, 4: 9.012, 5: 10.81, 6: 12.011, 7: 14.007, 8: 15.999, 9: 18.998, 11: 22.990,
    12: 24.305, 13: 26.982, 14: 28.085, 15: 30.974, 16: 32.06, 17: 35.45, 19: 39.098, 20: 40.078,
    22: 47.867, 23: 50.942, 24: 51.996, 25: 54.938, 26: 55.845, 27: 58.933, 28: 58.693, 29: 63.546,
    30: 65.38, 31: 69.723, 32: 72.630, 33: 74.922, 34: 78.971, 40: 91.224, 41: 92.906, 42: 95.95,
    44: 101.07, 45: 102.91, 46: 106.42, 47: 107.87, 48: 112.41, 49: 114.82, 50: 118.71, 52: 127.60,
    56: 137.33, 57: 138.91, 58: 140.12, 72: 178.49, 73: 180.95, 74: 183.84, 75: 186.21, 77: 192.22,
    78: 195.08, 79: 196.97, 80: 200.59, 82: 207.2, 83: 208.98, 92: 238.03,
}  # fmt: skip
"""Standard atomic weights in g/mol by atomic number (IUPAC 2021, abridged)."""

SYMBOLS: Final[Mapping[str, int]] = {
    "H": 1, "Li": 3, "Be": 4, "B": 5, "C": 6, "N": 7, "O": 8, "F": 9, "Na": 11, "Mg": 12, "Al": 13,
    "Si": 14, "P": 15, "S": 16, "Cl": 17, "K": 19, "Ca": 20, "Ti": 22, "V": 23, "Cr": 24, "Mn": 25,
    "Fe": 26, "Co": 27, "Ni": 28, "Cu": 29, "Zn": 30, "Ga": 31, "Ge": 32, "As": 33, "Se": 34, "Zr": 40,
    "Nb": 41, "Mo": 42, "Ru": 44, "Rh": 45, "Pd": 46, "Ag": 47, "Cd": 48, "In": 49, "Sn": 50, "Te": 52,
    "Ba": 56, "La": 57, "Ce": 58, "Hf": 72, "Ta": 73, "W": 74, "Re": 75, "Ir": 77, "Pt": 78, "Au": 79,
    "Hg": 80, "Pb": 82, "Bi": 83, "U": 92,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Material:
    """A mixture: mass fraction by atomic number (sum 1), density in g/cm³ (0: vacuum)."""

    name: str
    mass_fractions: tuple[tuple[int, float], ...]
    density: float

    def __post_init__(self) -> None:
        total = sum(share for _, share in self.mass_fractions)
        unknown = [z for z, _ in self.mass_fractions if z not in ATOMIC_WEIGHTS]
        if unknown or self.density < 0 or (self.density > 0 and abs(total - 1) > 1e-6):
            raise ValueError(
                f"material {self.name!r}: mass fractions sum to {total:g}, density {self.density:g} g/cm³, "
                f"unknown atomic numbers {unknown}; give known elements whose fractions sum to 1"
            )

    @property
    def mean_atomic_number(self) -> float:
        """Weighted by mass (Müller 1954, as usual for backscatter contrast); 0 for vacuum."""
        return sum(z * share for z, share in self.mass_fractions)


def compound(name: str, atoms: Mapping[str, float], density: float) -> Material:
    """A material from its formula, atoms per unit by symbol, e.g. ``{"C": 21, "H": 25, "O": 5}``.

    Raises ValueError for a symbol that is not known, for no atoms, and for a density that cannot be.
    """
    unknown = sorted(set(atoms) - set(SYMBOLS))
    if unknown:
        raise ValueError(f"material {name!r}: unknown elements {unknown}; known are {', '.join(SYMBOLS)}")
    masses = {SYMBOLS[symbol]: count * ATOMIC_WEIGHTS[SYMBOLS[symbol]] for symbol, count in atoms.items()}
    total = sum(masses.values())
    if not total > 0 or not 0 < density < math.inf:
        raise ValueError(f"material {name!r}: it needs atoms and a density above 0 g/cm³")
    return Material(name, tuple((z, mass / total) for z, mass in masses.items()), density)


VACUUM: Final = Material("vacuum", (), 0.0)
EPOXY: Final = compound("epoxy", {"C": 21, "H": 25, "O": 5}, 1.2)
"""Cured bisphenol-A diglycidyl ether resin, about C21H25O5."""
CARBON: Final = compound("carbon", {"C": 1}, 2.0)
"""Evaporated or glassy; graphite is 2.26."""
GOLD: Final = compound("gold", {"Au": 1}, 19.3)
PLATINUM: Final = compound("platinum", {"Pt": 1}, 21.45)
SILVER: Final = compound("silver", {"Ag": 1}, 10.49)
COPPER: Final = compound("copper", {"Cu": 1}, 8.96)
TITANIUM: Final = compound("titanium", {"Ti": 1}, 4.506)
ALUMINIUM: Final = compound("aluminium", {"Al": 1}, 2.70)
SILICON: Final = compound("silicon", {"Si": 1}, 2.33)
TUNGSTEN: Final = compound("tungsten", {"W": 1}, 19.25)
NMC: Final = compound("nmc", {"Li": 3, "Ni": 1, "Mn": 1, "Co": 1, "O": 6}, 4.7)
"""LiNi⅓Mn⅓Co⅓O2."""
BINDER: Final = compound("binder", {"C": 6, "H": 2, "F": 2}, 1.8)
"""Carbon black in polyvinylidene fluoride, two carbon atoms of black for one of polymer."""

KNOWN: Final[Mapping[str, Material]] = {
    material.name: material
    for material in (
        VACUUM, EPOXY, CARBON, GOLD, PLATINUM, SILVER, COPPER, TITANIUM, ALUMINIUM, SILICON, TUNGSTEN, NMC,
        BINDER,
    )
}  # fmt: skip
