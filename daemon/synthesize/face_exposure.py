"""One face at one voltage, by any method; runs here or on a worker of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from algorithms.depth_response import DepthResponse, formula_response
from algorithms.electron_transport.cells import PHASE_BITS, pack_cells
from daemon.errors import ConfigurationError
from daemon.synthesize.exposure_plan import ExposurePlan, load_structure, parse_material
from daemon.synthesize.options import COUNTED, Method
from models.fast_image import fast_image, seen_planes

FAST_SCALE: Final = 50_000
"""Grey values of a noise-free image per backscattered share."""
DEEPEST_NM: Final = 2000.0
USUAL_BEAM: Final = (0.0, 0.5, 90.0)
"""Tilt, rms radius in nm, acceptance: the defaults of the command."""
MOST_STRETCH: Final = 1.25
"""Factor by which voxels may differ from those that a generator was trained on."""
FAST_MATERIALS: Final = ("epoxy", "gold")


@lru_cache(maxsize=1)
def stored_cells(path: str) -> tuple[NDArray[np.uint8], float]:
    """Cells of a stored structure and the edge of a voxel; every process packs a structure once."""
    structure = load_structure(Path(path))
    return pack_cells(structure.phases), structure.voxel_nm


def expose_face(
    plan: ExposurePlan, index: int, channel: int, threads: int, told: Callable[[int], None] | None = None
) -> NDArray[np.uint16]:
    """The image of a slice at a voltage, uint16 (y, x), in units of 1/:func:`signal_scale`.

    Raises
    ------
    ConfigurationError
        The structure cannot be read, or materials are missing.
    """
    return _METHODS[plan.method](plan, index, channel, threads, told)


def signal_scale(plan: ExposurePlan) -> int:
    """Stored value of a pixel that sends every electron back."""
    return plan.electrons if plan.method in COUNTED else FAST_SCALE


def image_shape(plan: ExposurePlan) -> tuple[int, int]:
    """Pixels (y, x) of a face."""
    cells, voxel_nm = stored_cells(plan.structure)
    height, width = (max(1, round(side * voxel_nm / plan.pixel_nm)) for side in cells.shape[1:])
    return height, width


def face_plane(plan: ExposurePlan, index: int) -> int:
    """The plane of voxels that is the face of a slice."""
    return round(plan.depths_nm[index] / stored_cells(plan.structure)[1])


def require_inside(plan: ExposurePlan) -> None:
    """Make sure that all faces lie in the structure and every phase has a material.

    Raises
    ------
    ConfigurationError
        One does not.
    """
    cells, voxel_nm = stored_cells(plan.structure)
    if plan.method is not Method.MONTE_CARLO and (
        plan.pixel_nm != voxel_nm
        or plan.materials != FAST_MATERIALS
        or (plan.tilt_deg, plan.beam_sigma_nm, plan.acceptance_deg) != USUAL_BEAM
    ):
        raise ConfigurationError(
            f"pixels of {plan.pixel_nm:g} nm, materials {', '.join(plan.materials)}, tilt "
            f"{plan.tilt_deg:g}°, beam of {plan.beam_sigma_nm:g} nm, acceptance {plan.acceptance_deg:g}°",
            where=f"--method {plan.method}",
            remedy="The fast image is of gold in epoxy from above with the usual beam, a pixel a voxel; "
            "else use montecarlo.",
        )
    if plan.pixel_nm > min(cells.shape[1:]) * voxel_nm:
        raise ConfigurationError(
            f"a pixel of {plan.pixel_nm:g} nm is larger than the structure",
            where="--pixel",
            remedy=f"The face is {cells.shape[1] * voxel_nm:g} × {cells.shape[2] * voxel_nm:g} nm.",
        )
    if plan.method is Method.GAN:
        _require_trained(voxel_nm, plan)
    deepest_nm, phases = plan.depths_nm[-1], int((cells & 7).max()) + 1
    if face_plane(plan, len(plan.depths_nm) - 1) >= len(cells) or len(plan.materials) < phases:
        raise ConfigurationError(
            f"faces down to {deepest_nm:g} nm and {len(plan.materials)} materials, for a structure of "
            f"{len(cells) * voxel_nm:g} nm with {phases} phases",
            where=plan.structure,
            remedy="Ask for fewer or thinner slices, and give one --material per phase.",
        )


def _require_trained(voxel_nm: float, plan: ExposurePlan) -> None:
    """Make sure that there is a generator for every voltage that knows voxels of this size.

    Raises
    ------
    ConfigurationError
        One does not.
    """
    from models.image_generator import generator_path, known_voltages_kv, open_generator

    folder = Path(plan.generators)
    known = known_voltages_kv(folder)
    if missing := [voltage for voltage in plan.voltages_kv if voltage not in known]:
        raise ConfigurationError(
            f"there is no generator for {', '.join(f'{voltage:g}' for voltage in missing)} kV",
            where=f"--generators {folder}",
            remedy="Train them with `slicewatch train gan --out DIR` and give that folder, ask for "
            f"{', '.join(f'{voltage:g}' for voltage in known) or 'no'} kV, or use another method.",
        )
    for voltage in plan.voltages_kv:
        path = generator_path(folder, voltage)
        spec = open_generator(path).spec
        if spec.voltage_kv != voltage:
            raise ConfigurationError(
                f"this generator is one for {spec.voltage_kv:g} kV, whatever its name says",
                where=str(path),
                remedy=f"Put the one for {voltage:g} kV there, or train it with `slicewatch train gan`.",
            )
        if not 1 / MOST_STRETCH <= voxel_nm / spec.voxel_nm <= MOST_STRETCH:
            raise ConfigurationError(
                f"the generator for {voltage:g} kV knows voxels of {spec.voxel_nm:g} nm, and these are "
                f"{voxel_nm:g} nm",
                where="--method gan",
                remedy=f"Make the structure with --voxel {spec.voxel_nm:g}, or use another method.",
            )


def _monte_carlo(
    plan: ExposurePlan, index: int, channel: int, threads: int, told: Callable[[int], None] | None
) -> NDArray[np.uint16]:
    from algorithms.electron_transport.exposure import (
        Beam,
        Raster,
        best_device,
        count_detected,
        load_sample,
    )

    cells, voxel_nm = stored_cells(plan.structure)
    top = face_plane(plan, index)
    below = cells[top : top + int(DEEPEST_NM / voxel_nm)]
    materials = [parse_material(text) for text in plan.materials]
    sample = load_sample(below, voxel_nm, materials, best_device())
    beam = Beam(plan.voltages_kv[channel], plan.tilt_deg, plan.beam_sigma_nm, plan.acceptance_deg)
    raster = Raster(*image_shape(plan), plan.pixel_nm, plan.pixel_nm, plan.electrons)
    counts = count_detected(sample, beam, raster, (plan.seed, index, channel), threads=threads, told=told)
    return counts.astype(np.uint16)


def _by_network(
    plan: ExposurePlan, index: int, channel: int, threads: int, told: Callable[[int], None] | None
) -> NDArray[np.uint16]:
    from models.backscatter import network_response

    return _fast(plan, index, channel, network_response(plan.voltages_kv[channel]), told)


def _by_formula(
    plan: ExposurePlan, index: int, channel: int, threads: int, told: Callable[[int], None] | None
) -> NDArray[np.uint16]:
    return _fast(plan, index, channel, formula_response(plan.voltages_kv[channel]), told)


def _by_generator(
    plan: ExposurePlan, index: int, channel: int, threads: int, told: Callable[[int], None] | None
) -> NDArray[np.uint16]:
    """What the generator expects of the fast image, and as many electrons counted as were sent."""
    from models.backscatter import network_response

    voltage_kv = plan.voltages_kv[channel]
    fast = fast_signal(plan, index, channel, network_response(voltage_kv))
    expected = _generator(plan.generators, voltage_kv, threads)(fast)
    counts = np.random.default_rng((plan.seed, index, channel)).binomial(plan.electrons, expected)
    if told is not None:
        told(len(counts))
    return counts.astype(np.uint16)


@lru_cache(maxsize=8)
def _generator(
    folder: str, voltage_kv: float, threads: int
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """The generator of a voltage, opened once by every process."""
    from models.image_generator import generator_path, open_generator

    return open_generator(generator_path(Path(folder), voltage_kv), threads=threads)


def _fast(
    plan: ExposurePlan,
    index: int,
    channel: int,
    response: DepthResponse,
    told: Callable[[int], None] | None,
) -> NDArray[np.uint16]:
    """The column model on the voxels below the face; one voxel is one pixel."""
    image = fast_signal(plan, index, channel, response)
    if told is not None:
        told(len(image))
    return np.rint(image * FAST_SCALE).astype(np.uint16)


def fast_signal(plan: ExposurePlan, index: int, channel: int, response: DepthResponse) -> NDArray[np.float32]:
    """The noise-free share of the electrons that comes back, (y, x)."""
    cells, voxel_nm = stored_cells(plan.structure)
    top, voltage_kv = face_plane(plan, index), plan.voltages_kv[channel]
    planes = seen_planes(voltage_kv, voxel_nm, len(cells) - top)
    layers = np.bitwise_and(cells[top + planes], np.uint8(2**PHASE_BITS - 1), dtype=np.uint8)
    return fast_image(layers, planes, voxel_nm, voltage_kv, response)


_METHODS = {
    Method.MONTE_CARLO: _monte_carlo,
    Method.NETWORK: _by_network,
    Method.FORMULA: _by_formula,
    Method.GAN: _by_generator,
}
