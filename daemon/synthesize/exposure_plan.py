"""What is to be photographed of a stored structure, checked once, and written down beside the images."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
from numpy.typing import NDArray

from algorithms.electron_transport.materials import KNOWN, Material, compound
from algorithms.electron_transport.tables import HIGHEST_KEV, STEEPEST_DEG
from algorithms.electrons import VOLTAGES_KV
from daemon.errors import ConfigurationError
from daemon.synthesize.common import channel_names, voltage_checks
from daemon.synthesize.options import Method

_FORMULA: Final = re.compile(r"^(?P<atoms>(?:[A-Z][a-z]?[0-9.]*)+)@(?P<density>[0-9.]+)$")
_ATOM: Final = re.compile(r"([A-Z][a-z]?)([0-9.]*)")
MOST_ELECTRONS: Final = 65_535
"""Counts are stored as uint16."""
FAST_HIGHEST_KV: Final = VOLTAGES_KV[1]
ELECTRONS_PER_PA_US: Final = 1e-18 / 1.602176634e-19


@dataclass(frozen=True, slots=True)
class ExposurePlan:
    """Slices of a structure at several voltages.

    ``depths_nm`` are those of the faces, on the planes of voxels; ``materials`` as on the command line, one a
    phase; ``electrons`` are sent at every pixel, which is as large as ``pixel_nm``. ``structure_sha256`` is
    of the phases: another structure in the same place is another plan. ``generators`` is the folder of those
    that make Monte Carlo images of fast ones, ``generators_sha256`` of their files: others in the same place
    are another plan.

    Raises
    ------
    ConfigurationError
        The plan is impossible, whatever the structure.
    """

    structure: str
    structure_sha256: str
    method: Method
    voltages_kv: tuple[float, ...]
    depths_nm: tuple[float, ...]
    materials: tuple[str, ...]
    electrons: int
    pixel_nm: float
    tilt_deg: float
    beam_sigma_nm: float
    acceptance_deg: float
    seed: int
    generators: str = ""
    generators_sha256: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, remedy in _complaints(self):
            raise ConfigurationError(what, where="slicewatch synthesize slices", remedy=remedy)
        for text in self.materials:
            parse_material(text)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the channels, such as "2kV"."""
        return channel_names(self.voltages_kv)

    @property
    def text(self) -> str:
        """The plan as it is stored, JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @property
    def sha256(self) -> str:
        """Of the text: what two folders have in common if they were made alike."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def _complaints(plan: ExposurePlan) -> list[tuple[str, str]]:
    """What is wrong with a plan: (what, remedy) pairs. NaN is outside every range."""
    voltages, steps_nm = plan.voltages_kv, np.diff(plan.depths_nm)
    is_fast = plan.method is not Method.MONTE_CARLO
    highest_kv = FAST_HIGHEST_KV if is_fast else HIGHEST_KEV
    known = f"the {plan.method} image{' (montecarlo goes to 30 kV)' if is_fast else ''} is known"
    checks = [
        (
            1 <= plan.electrons <= MOST_ELECTRONS and bool(plan.depths_nm and voltages),
            f"{len(plan.depths_nm)} slices at {len(voltages)} voltages with {plan.electrons} electrons per "
            "pixel",
            f"Ask for one slice, one voltage and 1 to {MOST_ELECTRONS} electrons at least.",
        ),
        *voltage_checks(voltages, highest_kv, known),
        (
            bool(np.all(np.isfinite(plan.depths_nm)) and np.all(steps_nm > 0.0)),
            f"faces at {', '.join(f'{depth:g}' for depth in plan.depths_nm[:4])} … nm repeat",
            "A --thickness is a voxel of the structure at least.",
        ),
        (
            0.0 <= plan.tilt_deg < STEEPEST_DEG
            and 0.0 < plan.acceptance_deg <= 180.0
            and 0.0 <= plan.beam_sigma_nm < math.inf
            and 0.0 < plan.pixel_nm < math.inf,
            f"tilt {plan.tilt_deg:g}°, acceptance {plan.acceptance_deg:g}°, beam of {plan.beam_sigma_nm:g} "
            f"nm, pixels of {plan.pixel_nm:g} nm",
            f"The tilt lies in [0°, {STEEPEST_DEG:g}°), the acceptance in (0°, 180°]; the beam's radius is "
            "not negative, a pixel is larger than 0.",
        ),
    ]
    return [(what, remedy) for good, what, remedy in checks if not good]


@dataclass(frozen=True, slots=True, eq=False)
class StoredStructure:
    """Phases uint8 (z, y, x) and the edge of a voxel."""

    phases: NDArray[np.uint8]
    voxel_nm: float

    @property
    def sha256(self) -> str:
        """Of the phases, their shape and the voxel."""
        digest = hashlib.sha256(f"{self.phases.shape} {self.voxel_nm}".encode())
        digest.update(np.ascontiguousarray(self.phases).data)
        return digest.hexdigest()


def load_structure(path: Path) -> StoredStructure:
    """Read the full resolution of an OME-Zarr label image with cubic voxels.

    Raises
    ------
    ConfigurationError
        There is none, or its voxels are no cubes.
    """
    try:
        group = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
        dataset = group["attributes"]["ome"]["multiscales"][0]["datasets"][0]
        scale: list[float] = dataset["coordinateTransformations"][0]["scale"]
        array: Any = zarr.open_array(str(path / dataset["path"]), mode="r")
        phases = np.asarray(array[:], dtype=np.uint8)
    except (OSError, KeyError, IndexError, ValueError) as error:
        raise ConfigurationError(
            f"this is no OME-Zarr volume of phases: {error}",
            where=str(path),
            remedy="Give the structure.ome.zarr that `slicewatch synthesize structure` made.",
        ) from error
    if len(set(scale)) != 1:
        raise ConfigurationError(
            f"voxels of {scale} nm are no cubes", where=str(path), remedy="Give an isotropic volume."
        )
    return StoredStructure(phases, float(scale[0]))


def parse_material(text: str) -> Material:
    """A material by its name, or by formula and density in g/cm³, such as ``C21H25O5@1.2``.

    Raises
    ------
    ConfigurationError
        It is neither.
    """
    if text.lower() in KNOWN:
        return KNOWN[text.lower()]
    match = _FORMULA.match(text)
    try:
        if match is None:
            raise ValueError("neither a known name nor FORMULA@DENSITY")
        atoms = {symbol: float(count or 1) for symbol, count in _ATOM.findall(match["atoms"])}
        return compound(text, atoms, float(match["density"]))
    except ValueError as error:
        raise ConfigurationError(
            f"material {text!r}: {error}",
            where="--material",
            remedy=f"Give one of {', '.join(sorted(KNOWN))}, or e.g. C21H25O5@1.2 (g/cm³).",
        ) from error


def regular_depths_nm(count: int, thickness_nm: float, voxel_nm: float) -> tuple[float, ...]:
    """Faces every ``thickness_nm``, on the planes of voxels, the first at 0."""
    return tuple((np.rint(np.arange(count) * thickness_nm / voxel_nm) * voxel_nm).tolist())


def mimicking_depths_nm(
    count: int, mean_nm: float, sigma_nm: float, voxel_nm: float, rng: np.random.Generator
) -> tuple[float, ...]:
    """Faces with gamma-distributed thicknesses discretised to whole voxels, one at least (SCIENCE §4)."""
    drawn = rng.gamma((mean_nm / sigma_nm) ** 2, sigma_nm**2 / mean_nm, max(count - 1, 0))
    voxels = np.maximum(np.rint(drawn / voxel_nm), 1)
    return tuple((np.concatenate(([0.0], np.cumsum(voxels))) * voxel_nm).tolist())
