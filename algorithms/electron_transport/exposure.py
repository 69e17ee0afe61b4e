"""Launches: an image of a face, or the fates of single electrons, on threads of the CPU or on a GPU.

A launch on the CPU runs on one thread and lets the others run, so an image is cut into bands of rows that a
pool works off. Which thread does which band does not matter: every electron has its own random numbers, every
pixel belongs to one band, and counts are integers, so the bytes are the same for any number of threads and
any height of a band (on a GPU the rounding of its arithmetic may differ from a CPU's).
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from algorithms.electron_transport import kernels
from algorithms.electron_transport.materials import Material
from algorithms.electron_transport.tables import (
    CUTOFF_KEV,
    ENTRIES,
    HIGHEST_KEV,
    LOWEST_BEAM_KEV,
    STEEPEST_DEG,
    rate_tables,
)
from algorithms.electron_transport.target import Target

BAND_ELECTRONS = 200_000
"""Electrons in a launch on the CPU: about a second, so that progress is seen and threads end together."""
CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Beam:
    """Energy, angle of incidence against the face's normal (towards +y), rms radius of the beam across its
    axis (its spot on the face is longer along y), and half angle of the detector's cone around the beam (90°:
    all that leave towards it).

    Raises ValueError outside 0.5–30 kV or for an incidence of 85° and more.
    """

    voltage_kv: float
    tilt_deg: float = 0.0
    sigma_nm: float = 0.5
    acceptance_deg: float = 90.0

    def __post_init__(self) -> None:
        if not LOWEST_BEAM_KEV <= self.voltage_kv <= HIGHEST_KEV:
            raise ValueError(
                f"voltage_kv = {self.voltage_kv:g}: scattering is known from {LOWEST_BEAM_KEV:g} to "
                f"{HIGHEST_KEV:g} kV"
            )
        is_possible = (
            0 <= self.tilt_deg < STEEPEST_DEG
            and 0 < self.acceptance_deg <= 180
            and 0 <= self.sigma_nm < math.inf
        )
        if not is_possible:
            raise ValueError(
                f"{self}: the incidence lies in [0°, 85°), the acceptance in (0°, 180°], the radius is not "
                "negative"
            )


@dataclass(frozen=True, slots=True)
class Raster:
    """Pixels of an image and electrons for each of them; pixel (i, j) is hit at ((i + ½)·row_nm, (j +
    ½)·column_nm) of the sample."""

    rows: int
    columns: int
    row_nm: float
    column_nm: float
    electrons: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A structure on its device, as the kernel reads it. Make one with :func:`load_sample`."""

    target: Any
    device: str


@dataclass(frozen=True, slots=True)
class Fates:
    """How electrons ended, all (n,): ``fate`` is ``kernels.ABSORBED``, ``ESCAPED`` or ``LOST``; energy left,
    energy given to the sample, path, greatest depth, real collisions, cosine of the exit to the normal."""

    fate: NDArray[np.int32]
    energy_kev: NDArray[np.float32]
    deposited_kev: NDArray[np.float32]
    path_nm: NDArray[np.float32]
    deepest_nm: NDArray[np.float32]
    collisions: NDArray[np.float32]
    exit_cosine: NDArray[np.float32]

    @property
    def escaped(self) -> NDArray[np.bool_]:
        """Those that came back through the face: (n,)."""
        return self.fate == kernels.ESCAPED


def best_device() -> str:
    """ "cuda:0" where Warp finds a CUDA device, else "cpu"."""
    return "cuda:0" if wp.is_cuda_available() else CPU


def load_sample(
    cells: NDArray[np.uint8], voxel_nm: float, materials: Sequence[Material], device: str = CPU
) -> Sample:
    """Cells of :func:`pack_cells` (z, y, x), the face at z = 0, and the material of every phase.

    The volume is continued by reflection on all sides. Raises ValueError for a phase without a material.
    """
    tables = rate_tables(materials)
    if int((cells & 7).max()) >= len(materials):
        raise ValueError(f"phase {int((cells & 7).max())} has no material: {len(materials)} were given")
    target = Target()
    target.cells = wp.array(np.ascontiguousarray(cells), dtype=wp.uint8, device=device)
    target.rates = wp.array(tables.rates, dtype=float, device=device)
    target.limits = wp.array(tables.limits, dtype=float, device=device)
    target.voxel_nm = voxel_nm
    target.cutoff_kev = CUTOFF_KEV
    target.log_cutoff = float(np.log(CUTOFF_KEV))
    target.entries_per_log = (ENTRIES - 1) / float(np.log(HIGHEST_KEV / CUTOFF_KEV))
    return Sample(target, device)


def count_detected(
    sample: Sample,
    beam: Beam,
    raster: Raster,
    seed: Sequence[int],
    *,
    threads: int = 1,
    told: Callable[[int], None] | None = None,
) -> NDArray[np.int32]:
    """Detected electrons of every pixel: int32 (rows, columns), of ``raster.electrons`` sent.

    ``seed`` is any sequence of integers, such as (run, slice, channel). ``told`` hears the number of rows
    done after every band, from the threads that did them.
    """
    is_cpu = sample.device == CPU
    rows = max(1, BAND_ELECTRONS // (raster.columns * raster.electrons)) if is_cpu else raster.rows

    def band(first: int) -> NDArray[np.int32]:
        height = min(rows, raster.rows - first)
        counted = _count_rows(sample, beam, raster, seed, first, height)
        if told is not None:
            told(height)
        return counted

    with ThreadPoolExecutor(threads if is_cpu else 1) as pool:
        return np.concatenate(list(pool.map(band, range(0, raster.rows, rows))))


def record_fates(sample: Sample, beam: Beam, electrons: int, seed: Sequence[int]) -> Fates:
    """The fates of electrons that all hit one point, half a nm from the sample's corner."""
    raster = Raster(1, 1, 1.0, 1.0, electrons)
    fates = wp.zeros(electrons, dtype=wp.int32, device=sample.device)
    figures = wp.zeros((electrons, 6), dtype=float, device=sample.device)
    inputs = [sample.target, _beam(beam, seed), _raster(raster), 0, fates, figures]
    wp.launch(kernels.record_fates, dim=electrons, inputs=inputs, device=sample.device)
    return Fates(fates.numpy(), *(np.ascontiguousarray(column) for column in figures.numpy().T))


def _count_rows(
    sample: Sample, beam: Beam, raster: Raster, seed: Sequence[int], first: int, rows: int
) -> NDArray[np.int32]:
    pixels = rows * raster.columns
    counts = wp.zeros(pixels, dtype=wp.int32, device=sample.device)
    inputs = [sample.target, _beam(beam, seed), _raster(raster), first * raster.columns, counts]
    wp.launch(kernels.count_detected, dim=pixels * raster.electrons, inputs=inputs, device=sample.device)
    return counts.numpy().reshape(rows, raster.columns)


def _beam(beam: Beam, seed: Sequence[int]) -> Any:
    low, high, stream = np.random.SeedSequence(list(seed)).generate_state(3)
    tilt = np.radians(beam.tilt_deg)
    described = kernels.Beam()
    described.energy_kev = beam.voltage_kv
    described.cos_tilt, described.sin_tilt = float(np.cos(tilt)), float(np.sin(tilt))
    described.sigma_nm = beam.sigma_nm
    described.cos_acceptance = float(np.cos(np.radians(beam.acceptance_deg)))
    described.key_low, described.key_high, described.stream = int(low), int(high), int(stream)
    return described


def _raster(raster: Raster) -> Any:
    described = kernels.Raster()
    described.columns, described.electrons = raster.columns, raster.electrons
    described.row_nm, described.column_nm = raster.row_nm, raster.column_nm
    return described
