"""One face at one voltage, by either method; runs here or on a worker of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from algorithms.depth_response import DepthResponse, formula_response
from algorithms.electron_transport.cells import PHASE_BITS, pack_cells
from algorithms.electrons import layer_depths_nm
from algorithms.imaging import backscatter_image
from daemon.errors import ConfigurationError
from daemon.synthesize.exposure_plan import ExposurePlan, load_structure, parse_material
from daemon.synthesize.options import Method

FAST_SCALE: Final = 50_000
"""Grey values of a noise-free image per backscattered share."""
DEEPEST_NM: Final = 2000.0
USUAL_BEAM: Final = (0.0, 0.5, 90.0)
"""Tilt, rms radius in nm, acceptance: the defaults of the command."""
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
    return plan.electrons if plan.method is Method.MONTE_CARLO else FAST_SCALE


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
    deepest_nm, phases = plan.depths_nm[-1], int((cells & 7).max()) + 1
    if face_plane(plan, len(plan.depths_nm) - 1) >= len(cells) or len(plan.materials) < phases:
        raise ConfigurationError(
            f"faces down to {deepest_nm:g} nm and {len(plan.materials)} materials, for a structure of "
            f"{len(cells) * voxel_nm:g} nm with {phases} phases",
            where=plan.structure,
            remedy="Ask for fewer or thinner slices, and give one --material per phase.",
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


def _fast(
    plan: ExposurePlan,
    index: int,
    channel: int,
    response: DepthResponse,
    told: Callable[[int], None] | None,
) -> NDArray[np.uint16]:
    """The column model on the voxels below the face; one voxel is one pixel."""
    cells, voxel_nm = stored_cells(plan.structure)
    top, voltage_kv = face_plane(plan, index), plan.voltages_kv[channel]
    planes = np.unique(np.rint(layer_depths_nm(voltage_kv, voxel_nm) / voxel_nm).astype(np.int64))
    planes = planes[top + planes < len(cells)]
    depths_nm = planes.astype(np.float64) * voxel_nm
    layers = np.bitwise_and(cells[top + planes], np.uint8(2**PHASE_BITS - 1), dtype=np.uint8)
    image = backscatter_image(layers, depths_nm, voltage_kv, (voxel_nm, voxel_nm), response)
    if told is not None:
        told(len(image))
    return np.rint(image * FAST_SCALE).astype(np.uint16)


_METHODS = {
    Method.MONTE_CARLO: _monte_carlo,
    Method.NETWORK: _by_network,
    Method.FORMULA: _by_formula,
}
