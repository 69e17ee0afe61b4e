"""Monte Carlo runs of bulk material under epoxy: what the backscatter network learns from.

As published (Sardhara et al., "Generative adversarial networks for creating realistic training data for
machine learning-based segmentation of FIB tomography data", §2.1.1): layers of epoxy from 0 to 190 nm in
steps of 10 nm on bulk material, at several voltages and of several materials; here with the transport of
:mod:`algorithms.electron_transport`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from algorithms.electron_transport.cells import pack_cells
from algorithms.electron_transport.exposure import Beam, load_sample, record_fates
from algorithms.electron_transport.materials import (
    ALUMINIUM,
    CARBON,
    COPPER,
    EPOXY,
    GOLD,
    NMC,
    SILVER,
    TITANIUM,
    TUNGSTEN,
    Material,
)

STEP_NM = 10.0
DEPTHS_NM = tuple(STEP_NM * step for step in range(20))
MATERIALS = (EPOXY, CARBON, ALUMINIUM, NMC, TITANIUM, COPPER, SILVER, TUNGSTEN, GOLD)
VOLTAGES_KV = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0)
BULK_NM = 2500.0
"""No electron of 10 kV comes back from deeper."""


@dataclass(frozen=True, slots=True)
class BulkRuns:
    """Rows of runs: ``inputs`` (n, 3) mean atomic number, voltage in kV, depth of burial in nm; ``eta`` (n,)
    backscattered share; ``electrons`` of each run."""

    inputs: NDArray[np.float64]
    eta: NDArray[np.float64]
    electrons: int


def bulk_under_epoxy(
    material: Material,
    depth_nm: float,
    voltage_kv: float,
    electrons: int,
    seed: int,
    step_nm: float = STEP_NM,
) -> float:
    """The backscatter coefficient of bulk material under this much epoxy, a multiple of ``step_nm``."""
    buried = round(depth_nm / step_nm)
    phases = np.ones((buried + round(BULK_NM / step_nm), 1, 1), dtype=np.uint8)
    phases[:buried] = 0
    sample = load_sample(pack_cells(phases), step_nm, [EPOXY, material])
    key = (seed, round(1000 * material.mean_atomic_number), round(1000 * voltage_kv), buried)
    return float(record_fates(sample, Beam(voltage_kv), electrons, key).escaped.mean())


def run_all(
    *,
    electrons: int = 20_000,
    seed: int = 0,
    threads: int = 1,
    materials: Sequence[Material] = MATERIALS,
    voltages_kv: Sequence[float] = VOLTAGES_KV,
    told: Callable[[int, int], None] | None = None,
) -> BulkRuns:
    """Every material at every voltage under every depth; ``told`` hears (runs done, runs)."""
    cases = list(product(materials, voltages_kv, DEPTHS_NM))
    eta = np.empty(len(cases))

    def run(index: int) -> None:
        material, voltage_kv, depth_nm = cases[index]
        eta[index] = bulk_under_epoxy(material, depth_nm, voltage_kv, electrons, seed)

    with ThreadPoolExecutor(threads) as pool:
        for done, _ in enumerate(pool.map(run, range(len(cases))), start=1):
            if told is not None:
                told(done, len(cases))
    inputs = np.array([(m.mean_atomic_number, voltage, depth) for m, voltage, depth in cases])
    return BulkRuns(inputs, eta, electrons)
